/** Names that an attacker would send: all of them have one hash, were it FNV-1a without a key. */
import type { NameKey } from '../../src/wire/name.ts'

const LABELS = 9
/** Octets of a label with its length, in halves: each half has two spellings that lead from one state of the hash to one other. */
const HALF = 8

/** `count` names, at most 2^18. After A. Joux: n pairs that collide one after the other make 2^n names that collide. */
export function collidingNames(count: number): NameKey[] {
  let state = 0x811c9dc5 | 0
  const pairs: [string, string][] = []
  for (let half = 0; half < LABELS * 2; half++) {
    const [pair, next] = collidingPair(state, half % 2 === 0 ? String.fromCharCode(HALF * 2 - 1) : '')
    pairs.push(pair)
    state = next
  }
  return Array.from(
    { length: count },
    (_, i) => `${pairs.map((pair, bit) => pair[(i >> bit) & 1]).join('')}\0` as NameKey,
  )
}

/** Two spellings with `start` in front that take the hash from one state to the same other one. */
function collidingPair(state: number, start: string): [[string, string], number] {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const text = start + spelled(i, HALF - start.length)
    let next = state
    for (let at = 0; at < text.length; at++) next = Math.imul(next ^ text.charCodeAt(at), 16777619)
    const other = seen.get(next)
    if (other !== undefined) return [[other, text], next]
    seen.set(next, text)
  }
}

function spelled(index: number, length: number): string {
  // Far apart for neighbours: of names that hardly differ, few collide.
  let bits = Math.imul(index, 0x9e3779b1)
  let text = ''
  for (let i = 0; i < length; i++) {
    text += String.fromCharCode(0x80 | (bits & 0x7f))
    bits = Math.imul(bits, 0x85ebca6b) ^ (bits >>> 7)
  }
  return text
}
