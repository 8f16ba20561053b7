/** How often, and how many at a time, the API server is asked: CoreDNS's `apiserver_qps`, `_burst` and `_max_inflight`. */
import { type Clock, sleep } from '../../observe/clock.ts'

export interface RequestLimitOptions {
  /** Requests a second in the long run; absent with `burst` means 5, as in client-go. Watches are not counted. */
  readonly qps?: number | undefined
  /** Requests that may be made at once after a pause; absent with `qps` means 10, as in client-go. */
  readonly burst?: number | undefined
  /** Requests that may wait for their response headers at the same time. */
  readonly maxInflight?: number | undefined
}

/** Without any option nothing is limited: lists are read page after page, so there is never more than one request a kind. */
export class RequestLimits {
  readonly #clock: Clock
  readonly #qps: number
  readonly #burst: number
  #tokens: number
  #refilled: number
  #slots: number
  readonly #waiting: (() => void)[] = []

  constructor({ qps, burst, maxInflight }: RequestLimitOptions, clock: Clock) {
    this.#clock = clock
    this.#qps = qps || (burst ? 5 : Number.POSITIVE_INFINITY)
    this.#burst = burst || 10
    this.#tokens = this.#burst
    this.#refilled = clock.monotonic()
    this.#slots = maxInflight || Number.POSITIVE_INFINITY
  }

  /** Waits for its turn in the rate. Rejects with the signal's reason when it aborts first. */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#qps === Number.POSITIVE_INFINITY) return
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#refilled) / 1000) * this.#qps)
    this.#refilled = now
    // Below zero the bucket says how many are waiting already.
    this.#tokens--
    if (this.#tokens < 0) await sleep(this.#clock, (-this.#tokens / this.#qps) * 1000, signal)
  }

  /** Waits for a free place; the returned function frees it again. */
  async enter(): Promise<() => void> {
    if (this.#slots > 0) this.#slots--
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    return () => {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#slots++
    }
  }
}
