/** Waits for several sockets at once. A thread with a single one needs none of it: `Batch.receive` waits for that. */
import { POLLIN, Pollfd } from './layout.ts'
import type { Libc } from './libc.ts'

/** How long a wait lasts at most, as that for a single socket does. */
const WAIT_MS = 200

export class Poll {
  readonly #libc: Pick<Libc, 'poll' | 'errno'>
  readonly #entries: Int32Array
  readonly #count: number

  /** `fds` are numbered in their order. */
  constructor(libc: Pick<Libc, 'poll' | 'errno'>, fds: readonly number[]) {
    this.#libc = libc
    this.#count = fds.length
    this.#entries = new Int32Array(fds.length * Pollfd.WORDS)
    fds.forEach((fd, i) => {
      this.#entries[i * Pollfd.WORDS + Pollfd.FD] = fd
      this.#entries[i * Pollfd.WORDS + Pollfd.EVENTS] = POLLIN
    })
  }

  /** Waits until one of them is ready, but at most 200 ms. Returns how many are, 0 for none, or the negative errno. */
  wait(): number {
    const { poll, errno } = this.#libc
    const ready = poll(this.#entries, this.#count, WAIT_MS)
    return ready < 0 ? -errno() : ready
  }

  /** Whether the wait found something to receive on descriptor `i`: a request, or why there are none (a `wake`, an error). */
  isReady(i: number): boolean {
    return this.#entries[i * Pollfd.WORDS + Pollfd.EVENTS]! >>> 16 !== 0
  }
}
