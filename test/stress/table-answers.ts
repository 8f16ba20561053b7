/** What the stress of the answer table writes and its witnesses check: bodies that say whose they are, and the words they share. */

import type { Answer } from '../../src/wire/answer.ts'
import type { NameKey } from '../../src/wire/name.ts'
import { Class, Type } from '../../src/wire/types.ts'
import { key, textAnswer } from '../helpers/table.ts'

/** Which of the names are in the space that is cleared now and then, and which are kept answers; the others never lose their space. */
export const Part = { LASTING: 0, CLEARED: 1, KEPT: 2 } as const
export type Part = (typeof Part)[keyof typeof Part]

export const partOf = (id: number): Part => (id % 10 === 8 ? Part.CLEARED : id % 10 === 9 ? Part.KEPT : Part.LASTING)

/** Names of all lengths up to 90 octets. */
export const nameOf = (id: number): NameKey => key(`${'n'.repeat(1 + (id % 60))}.s${id}.stress.test`)

/** Octets of rdata: 12 that name the body, and others that only this body has. Mostly few, sometimes thousands. */
export function sizeOf(id: number, version: number): number {
  const chance = mix(id ^ 0x5bd1e995, version) >>> 0
  return 12 + (chance % (chance % 100 === 0 ? 20_000 : chance % 10 === 0 ? 2_000 : 200))
}

export function answerFor(id: number, version: number): Answer {
  const rdata = new Uint8Array(sizeOf(id, version))
  const words = new DataView(rdata.buffer)
  words.setInt32(0, id)
  words.setInt32(4, version)
  words.setInt32(8, mix(id, version))
  let state = mix(id, version)
  for (let i = 12; i < rdata.length; i++) rdata[i] = state = step(state)
  return textAnswer(nameOf(id), rdata)
}

/** What a body of `length` octets at `at` is found to be. */
export const Body = { WHOLE: 0, TORN: 1, FOREIGN: 2 } as const
export type Body = (typeof Body)[keyof typeof Body]

/** Owner (a pointer), type, class, time to live, length. */
const RECORD_HEAD = 12

/** Reads only what is there, whatever is there. */
export function inspect(octets: Uint8Array, at: number, length: number, id: number): Body {
  const word = (offset: number) =>
    (octets[offset]! << 24) | (octets[offset + 1]! << 16) | (octets[offset + 2]! << 8) | octets[offset + 3]!
  const rdata = at + RECORD_HEAD
  if (word(at + 2) !== ((Type.TXT << 16) | Class.IN)) return Body.TORN
  if (word(rdata) !== id) return Body.FOREIGN
  const version = versionAt(octets, at)
  if (length !== RECORD_HEAD + sizeOf(id, version) || word(rdata + 8) !== mix(id, version)) return Body.TORN
  let state = mix(id, version)
  for (let i = rdata + 12; i < at + length; i++) if (octets[i] !== ((state = step(state)) & 255)) return Body.TORN
  return Body.WHOLE
}

export function versionAt(octets: Uint8Array, at: number): number {
  const version = at + RECORD_HEAD + 4
  return (octets[version]! << 24) | (octets[version + 1]! << 16) | (octets[version + 2]! << 8) | octets[version + 3]!
}

function mix(a: number, b: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 13)
}

function step(state: number): number {
  return (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
}

/** What the writer tells a witness to do. */
export const Command = { GO_ON: 0, HOLD: 1, THROW: 2, END: 3 } as const

/** What a witness counts. */
export const counts = [
  'batches',
  'lookups',
  'found',
  'absent',
  'unknown',
  'torn',
  'foreign',
  'stale',
  'lost',
  'thrown',
] as const
export type Count = (typeof counts)[number]
export const faults: readonly Count[] = ['torn', 'foreign', 'stale', 'lost', 'thrown']

/** The words that the writer and its witnesses share besides the table, in this order. */
export class SharedWords {
  readonly buffer: SharedArrayBuffer
  /** By name: version << 1 | 1 where it is there: what was last done. */
  readonly committed: Int32Array
  /** By name: the last version that is a removal, from before it is done. */
  readonly removing: Int32Array
  /** By witness. */
  readonly commands: Int32Array
  readonly holding: Int32Array
  readonly counts: Int32Array
  /** The versions of the negative template and of the directory. */
  readonly template: Int32Array
  readonly directory: Int32Array

  constructor(
    names: number,
    witnesses: number,
    buffer = new SharedArrayBuffer((2 * names + (2 + counts.length) * witnesses + 2) * 4),
  ) {
    this.buffer = buffer
    let at = 0
    const words = (count: number) => new Int32Array(buffer, (at += count) * 4 - count * 4, count)
    this.committed = words(names)
    this.removing = words(names)
    this.commands = words(witnesses)
    this.holding = words(witnesses)
    this.counts = words(counts.length * witnesses)
    this.template = words(1)
    this.directory = words(1)
  }
}

/** What a witness is started with. */
export interface WitnessData {
  readonly arena: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  readonly words: SharedArrayBuffer
  readonly reader: number
  /** Which witness it is, and how many there are. */
  readonly witness: number
  readonly witnesses: number
  readonly names: number
  /** By part. */
  readonly spaces: readonly number[]
  readonly directory: number
  readonly seed: number
}
