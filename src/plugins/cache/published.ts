/**
 * The kept answers as they stand in the answer table, from which threads give them. The store is the truth: the table has a copy
 * of what it would find, or nothing.
 */
import type { CacheQuestion, CacheSpace } from '../../table/contract.ts'
import type { Answer } from '../../wire/answer.ts'
import type { NameKey } from '../../wire/name.ts'
import { Bit, Class, Rcode } from '../../wire/types.ts'
import type { Entry } from './entry.ts'

/** Octets of a store's key behind the name: type, class and flags. */
const BEHIND_NAME = 5

export class Published {
  readonly #space: CacheSpace

  constructor(space: CacheSpace) {
    this.#space = space
  }

  /** Has the table answer with `entry` where it can; otherwise it has nothing under the key. */
  show(key: string, entry: Entry, nowMs: number): void {
    const { question, klass } = parsed(key)
    const { answer, name } = entry
    const answers = klass === Class.IN && entry.left(nowMs) > 0 && isPlain(answer)
    if (answers) this.#space.put({ ...question, name }, answer, { ttl: entry.ttl, ageMs: entry.ageMs(nowMs) })
    else this.#space.remove(question)
    this.#space.commit()
  }

  /** Nothing answers under the key any more. */
  hide(key: string): void {
    this.#space.remove(parsed(key).question)
    this.#space.commit()
  }
}

/** An answer or a denial; not a failure, nor what has more to tell than records. */
function isPlain({ rcode, options }: Answer): boolean {
  return options === undefined && (rcode === Rcode.NOERROR || rcode === Rcode.NXDOMAIN)
}

/** The question that a key of the store stands for. */
function parsed(key: string): { question: Omit<CacheQuestion, 'name'>; klass: number } {
  const end = key.length - BEHIND_NAME
  const word = (at: number) => (key.charCodeAt(at) << 8) | key.charCodeAt(at + 1)
  const flags = key.charCodeAt(end + 4)
  const question = {
    key: key.slice(0, end) as NameKey,
    type: word(end),
    dnssecOk: (flags & 1) !== 0,
    checkingDisabled: (flags & Bit.CD) !== 0,
  }
  return { question, klass: word(end + 2) }
}
