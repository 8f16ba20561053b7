/**
 * The allocator of the shared memory: blocks of whole units, of any size. It knows nothing of readers; what it is given back must
 * not be looked at by anyone any more.
 *
 * Free blocks stand in lists by size: one list for each size below 32 units, above that eight for each doubling. A request takes a
 * block of its own list if one of the first there suffices, else the first of the next list, and gives back what it does not need; a
 * block that becomes free grows together with free neighbours at once (after M. Masmano et al., "TLSF", 2004). Both are a few
 * steps, whatever the arena holds. No block is larger than was asked for and no free one has a free neighbour, which is what bounds
 * the gaps: `test/table/arena.test.ts` holds the arena below 5/4 of what was in use at most, under churn of all sizes.
 */
import { UNIT, UNITS } from './layout.ts'

/** Sizes with a list of their own, and lists per doubling above them. */
const EXACT = 32
const STEPS = 8
const EXACT_BITS = 5
const STEP_BITS = 3
/** How many blocks of a list are looked at for one that suffices. */
const LOOKS = 16
const LISTS = EXACT + STEPS * (32 - EXACT_BITS)

/** Words of a free block's first unit; in the last word of its last one stands the size again. */
const Free = { SIZE: 0, NEXT: 1, PREVIOUS: 2, SIZE_AT_END: 3 } as const

/** Units 0 and 1 are no blocks. */
const FIRST = 2
/** The least that the arena grows by; it costs memory only as it is written to. */
const LEAST_GROWTH = (1 << 20) / UNIT

export class Arena {
  readonly buffer: SharedArrayBuffer
  words!: Int32Array
  octets!: Uint8Array
  /** Units in blocks. */
  used = 0
  readonly #limit: number
  /** By list, its first block. */
  readonly #firsts = new Int32Array(LISTS)
  /** A bit for each list that is not empty. */
  readonly #filled = new Uint32Array((LISTS + 31) >> 5)
  /** A bit for each unit that is the first or the last of a free block. */
  #edges = new Uint32Array(0)
  #units = FIRST

  /** `limit` in octets. */
  constructor(limit: number) {
    this.#limit = Math.floor(limit / UNIT)
    const first = Math.min(LEAST_GROWTH, this.#limit)
    this.buffer = new SharedArrayBuffer(0, { maxByteLength: this.#limit * UNIT })
    this.#growTo(first)
  }

  /** The ref of a new block, whose word `UNITS` is set and whose others hold anything; 0 where the limit, or the system, does not allow it. */
  allocate(units: number): number {
    let ref = this.#take(units)
    if (ref === 0 && this.#grow(units)) ref = this.#take(units)
    if (ref === 0) return 0
    this.used += units
    this.words[(ref << 2) + UNITS] = units
    return ref
  }

  free(ref: number): void {
    const units = this.words[(ref << 2) + UNITS]!
    this.used -= units
    this.#give(ref, units)
  }

  /** Adds a free block, grown together with its free neighbours. */
  #give(ref: number, units: number): void {
    const { words } = this
    const behind = ref + units
    if (behind < this.#units && this.#isEdge(behind)) {
      units += words[(behind << 2) + Free.SIZE]!
      this.#remove(behind)
    }
    if (this.#isEdge(ref - 1)) {
      const size = words[((ref - 1) << 2) + Free.SIZE_AT_END]!
      ref -= size
      units += size
      this.#remove(ref)
    }
    this.#insert(ref, units)
  }

  #take(units: number): number {
    const ref = this.#find(units)
    if (ref === 0) return 0
    const size = this.words[(ref << 2) + Free.SIZE]!
    this.#remove(ref)
    if (size > units) this.#insert(ref + units, size - units)
    return ref
  }

  /** A free block that suffices, or 0. */
  #find(units: number): number {
    const { words } = this
    const own = listOf(units)
    let ref = this.#firsts[own]!
    for (let i = 0; i < LOOKS && ref !== 0; i++) {
      if (words[(ref << 2) + Free.SIZE]! >= units) return ref
      ref = words[(ref << 2) + Free.NEXT]!
    }
    const list = this.#listFrom(own + 1)
    return list < 0 ? 0 : this.#firsts[list]!
  }

  /** The first list from `list` on that is not empty, or -1. */
  #listFrom(list: number): number {
    let word = list >> 5
    let bits = this.#filled[word]! & (-1 << (list & 31))
    while (bits === 0) {
      if (++word === this.#filled.length) return -1
      bits = this.#filled[word]!
    }
    return word * 32 + 31 - Math.clz32(bits & -bits)
  }

  #insert(ref: number, size: number): void {
    const { words } = this
    const list = listOf(size)
    const next = this.#firsts[list]!
    words[(ref << 2) + Free.SIZE] = size
    words[(ref << 2) + Free.NEXT] = next
    words[(ref << 2) + Free.PREVIOUS] = 0
    words[((ref + size - 1) << 2) + Free.SIZE_AT_END] = size
    if (next !== 0) words[(next << 2) + Free.PREVIOUS] = ref
    this.#firsts[list] = ref
    this.#filled[list >> 5]! |= 1 << (list & 31)
    this.#markEdges(ref, size, true)
  }

  #remove(ref: number): void {
    const { words } = this
    const size = words[(ref << 2) + Free.SIZE]!
    const next = words[(ref << 2) + Free.NEXT]!
    const previous = words[(ref << 2) + Free.PREVIOUS]!
    if (next !== 0) words[(next << 2) + Free.PREVIOUS] = previous
    if (previous !== 0) {
      words[(previous << 2) + Free.NEXT] = next
    } else {
      const list = listOf(size)
      this.#firsts[list] = next
      if (next === 0) this.#filled[list >> 5]! &= ~(1 << (list & 31))
    }
    this.#markEdges(ref, size, false)
  }

  #isEdge(unit: number): boolean {
    return (this.#edges[unit >> 5]! & (1 << (unit & 31))) !== 0
  }

  #markEdges(ref: number, size: number, free: boolean): void {
    this.#mark(ref, free)
    this.#mark(ref + size - 1, free)
  }

  #mark(unit: number, free: boolean): void {
    if (free) this.#edges[unit >> 5]! |= 1 << (unit & 31)
    else this.#edges[unit >> 5]! &= ~(1 << (unit & 31))
  }

  /** Makes room for a block of so many units; false at the limit, or where the system has no more memory. */
  #grow(units: number): boolean {
    const more = Math.max(units, this.#units >> 3, LEAST_GROWTH)
    const total = Math.min(this.#units + more, this.#limit)
    if (total === this.#units) return false
    try {
      this.#growTo(total)
    } catch (error) {
      if (error instanceof RangeError) return false
      throw error
    }
    return true
  }

  #growTo(total: number): void {
    const before = this.#units
    const edges = new Uint32Array((total + 31) >> 5)
    edges.set(this.#edges)
    this.buffer.grow(total * UNIT)
    this.words = new Int32Array(this.buffer, 0, total * 4)
    this.octets = new Uint8Array(this.buffer, 0, total * UNIT)
    this.#edges = edges
    this.#units = total
    this.#give(before, total - before)
  }
}

/** The list that a block of that size stands in. */
function listOf(size: number): number {
  if (size < EXACT) return size
  const exponent = 31 - Math.clz32(size)
  return EXACT + (exponent - EXACT_BITS) * STEPS + ((size >>> (exponent - STEP_BITS)) & (STEPS - 1))
}
