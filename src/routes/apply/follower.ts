/**
 * Has a kernel follow the routes for as long as a signal allows: the first change at once, those that come close behind it together,
 * failures again after growing pauses, and what somebody else has changed put right.
 */
import { messageOf } from '../../errors.ts'
import type { Clock, Timer } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import { Applier, type Synced, type Wanted } from './applier.ts'
import type { Kernel } from './kernel.ts'

export interface FollowerOptions {
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  /** What is wanted at this moment. */
  readonly wanted: () => Wanted
  /** How long after one sync has begun the next may begin. */
  readonly minSyncMs: number
  /** How often the kernel is compared with what it was given, at most; 0 for never. */
  readonly checkMs: number
}

const firstPauseMs = 100
const longestPauseMs = 30_000
/** A comparison that takes longer, as in a large cluster, is followed by so many times its length of rest: no change is loaded meanwhile. */
const longCheckMs = 1_000
const restPerCheck = 50
/** How many lines tell what differs; the others are counted. */
const mostLines = 10

export class Follower {
  readonly #options: FollowerOptions
  readonly #applier: Applier
  #wake = Promise.withResolvers<void>()
  #changedAt: number | undefined
  #failures = 0
  #failure: unknown

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#applier = new Applier(options)
  }

  /** The services that the kernel refuses. */
  get refused(): readonly string[] {
    return this.#applier.refused
  }

  /** For how long the kernel has not had what is wanted, in milliseconds; 0 where it has it. */
  get behindMs(): number {
    return this.#changedAt === undefined ? 0 : this.#options.clock.monotonic() - this.#changedAt
  }

  /** To be called when something else may be wanted. */
  poke(): void {
    this.#changedAt ??= this.#options.clock.monotonic()
    this.#wake.resolve()
  }

  /** Syncs once, with as many attempts as `attempts` says. Rejects with what the last one said. */
  async once(attempts: number): Promise<Synced> {
    this.poke()
    for (;;) {
      const synced = await this.#attempt()
      if (synced !== undefined) return synced
      if (this.#failures >= attempts) throw this.#failure
      await this.#pause(this.#pauseMs(), undefined)
    }
  }

  /** Syncs, and then whenever it is poked; `onSynced` is called after each sync, and waited for. Resolves when the signal has aborted, and nothing is under way any more. */
  async run(signal: AbortSignal, onSynced: (synced: Synced) => Promise<void>): Promise<void> {
    const { clock, minSyncMs, checkMs } = this.#options
    this.poke()
    let checkAt = checkMs === 0 ? Number.POSITIVE_INFINITY : clock.monotonic() + checkMs
    while (!signal.aborted) {
      const began = clock.monotonic()
      if (began >= checkAt) {
        await this.#check()
        const now = clock.monotonic()
        const tookMs = now - began
        checkAt = now + Math.max(checkMs, tookMs > longCheckMs ? restPerCheck * tookMs : 0)
      }
      if (this.#changedAt !== undefined || began >= (this.#applier.nextTry ?? Number.POSITIVE_INFINITY)) {
        const synced = await this.#attempt()
        if (synced !== undefined) await onSynced(synced)
        await this.#pause(synced === undefined ? this.#pauseMs() : began + minSyncMs - clock.monotonic(), signal)
      }
      if (this.#changedAt !== undefined) continue
      const next = Math.min(checkAt, this.#applier.nextTry ?? Number.POSITIVE_INFINITY)
      await this.#untilPoked(next - clock.monotonic(), signal)
    }
  }

  async #attempt(): Promise<Synced | undefined> {
    const { clock, log, wanted } = this.#options
    const changedAt = this.#changedAt
    this.#changedAt = undefined
    this.#wake = Promise.withResolvers()
    const began = clock.monotonic()
    try {
      const synced = await this.#applier.sync(wanted())
      this.#failures = 0
      if (synced.whole || synced.services.length > 0)
        log.info(`${whatOf(synced)} in ${Math.round(clock.monotonic() - began)} ms`)
      return synced
    } catch (error) {
      this.#failure = error
      this.#failures++
      // Nothing is lost: the next attempt loads this change and all that came since.
      this.#changedAt = changedAt ?? began
      log.error(`not loaded, it is tried again in ${this.#pauseMs()} ms: ${messageOf(error)}`)
      return undefined
    }
  }

  async #check(): Promise<void> {
    const { log } = this.#options
    try {
      const found = await this.#applier.check()
      if (found.length === 0) return
      for (const line of found.slice(0, mostLines)) log.warning(`somebody else has changed it: ${line}`)
      const more = found.length - mostLines
      if (more > 0) log.warning(`somebody else has changed it: ${more} more differences`)
      this.poke()
    } catch (error) {
      log.error(`not compared with the kernel: ${messageOf(error)}`)
    }
  }

  #pauseMs(): number {
    return Math.min(firstPauseMs * 2 ** (this.#failures - 1), longestPauseMs)
  }

  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms > 0) await settled(this.#options.clock, ms, signal)
  }

  async #untilPoked(ms: number, signal: AbortSignal): Promise<void> {
    await settled(this.#options.clock, ms, signal, this.#wake.promise)
  }
}

/** Resolves after so many milliseconds (which may be endless), when the signal aborts, or with `other`. */
async function settled(clock: Clock, ms: number, signal?: AbortSignal, other?: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer: Timer | undefined = Number.isFinite(ms) ? clock.after(Math.max(0, ms), resolve) : undefined
  const abort = () => resolve()
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) resolve()
  void other?.then(resolve)
  await promise
  timer?.cancel()
  signal?.removeEventListener('abort', abort)
}

function whatOf({ whole, services, after }: Synced): string {
  const count = (services: number) => `${services} ${services === 1 ? 'service' : 'services'}`
  if (whole) return `all loaded: ${count(new Set(after.map(({ service }) => service)).size)}`
  const some = services.slice(0, 3).join(', ')
  const more = services.length - 3
  const names = more > 0 ? `${some} and ${more} more` : some
  return `${count(services.length)} changed (${names})`
}
