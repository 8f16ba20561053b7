/**
 * The writer's side of the index: where entries are put, replaced and removed, each by one store that readers see, and how the index
 * is built anew when it fills up. Readers' side is `lookup.ts`.
 */
import { type Blocks, isTableFull } from './blocks.ts'
import { Control, DELETED, EMPTY, Entry, Index, MAX_PROBES } from './layout.ts'

const LEAST_CAPACITY = 1024
/**
 * With half of the slots in use the longest run of them is shorter than look-ups go, and an absent name costs 2.5 loads; with 60 %
 * it may be longer, and those are 3.6. A new index has a third in use at most.
 */
const FULL = 1 / 2
const ROOM = 3
/** An index with less than that in use is built anew at the end of a commit: smaller. */
const SPARSE = 1 / 16

export class TableIndex {
  entries = 0
  readonly #blocks: Blocks
  readonly #control: Int32Array
  #capacity = 0
  /** The first slot's word. */
  #slots = 0
  #deleted = 0

  constructor(blocks: Blocks, control: Int32Array) {
    this.#blocks = blocks
    this.#control = control
    this.#rebuild(LEAST_CAPACITY)
  }

  get capacity(): number {
    return this.#capacity
  }

  /** Puts an entry of whose key there is none. Makes the index larger where it has to; throws where the arena may not hold that. */
  insert(ref: number): void {
    if (this.entries + this.#deleted >= this.#capacity * FULL) this.#rebuild(this.#fitting())
    const hash = this.#hashOf(ref)
    let slot = this.#freeSlot(hash)
    while (slot < 0) {
      this.#rebuild(this.#capacity * 2)
      slot = this.#freeSlot(hash)
    }
    if (this.#words[slot] === DELETED) this.#deleted--
    Atomics.store(this.#words, slot, ref)
    this.entries++
  }

  /** Puts an entry in the place of another with the same key, and retires that. */
  replace(old: number, ref: number): void {
    Atomics.store(this.#words, this.#slotOf(old), ref)
    this.#blocks.retire(old)
  }

  remove(ref: number): void {
    this.#delete(this.#slotOf(ref), ref)
  }

  /** Removes all entries that are wanted no more. */
  removeWhere(isUnwanted: (ref: number) => boolean): void {
    for (let slot = this.#slots; slot < this.#slots + this.#capacity; slot++) {
      const ref = this.#words[slot]!
      if (ref > DELETED && isUnwanted(ref)) this.#delete(slot, ref)
    }
  }

  /** The refs of all entries, in no order. The index must not be changed meanwhile. */
  *refs(): Generator<number, void, undefined> {
    for (let slot = this.#slots; slot < this.#slots + this.#capacity; slot++) {
      const ref = this.#words[slot]!
      if (ref > DELETED) yield ref
    }
  }

  /** To be called at the end of a commit: an index that has become far too large is built anew, if there is room for that. */
  shrink(): void {
    if (this.#capacity === LEAST_CAPACITY || this.entries >= this.#capacity * SPARSE) return
    try {
      this.#rebuild(this.#fitting())
    } catch (error) {
      if (!isTableFull(error)) throw error
    }
  }

  /** Taken anew each time, as the arena makes its views again when it grows. */
  get #words(): Int32Array {
    return this.#blocks.arena.words
  }

  #hashOf(ref: number): number {
    return this.#words[(ref << 2) + Entry.HASH]!
  }

  #fitting(): number {
    let capacity = LEAST_CAPACITY
    while (capacity < this.entries * ROOM) capacity *= 2
    return capacity
  }

  /** The first slot for a hash that holds no entry, or -1. */
  #freeSlot(hash: number): number {
    return slotFor(this.#words, this.#slots, this.#capacity, hash)
  }

  #slotOf(ref: number): number {
    const hash = this.#hashOf(ref)
    let i = 0
    while (this.#words[this.#slots + ((hash + i) & (this.#capacity - 1))] !== ref) i++
    return this.#slots + ((hash + i) & (this.#capacity - 1))
  }

  #delete(slot: number, ref: number): void {
    Atomics.store(this.#words, slot, DELETED)
    this.#deleted++
    this.entries--
    this.#blocks.retire(ref)
  }

  /** Builds an index of that capacity, or of a larger one where an entry would stand too far from its place. */
  #rebuild(capacity: number): void {
    let root = this.#built(capacity)
    while (root === 0) {
      capacity *= 2
      root = this.#built(capacity)
    }
    const old = Atomics.load(this.#control, Control.ROOT)
    Atomics.store(this.#control, Control.ROOT, root)
    this.#blocks.retire(old)
    this.#capacity = capacity
    this.#slots = (root << 2) + Index.SLOTS
    this.#deleted = 0
  }

  /** The ref of a new index with all entries, or 0. */
  #built(capacity: number): number {
    const root = this.#blocks.allocate((Index.SLOTS + capacity) >> 2)
    const words = this.#words
    const at = root << 2
    const slots = at + Index.SLOTS
    words[at + Index.CAPACITY] = capacity
    words.fill(EMPTY, slots, slots + capacity)
    for (const ref of this.refs()) {
      const slot = slotFor(words, slots, capacity, this.#hashOf(ref))
      if (slot < 0) {
        this.#blocks.free(root)
        return 0
      }
      words[slot] = ref
    }
    return root
  }
}

function slotFor(words: Int32Array, slots: number, capacity: number, hash: number): number {
  for (let i = 0; i < MAX_PROBES; i++) {
    const slot = slots + ((hash + i) & (capacity - 1))
    if (words[slot]! <= DELETED) return slot
  }
  return -1
}
