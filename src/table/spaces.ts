/** The two kinds of space of `contract.ts`: names of a zone, and answers that a cache keeps. */
import { PortolanError } from '../errors.ts'
import type { Answer } from '../wire/answer.ts'
import { lowered, type NameKey } from '../wire/name.ts'
import type { CacheQuestion, CacheSpace, ZoneEntry, ZoneSpace } from './contract.ts'
import { nameLengthAt, readZoneEntry, writeCacheEntry, writeZoneEntry } from './entry.ts'
import { Control, Entry, Kind } from './layout.ts'
import { CacheFlag, cacheMeta } from './lookup.ts'
import type { Store } from './store.ts'
import { writeTemplate } from './template.ts'

export class ZoneNames implements ZoneSpace {
  readonly id: number
  readonly #store: Store
  #closed = false

  constructor(store: Store) {
    this.#store = store
    this.id = store.openSpace()
  }

  put(key: NameKey, entry: ZoneEntry | undefined): boolean {
    const store = this.#opened()
    if (entry === undefined) {
      const ref = this.#find(key)
      if (ref !== 0) store.remove(ref)
      return ref !== 0
    }
    const { head, ref } = store.place(this.id, Kind.ZONE, key, 0)
    writeZoneEntry(store.block, head, entry)
    return store.put(ref)
  }

  get(key: NameKey): ZoneEntry | undefined {
    const ref = this.#find(key)
    return ref === 0 ? undefined : readZoneEntry(this.#store.words, this.#store.octets, ref << 2)
  }

  has(key: NameKey): boolean {
    return this.#find(key) !== 0
  }

  keys(): NameKey[] {
    const { index, words, octets } = this.#opened()
    const keys: NameKey[] = []
    for (const ref of index.refs()) {
      if (this.#store.spaceOf(ref) !== this.id) continue
      const at = ((ref << 2) + Entry.NAME) * 4
      keys.push(lowered(octets, at, at + nameLengthAt(words, ref << 2)))
    }
    return keys
  }

  clear(): void {
    this.#opened().clear(this.id)
  }

  setNegative(answerFor: (length: number) => Answer): void {
    const store = this.#opened()
    writeTemplate(store.block, answerFor)
    store.setBlock(Control.TEMPLATES + this.id)
  }

  commit(): void {
    this.#store.commit()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#store.closeSpace(this.id)
  }

  #find(key: NameKey): number {
    return this.#opened().find(this.id, Kind.ZONE, key, 0)
  }

  /** The number of a closed space may already be another's. */
  #opened(): Store {
    if (this.#closed) throw new PortolanError('PORTOLAN_TABLE_CLOSED', 'a closed space of the answer table was used')
    return this.#store
  }
}

/** A closed one keeps nothing: replies that were under way when it was closed come to nothing. */
export class KeptAnswers implements CacheSpace {
  readonly id: number
  readonly #store: Store
  readonly #now: () => number
  #closed = false

  constructor(store: Store, now: () => number) {
    this.#store = store
    this.#now = now
    this.id = store.openSpace()
  }

  put(question: CacheQuestion, answer: Answer, life: { readonly ttl: number; readonly ageMs: number }): boolean {
    if (this.#closed) return false
    const store = this.#store
    const { head, ref } = store.place(this.id, Kind.CACHE, question.key, metaOf(question))
    const kept = { type: question.type, answer, ttl: life.ttl, storedMs: Math.floor(this.#now() - life.ageMs) }
    if (writeCacheEntry(store.block, head, question.name, kept)) return store.putBounded(ref)
    if (ref !== 0) store.remove(ref)
    return false
  }

  remove(question: Omit<CacheQuestion, 'name'>): void {
    if (this.#closed) return
    const ref = this.#store.find(this.id, Kind.CACHE, question.key, metaOf(question))
    if (ref !== 0) this.#store.remove(ref)
  }

  commit(): void {
    this.#store.commit()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#store.closeSpace(this.id)
  }
}

function metaOf({ type, dnssecOk, checkingDisabled }: Omit<CacheQuestion, 'name'>): number {
  return cacheMeta(type, (dnssecOk ? CacheFlag.DNSSEC_OK : 0) | (checkingDisabled ? CacheFlag.CHECKING_DISABLED : 0))
}
