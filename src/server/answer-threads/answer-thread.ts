/**
 * One answer thread as the control thread sees it: told which sockets to serve, started anew when it fails. What it does is
 * `thread.ts`'s, what becomes of the queries that it passes on its owner's.
 */
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { messageOf, PortolanError } from '../../errors.ts'
import { BATCH_MEMORY } from '../../net/udp-batch/batch.ts'
import type { Libc } from '../../net/udp-batch/libc.ts'
import { ERRNOS } from '../../net/udp-batch/outgoing.ts'
import { PinnedMemory } from '../../net/udp-batch/pinned-memory.ts'
import type { Clock, Timer } from '../../observe/clock.ts'
import type { PublishedTable, ThreadCounters } from '../published-table.ts'
import { ringMemory } from './ring.ts'
import { LOOK, type Orders, type ThreadData, type ThreadSocket, Word } from './shared.ts'

export interface AnswerThreadOptions {
  readonly libc: Libc
  /** The module that is run. */
  readonly entry: URL
  /** Absent where everything is passed on. */
  readonly table: PublishedTable | undefined
  readonly clock: Clock
  /** Whether any thread runs, so that this one is not needed soon. */
  readonly anyRuns: () => boolean
  /** The ring has records, or `everything` that it will have of sockets that were left. */
  readonly look: (everything: boolean) => void
  /** It failed, serves nothing now, and will be started anew. */
  readonly failed: (error: Error) => void
  /** It was started anew, and still serves nothing. */
  readonly back: () => void
  /** It ended for good, or did not start. */
  readonly gone: () => void
}

/** Small heaps: a thread makes nothing while it answers. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 }

/** How long a thread that failed waits to be started: twice as long each time, and from the start again once it ran for so long. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 60_000
/** The longest while nobody else serves: each start costs some memory for good, which matters less then. */
const LONGEST_PAUSE_ALONE = 5_000
const STEADY_AFTER = 60_000

export class AnswerThread {
  readonly ring = ringMemory()
  readonly words = new SharedArrayBuffer(Word.SIZE * 4)
  readonly failures = new SharedArrayBuffer(ERRNOS * 4)
  readonly #options: AnswerThreadOptions
  readonly #pinned: PinnedMemory
  readonly #counters: ThreadCounters | undefined
  readonly #turn = new Int32Array(this.words, Word.TURN * 4, 1)
  /** What waits until the thread has carried out the orders of a turn. */
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>()
  #orders: Orders = { turn: 0, sockets: [], end: false }
  #worker: Worker | undefined
  #started = false
  #runs = false
  #over = false
  /** In a row. */
  #failures = 0
  #runsSince = 0
  #restart: Timer | undefined

  constructor(options: AnswerThreadOptions) {
    this.#options = options
    this.#pinned = new PinnedMemory(options.libc, BATCH_MEMORY)
    this.#counters = options.table?.counters()
  }

  /** Starts the thread. Rejects, and leaves nothing behind, where it cannot run. */
  start(): Promise<void> {
    const started = this.#order([])
    this.#run()
    return started
  }

  /** Whether it has carried out orders, and not failed since. */
  get runs(): boolean {
    return this.#runs
  }

  /**
   * Has the thread, which runs, serve these sockets and no others. Resolves once it does: those that it leaves were read to the end
   * then, and their queries answered or passed on. Resolves too when it fails. What it does not yet serve it may not look at for up
   * to 200 ms.
   */
  serve(sockets: readonly ThreadSocket[]): Promise<void> {
    return this.#order(sockets)
  }

  /** Ends it as `serve([])` would; resolves when it is gone and all is given back. */
  stop(): Promise<void> {
    const stopped = this.#order([], true)
    if (this.#worker === undefined) this.#gone()
    return stopped
  }

  #order(sockets: readonly ThreadSocket[], end = false): Promise<void> {
    const carriedOut = Promise.withResolvers<void>()
    this.#orders = { turn: this.#orders.turn + 1, sockets, end }
    this.#waiting.set(this.#orders.turn, carriedOut)
    this.#tell()
    return carriedOut.promise
  }

  #tell(): void {
    // The message is there for whoever sees the word moved.
    this.#worker?.postMessage(this.#orders)
    Atomics.store(this.#turn, 0, this.#orders.turn)
    Atomics.notify(this.#turn, 0)
  }

  #run(): void {
    const { entry, table } = this.#options
    this.#runsSince = this.#options.clock.monotonic()
    const reader = table?.table.openReader()
    const workerData: ThreadData = {
      table:
        table && reader !== undefined && this.#counters
          ? { memory: table.table.memory, reader, counters: this.#counters.words }
          : undefined,
      pinned: this.#pinned.address,
      failures: this.failures,
      words: this.words,
      ring: this.ring,
    }
    const ended = (error: Error) => {
      // Not before: until now it may have read.
      if (reader !== undefined) table?.table.closeReader(reader)
      this.#worker = undefined
      this.#ended(error)
    }
    let failure = new Error('it ended')
    try {
      const worker = new Worker(entry, { workerData, resourceLimits: LIMITS, execArgv: [], env: SHARE_ENV })
      worker.on('message', (said: number) => this.#heard(said))
      worker.on('error', (error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error))
      })
      worker.on('exit', () => ended(failure))
      this.#worker = worker
      this.#tell()
    } catch (error) {
      ended(new Error(messageOf(error)))
    }
  }

  #heard(said: number): void {
    this.#options.look(said !== LOOK)
    if (said === LOOK) return
    const isBack = this.#started && !this.#runs
    this.#started = true
    this.#runs = true
    if (this.#orders.end) return
    this.#done(said)
    if (isBack) this.#options.back()
  }

  /** Everything that waits for this turn, or one before it, is done. */
  #done(until: number): void {
    for (const [turn, { resolve }] of this.#waiting) {
      if (turn > until) continue
      this.#waiting.delete(turn)
      resolve()
    }
  }

  #ended(error: Error): void {
    this.#runs = false
    // What it passed on last may not have been told.
    this.#options.look(true)
    if (this.#orders.end) {
      this.#gone()
    } else if (this.#started) {
      this.#fail(error)
    } else {
      this.#giveBack()
      const failure = new PortolanError('PORTOLAN_ANSWER_THREAD', `an answer thread does not start: ${error.message}`, {
        cause: error,
      })
      for (const { reject } of this.#waiting.values()) reject(failure)
    }
  }

  #fail(error: Error): void {
    const { clock, anyRuns, failed } = this.#options
    if (clock.monotonic() - this.#runsSince > STEADY_AFTER) this.#failures = 0
    const longest = anyRuns() ? LONGEST_PAUSE : LONGEST_PAUSE_ALONE
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures++, longest)
    this.#restart = clock.after(pause, () => this.#run())
    // Nobody reads its sockets now. Its successor must not begin with one that was closed in the meantime.
    this.#orders = { ...this.#orders, sockets: [] }
    this.#done(this.#orders.turn)
    failed(error)
  }

  #gone(): void {
    this.#restart?.cancel()
    this.#giveBack()
    this.#done(this.#orders.turn)
  }

  #giveBack(): void {
    if (this.#over) return
    this.#over = true
    this.#pinned.free()
    this.#counters?.close()
    this.#options.gone()
  }
}
