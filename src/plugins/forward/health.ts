/** Whether an upstream is taken to be alive. It is only probed after a failure, until it answers again. */
import type { Clock, Timer } from '../../observe/clock.ts'

export interface HealthOptions {
  readonly clock: Clock
  /** The pause after a failed probe. */
  readonly intervalMs: number
  /** How many probes in a row may fail before the upstream is down; 0: it is never down. */
  readonly maxFails: number
  /** Resolves when the upstream answered, rejects when it did not. */
  readonly probe: () => Promise<unknown>
  /** Told of each probe that failed. */
  readonly onFailure: () => void
}

export class Health {
  readonly #options: HealthOptions
  #fails = 0
  #probing = false
  #stopped = false
  #timer: Timer | undefined

  constructor(options: HealthOptions) {
    this.#options = options
  }

  /** More probes in a row have failed than may. */
  get down(): boolean {
    return this.#options.maxFails > 0 && this.#fails > this.#options.maxFails
  }

  /** A query got no reply: start to probe, unless that is under way. */
  suspect(): void {
    if (this.#probing || this.#stopped || this.#options.maxFails === 0) return
    this.#probing = true
    void this.#probe()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #probe(): Promise<void> {
    const { clock, intervalMs, probe, onFailure } = this.#options
    const alive = await probe().then(
      () => true,
      () => false,
    )
    if (this.#stopped) return
    if (alive) {
      this.#fails = 0
      this.#probing = false
      return
    }
    this.#fails++
    onFailure()
    this.#timer = clock.after(intervalMs, () => void this.#probe())
  }
}
