/**
 * The answer threads of a server: how many there are, which sockets each of them serves, and who gets the queries that they pass
 * on. The sockets are their ports' own.
 */
import type { Libc } from '../../net/udp-batch/libc.ts'
import { ORIGIN } from '../../net/udp-batch/origin.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import { MAX_READERS } from '../../table/layout.ts'
import { failureLog } from '../failure-log.ts'
import { processNow } from '../process-clock.ts'
import type { PublishedTable } from '../published-table.ts'
import { AnswerThread } from './answer-thread.ts'
import { RING_OCTETS, RingReader } from './ring.ts'
import type { ThreadSocket } from './shared.ts'

/** A port that is listened on. */
export interface Port {
  /** Its sockets; the threads share them out among themselves. */
  readonly sockets: readonly ThreadSocket[]
  /** Opens sockets until there are so many. Throws, and leaves those that there are, where one cannot be had. */
  widen(sockets: number): void
  /** Takes a query of one of its sockets, at which the ring stands. */
  take(ring: RingReader): void
}

export interface AnswerThreadsOptions {
  readonly libc: Libc
  readonly clock: Clock
  readonly log: Logger
  readonly table: PublishedTable | undefined
  /** A query was taken that a thread received so many milliseconds ago. */
  readonly waited: (ms: number) => void
  /** Queries were taken, and what was replied at once is to be sent. */
  readonly flush: () => void
  /** A thread failed, and will be started anew. */
  readonly restarted: () => void
  /** A thread is there, until the returned function is called. */
  readonly watch: (thread: AnswerThread) => () => void
  /** The module that threads run instead of their own. */
  readonly entry?: URL
}

/** The table's readers, but for the control thread's own and some to spare: a thread that fails has a successor at once. */
export const MOST_THREADS = MAX_READERS - 4

/** Queries of one thread that are taken in one turn: others have theirs in between. */
const MOST_AT_ONCE = 256

/** No ring has more. */
const MOST_IN_RING = RING_OCTETS / 64

/** The program has the module beside it, and its own parts perhaps one folder below. */
function threadEntry(): URL {
  const { url } = import.meta
  if (url.endsWith('.ts')) return new URL('./thread.ts', url)
  return new URL(url.includes('/chunks/') ? '../answer-thread.js' : './answer-thread.js', url)
}

export class AnswerThreads {
  readonly #options: AnswerThreadsOptions
  readonly #failed: (error: Error) => void
  readonly #ports = new Set<Port>()
  /** By the sockets' numbers. */
  readonly #owners = new Map<number, Port>()
  #running: readonly AnswerThread[] = []
  /** Rings that had more than one turn takes: the next look at them is due already. */
  readonly #due = new Set<RingReader>()

  constructor(options: AnswerThreadsOptions) {
    this.#options = options
    this.#failed = failureLog(options, 'udp', { one: 'answer thread', many: 'answer threads', what: 'kept running' })
  }

  get count(): number {
    return this.#running.length
  }

  /**
   * Has so many threads (MOST_THREADS at most), and as many sockets at least for each port. Rejects where one cannot be had; then
   * there are as many threads as before. No query is lost: sockets are not closed, but served by the threads that stay.
   */
  async resize(count: number): Promise<void> {
    const before = this.#running
    const wanted = Math.min(count, MOST_THREADS)
    if (wanted === before.length) return
    const added: AnswerThread[] = []
    try {
      while (before.length + added.length < wanted) added.push(this.#thread())
      await Promise.all(added.map(thread => thread.start()))
      for (const port of this.#ports) port.widen(wanted)
    } catch (error) {
      await Promise.all(added.map(thread => thread.stop()))
      // Some ports may have more sockets already.
      await this.#share()
      throw error
    }
    this.#running = [...before, ...added].slice(0, wanted)
    // Those that stay take the sockets over before the others leave them.
    await this.#share()
    await Promise.all(before.slice(wanted).map(thread => thread.stop()))
  }

  /** Serves the port; resolves once every thread does. */
  add(port: Port): Promise<void> {
    this.#ports.add(port)
    return this.#share()
  }

  /**
   * Leaves the port's sockets. Resolves when they were read to the end, and all that was passed on was taken: then nobody uses
   * them any more.
   */
  async remove(port: Port): Promise<void> {
    if (!this.#ports.delete(port)) return
    await this.#share()
    for (const { number } of port.sockets) this.#owners.delete(number)
  }

  /** Ends all threads. There are no ports any more. */
  async stop(): Promise<void> {
    const threads = this.#running
    this.#running = []
    await Promise.all(threads.map(thread => thread.stop()))
  }

  /**
   * Tells the threads which sockets are theirs: of each port the first has the first, and so on, and begins again. Those of a thread
   * that failed are the others' until it is back.
   */
  async #share(): Promise<void> {
    const threads = this.#running.filter(({ runs }) => runs)
    const shares: ThreadSocket[][] = threads.map(() => [])
    for (const port of this.#ports) {
      for (const [place, socket] of port.sockets.entries()) {
        shares[place % shares.length]?.push(socket)
        this.#owners.set(socket.number, port)
      }
    }
    await Promise.all(threads.map((thread, i) => thread.serve(shares[i]!)))
  }

  #thread(): AnswerThread {
    const { libc, clock, table, restarted, watch, entry = threadEntry() } = this.#options
    const thread: AnswerThread = new AnswerThread({
      libc,
      entry,
      table,
      clock,
      anyRuns: () => this.#running.some(({ runs }) => runs),
      look: everything => this.#look(reader, everything),
      failed: error => {
        restarted()
        this.#failed(error)
        void this.#share()
      },
      back: () => void this.#share(),
      gone: () => unwatch(),
    })
    const unwatch = watch(thread)
    const reader = new RingReader(thread.ring, ORIGIN)
    return thread
  }

  /** Takes what a thread passed on; what is too much for one turn in a later one, unless `everything` is wanted now. */
  #look(ring: RingReader, everything: boolean): void {
    if (!everything && this.#due.has(ring)) return
    const { waited, flush } = this.#options
    ring.listen()
    let left = everything ? MOST_IN_RING : MOST_AT_ONCE
    while (left-- > 0 && ring.next()) {
      waited((processNow() - ring.received) | 0)
      this.#owners.get(ring.socket)?.take(ring)
    }
    flush()
    if (left >= 0 || this.#due.has(ring)) return
    this.#due.add(ring)
    setImmediate(() => {
      this.#due.delete(ring)
      this.#look(ring, false)
    })
  }
}
