/**
 * Blocks from the moment they are made until every reader has passed: what the writer has replaced waits here, in limbo, until no
 * batch can still see it. The protocol stands in `README.md`.
 */
import { PortolanError } from '../errors.ts'
import { Arena } from './arena.ts'
import { Control, LINE, MAX_READERS, UNIT, UNITS } from './layout.ts'

/** When the room of a replaced block is used again: `at once` is wrong, and there for tests that must be able to see that. */
export type Reclaim = 'epochs' | 'at once'

const FULL = 'PORTOLAN_TABLE_FULL'

/** What was retired at one epoch. */
interface Batch {
  readonly epoch: number
  readonly refs: number[]
  readonly passed: (() => void)[]
}

/** A long commit does not wait for its end to reclaim what it replaced. In octets. */
const STRETCH = 1 << 20

export class Blocks {
  readonly arena: Arena
  /** Octets that wait. */
  limbo = 0
  readonly #control: Int32Array
  readonly #reclaim: Reclaim
  readonly #open = new Set<number>()
  /** Oldest first. */
  #waiting: Batch[] = []
  #sinceAdvance = 0

  /** `limit` of the arena in octets. */
  constructor(control: Int32Array, limit: number, reclaim: Reclaim) {
    this.#control = control
    this.#reclaim = reclaim
    this.arena = new Arena(limit)
    control[Control.EPOCH] = 1
  }

  /** A new block with these words, which fill whole units and say so in the word `UNITS`. Nobody sees it yet. */
  make(words: Int32Array): number {
    const ref = this.allocate(words[UNITS]!)
    this.arena.words.set(words, ref << 2)
    return ref
  }

  /** The ref of a new block. Throws where the table may not take so much. */
  allocate(units: number): number {
    let ref = this.arena.allocate(units)
    if (ref === 0) {
      this.advance()
      ref = this.arena.allocate(units)
    }
    if (ref !== 0) return ref
    const { byteLength, maxByteLength } = this.arena.buffer
    throw new PortolanError(
      FULL,
      `the answer table is full: it may take ${maxByteLength} octets, has ${byteLength}, and ${units * UNIT} more are needed at once`,
    )
  }

  /** Gives back a block that nobody has seen. */
  free(ref: number): void {
    this.arena.free(ref)
  }

  /** To be called when a block can no longer be reached; ref 0 is nothing. Its room is used again when no reader can still see it. */
  retire(ref: number): void {
    if (ref === 0) return
    if (this.#reclaim === 'at once') {
      this.arena.free(ref)
      return
    }
    this.#latest().refs.push(ref)
    const octets = this.#octetsOf(ref)
    this.limbo += octets
    this.#sinceAdvance += octets
    if (this.#sinceAdvance >= STRETCH) this.advance()
  }

  /** Runs `task` when every reader that reads now has ended its batch. */
  afterReaders(task: () => void): void {
    this.#latest().passed.push(task)
  }

  /** Ends an epoch, and frees what was retired before the first one that a reader is still in. */
  advance(): void {
    this.#sinceAdvance = 0
    if (this.#waiting.length === 0) return
    const control = this.#control
    const epoch = Atomics.load(control, Control.EPOCH)
    // It wraps after 2³² commits, and leaves 0 out.
    const next = (epoch + 1) | 0 || 1
    Atomics.store(control, Control.EPOCH, next)
    let oldest = next
    for (const reader of this.#open) {
      const state = Atomics.load(control, Control.READERS + reader * LINE)
      if (state !== 0 && isBefore(state, oldest)) oldest = state
    }
    let passed = 0
    while (passed < this.#waiting.length && isBefore(this.#waiting[passed]!.epoch, oldest)) passed++
    for (const batch of this.#waiting.splice(0, passed)) {
      for (const ref of batch.refs) {
        this.limbo -= this.#octetsOf(ref)
        this.arena.free(ref)
      }
      for (const task of batch.passed) task()
    }
  }

  /** The number of a new reader. */
  openReader(): number {
    let number = 0
    while (this.#open.has(number)) number++
    if (number === MAX_READERS) {
      throw new PortolanError('PORTOLAN_TABLE_READERS', `the answer table has no more than ${MAX_READERS} readers`)
    }
    this.#open.add(number)
    return number
  }

  /** To be called when the reader's thread has ended, however it did. */
  closeReader(number: number): void {
    Atomics.store(this.#control, Control.READERS + number * LINE, 0)
    this.#open.delete(number)
  }

  #latest(): Batch {
    const epoch = Atomics.load(this.#control, Control.EPOCH)
    let batch = this.#waiting.at(-1)
    if (batch?.epoch !== epoch) {
      batch = { epoch, refs: [], passed: [] }
      this.#waiting.push(batch)
    }
    return batch
  }

  #octetsOf(ref: number): number {
    return this.arena.words[(ref << 2) + UNITS]! * UNIT
  }
}

/** Whether that was thrown as the table may not grow. */
export function isTableFull(thrown: unknown): thrown is PortolanError {
  return thrown instanceof PortolanError && thrown.code === FULL
}

/** Epochs go round; none that still counts is half of that old. */
function isBefore(epoch: number, other: number): boolean {
  return ((epoch - other) | 0) < 0
}
