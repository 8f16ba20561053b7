/** Services that the kernel has refused, and when each is to be tried again. */
import type { Key } from '../../cluster/objects.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Destination } from '../route.ts'

const firstPauseMs = 5000
const longestPauseMs = 300_000

interface Entry {
  readonly refused: readonly Destination[] | undefined
  readonly pauseMs: number
  readonly due: number
}

export class Held {
  readonly #clock: Clock
  readonly #entries = new Map<Key, Entry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  keys(): Key[] {
    return [...this.#entries.keys()]
  }

  /** When the first of them is due, in milliseconds of `clock.monotonic`. */
  get next(): number | undefined {
    const times = Array.from(this.#entries.values(), ({ due }) => due)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Notes what was refused; returns after how many milliseconds it is due: longer each time. */
  hold(service: Key, refused: readonly Destination[] | undefined): number {
    const known = this.#entries.get(service)
    const pauseMs = known === undefined ? firstPauseMs : Math.min(2 * known.pauseMs, longestPauseMs)
    this.#entries.set(service, { refused, pauseMs, due: this.#clock.monotonic() + pauseMs })
    return pauseMs
  }

  release(service: Key): void {
    this.#entries.delete(service)
  }

  /** Those whose time has come, or that are wanted otherwise than they were refused. */
  due(wanted: ReadonlyMap<Key, readonly Destination[]>): Key[] {
    const now = this.#clock.monotonic()
    const isOther = (a: readonly Destination[] = [], b: readonly Destination[] = []) =>
      a.length !== b.length || a.some((destination, i) => destination !== b[i])
    return [...this.#entries]
      .filter(([service, { refused, due }]) => due <= now || isOther(refused, wanted.get(service)))
      .map(([service]) => service)
  }
}
