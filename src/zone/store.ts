/**
 * Where the compiled names of a zone stand: in a space of the answer table, which answer threads read as well, or in ordinary
 * memory. A zone has them in one place only.
 */
import type { TypeEntry, ZoneEntry, ZoneSpace } from '../table/contract.ts'
import { Verdict } from '../table/layout.ts'
import type { Answer } from '../wire/answer.ts'
import type { NameKey } from '../wire/name.ts'

export type ZoneStore = Omit<ZoneSpace, 'id'>

export class MemoryStore implements ZoneStore {
  readonly #entries = new Map<NameKey, ZoneEntry>()

  put(key: NameKey, entry: ZoneEntry | undefined): boolean {
    if (entry === undefined) return this.#entries.delete(key)
    const before = this.#entries.get(key)
    if (before !== undefined && sameEntry(before, entry)) return false
    this.#entries.set(key, entry)
    return true
  }

  get(key: NameKey): ZoneEntry | undefined {
    return this.#entries.get(key)
  }

  has(key: NameKey): boolean {
    return this.#entries.has(key)
  }

  keys(): Iterable<NameKey> {
    return this.#entries.keys()
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Nobody but the zone reads it, which makes its negative answers itself. */
  setNegative(): void {}

  commit(): void {}

  close(): void {
    this.#entries.clear()
  }
}

/** Whether two entries say the same, byte for byte. */
export function sameEntry(one: ZoneEntry, other: ZoneEntry): boolean {
  return (
    one.other === other.other &&
    one.below === other.below &&
    one.types.length === other.types.length &&
    one.types.every((type, i) => sameType(type, other.types[i]!))
  )
}

function sameType(one: TypeEntry, other: TypeEntry): boolean {
  if (one.type !== other.type) return false
  if (one.verdict !== Verdict.ANSWER || other.verdict !== Verdict.ANSWER) return one.verdict === other.verdict
  return sameAnswer(one.answer, other.answer)
}

/** The zone's own answers: what else they have depends on these. */
function sameAnswer(one: Answer, other: Answer): boolean {
  return one.answers === other.answers && one.rcode === other.rcode && Buffer.compare(one.body, other.body) === 0
}
