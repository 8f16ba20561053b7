/** Lets long work have the thread one piece at a time, with pauses for everyone else: the same thread answers queries. */
import { type Clock, sleep } from '../../observe/clock.ts'

/** What takes less leaves no pause: that is what a busy server does all the time. */
const BRIEF_MS = 20

export class Turns {
  readonly #clock: Clock
  readonly #most: number
  #waiting = 0
  #turn: Promise<void> = Promise.resolve()

  /** At most `most` wait or work at a time. */
  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
  }

  /** Whether the next one would be one too many. */
  get full(): boolean {
    return this.#waiting >= this.#most
  }

  /** Runs the work when it has its turn; the one behind it waits for as long again as it took. */
  async take(work: () => void): Promise<void> {
    const before = this.#turn
    const over = Promise.withResolvers<void>()
    this.#turn = over.promise
    this.#waiting++
    await before
    const started = this.#clock.monotonic()
    try {
      work()
    } finally {
      this.#waiting--
      const took = this.#clock.monotonic() - started
      if (took < BRIEF_MS) over.resolve()
      else void sleep(this.#clock, took).then(over.resolve)
    }
  }
}
