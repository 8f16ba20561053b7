/** Tells when a socket has not been used for a while. One timer a socket, not one a query: a use only notes the time. */
import type { Clock, Timer } from '../observe/clock.ts'

export class IdleTimer {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #onIdle: () => void
  #timer: Timer | undefined
  /** When the last use ended; undefined while one lasts. */
  #since: number | undefined

  constructor(clock: Clock, limitMs: number, onIdle: () => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#onIdle = onIdle
  }

  used(): void {
    this.#since = undefined
  }

  /** From now on it is idle, until it is used again or `limitMs` have passed. */
  unused(): void {
    this.#since = this.#clock.monotonic()
    if (this.#timer === undefined) this.#arm(this.#limitMs)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#since = undefined
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined
      if (this.#since === undefined) return
      const leftMs = this.#limitMs - (this.#clock.monotonic() - this.#since)
      if (leftMs > 0) this.#arm(leftMs)
      else this.#onIdle()
    })
  }
}
