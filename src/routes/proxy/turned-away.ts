/** Log lines about clients that are turned away, of which a flood shall not be one of the log. */
import type { Clock } from '../../observe/clock.ts'
import type { FrontOptions } from './front.ts'

/** Lines a second; of the others the number is told with the next line. */
const MOST_LINES = 10

export class TurnedAway {
  readonly #options: Pick<FrontOptions, 'name' | 'log'> & { readonly clock: Pick<Clock, 'monotonic'> }
  #second = -1
  #lines = 0
  #untold = 0

  constructor(options: FrontOptions) {
    this.#options = options
  }

  /** `reason` is part of a sentence. */
  tell(client: string, reason: string): void {
    const { name, log, clock } = this.#options
    const second = Math.floor(clock.monotonic() / 1000)
    if (second !== this.#second) this.#lines = 0
    this.#second = second
    if (this.#lines++ >= MOST_LINES) return void this.#untold++
    const others = this.#untold > 0 ? ` (and before it ${this.#untold} others)` : ''
    this.#untold = 0
    log.warning(`${name}: ${client} is turned away${others}: ${reason}`)
  }
}
