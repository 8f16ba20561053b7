/** The UDP engine `batch`: answer threads, the listeners in front of them, and what is counted of both. Only for Linux. */
import { PortolanError } from '../../errors.ts'
import { batchSupport, type Libc } from '../../net/udp-batch/libc.ts'
import { ERRNOS } from '../../net/udp-batch/outgoing.ts'
import { Sender } from '../../net/udp-batch/sender.ts'
import type { UdpListener } from '../listener.ts'
import type { UdpOptions } from '../udp.ts'
import type { EngineOptions, UdpEngine } from '../udp-engine.ts'
import { AnswerThreads, MOST_THREADS } from './answer-threads.ts'
import { BatchListener } from './batch-listener.ts'
import { EngineMetrics } from './engine-metrics.ts'

export class BatchEngine implements UdpEngine {
  readonly #options: EngineOptions
  readonly #libc: Libc
  readonly #sender: Sender
  readonly #threads: AnswerThreads
  readonly #metrics: EngineMetrics
  #sockets = 0
  #flushing = false

  /** Rejects, with a reason that fits into a line of the log, where there cannot be threads. */
  static async start(threads: number, options: EngineOptions): Promise<BatchEngine> {
    const support = await batchSupport()
    if (!support.ok) throw new PortolanError('PORTOLAN_UDP_BATCH', support.reason)
    const engine = new BatchEngine(support.libc, options)
    try {
      await engine.resize(threads)
    } catch (error) {
      await engine.stop()
      throw error
    }
    return engine
  }

  private constructor(libc: Libc, options: EngineOptions) {
    const failures = new Uint32Array(ERRNOS)
    this.#options = options
    this.#libc = libc
    this.#sender = new Sender(libc, failures)
    this.#metrics = new EngineMetrics(options.metrics, options.clock)
    this.#metrics.watchFailures(failures)
    this.#threads = new AnswerThreads({
      ...options,
      libc,
      waited: ms => this.#metrics.waits.observe(ms / 1000),
      flush: () => this.#sender.flush(),
      restarted: () => this.#metrics.restarts.add(),
      watch: this.#metrics.watchThread,
    })
  }

  readonly readsTable = true

  get description(): string {
    const { count } = this.#threads
    return `batch, ${count} answer thread${count === 1 ? '' : 's'}`
  }

  listener(options: UdpOptions, directory: number): UdpListener {
    const surroundings = {
      libc: this.#libc,
      threads: this.#threads,
      sender: this.#sender,
      flushSoon: this.#flushSoon,
      nextNumber: () => ++this.#sockets,
      watch: this.#metrics.watchSocket,
    }
    return new BatchListener(surroundings, options, directory)
  }

  async resize(threads: number): Promise<void> {
    if (threads > MOST_THREADS) {
      this.#options.log.warning(`udp: there are at most ${MOST_THREADS} answer threads, not ${threads}`)
    }
    await this.#threads.resize(threads)
  }

  async stop(): Promise<void> {
    await this.#threads.stop()
    this.#metrics.stop()
    this.#sender.close()
  }

  readonly #flushSoon = (): void => {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.#sender.flush()
    })
  }
}
