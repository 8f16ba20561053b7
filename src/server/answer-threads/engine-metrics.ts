/** What the engine `batch` tells of itself in the metrics, read from memory that it shares with threads and from its sockets. */
import { errnoName } from '../../net/udp-batch/libc.ts'
import type { UdpSocket } from '../../net/udp-batch/socket.ts'
import type { Clock } from '../../observe/clock.ts'
import { type Counter, doubles, type Family, type Gauge, type Histogram, type Metrics } from '../../observe/metrics.ts'
import { FOLD_EVERY_MS } from '../../observe/traffic-folder.ts'
import type { AnswerThread } from './answer-thread.ts'
import { Word } from './shared.ts'

/** Has something no longer counted, once its last counts were taken. */
export type Unwatch = () => void

export class EngineMetrics {
  readonly restarts: Counter
  readonly waits: Histogram
  readonly #threadCount: Gauge
  readonly #receiveBuffer: Gauge
  readonly #misses: Counter
  readonly #full: Counter
  readonly #drops: Counter
  readonly #sendErrors: Family<Counter>
  /** Each takes what was counted since it was last called. */
  readonly #sources = new Set<() => void>()
  readonly #buffers = new Map<UdpSocket, number>()
  readonly #threads = new Set<AnswerThread>()
  readonly #stopGathering: () => void

  constructor(metrics: Metrics, clock: Clock) {
    const counter = (name: string, help: string) => metrics.counter(name, help, []).of()
    this.restarts = counter(
      'portolan_answer_thread_restarts_total',
      'Answer threads that failed and were started anew.',
    )
    this.#threadCount = metrics.gauge('portolan_answer_threads', 'Threads that answer UDP queries.', []).of()
    this.#receiveBuffer = metrics
      .gauge(
        'portolan_udp_receive_buffer_bytes',
        'The smallest receive buffer of a UDP socket, as the kernel counts.',
        [],
      )
      .of()
    this.waits = metrics
      .histogram(
        'portolan_udp_miss_wait_seconds',
        'How long UDP queries that threads passed on waited to be taken.',
        [],
        doubles(0.001, 12),
      )
      .of()
    this.#misses = counter('portolan_udp_misses_total', 'UDP queries that answer threads passed on to the plugins.')
    this.#full = counter('portolan_udp_ring_full_total', 'UDP queries refused as too many waited for the plugins.')
    this.#drops = counter('portolan_udp_socket_drops_total', 'UDP packets lost as a receive buffer was full.')
    this.#sendErrors = metrics.counter('portolan_udp_send_errors_total', 'UDP replies that could not be sent.', [
      'errno',
    ])
    // Words that wrap are looked at often enough, even where nobody asks for metrics.
    const timer = clock.every(FOLD_EVERY_MS, () => this.#gather())
    const leave = metrics.gathers(() => this.#gather())
    this.#stopGathering = () => {
      timer.cancel()
      leave()
    }
  }

  readonly watchThread = (thread: AnswerThread): Unwatch => {
    const words = new Uint32Array(thread.words)
    const misses = gains(() => words[Word.MISSES]!)
    const full = gains(() => words[Word.FULL]!)
    const unwatch = this.#watch(() => {
      this.#misses.add(misses())
      this.#full.add(full())
    })
    const unwatchFailures = this.watchFailures(new Uint32Array(thread.failures))
    this.#threads.add(thread)
    return () => {
      this.#threads.delete(thread)
      unwatch()
      unwatchFailures()
    }
  }

  readonly watchSocket = (socket: UdpSocket): Unwatch => {
    const drops = gains(() => socket.dropped())
    const unwatch = this.#watch(() => this.#drops.add(drops()))
    this.#buffers.set(socket, socket.receiveBuffer)
    return () => {
      this.#buffers.delete(socket)
      unwatch()
    }
  }

  /** `failures`: how many replies could not be sent, by errno. */
  watchFailures(failures: Uint32Array): Unwatch {
    const byErrno = Array.from(failures, (_, errno) => gains(() => failures[errno]!))
    return this.#watch(() => {
      for (const [errno, gained] of byErrno.entries()) {
        const count = gained()
        if (count > 0) this.#sendErrors.of(errno === 0 ? 'other' : errnoName(errno)).add(count)
      }
    })
  }

  /** Tells a last time; there is nothing any more. */
  stop(): void {
    this.#gather()
    this.#stopGathering()
  }

  #gather(): void {
    for (const take of this.#sources) take()
    this.#threadCount.set([...this.#threads].filter(({ runs }) => runs).length)
    this.#receiveBuffer.set(this.#buffers.size === 0 ? 0 : Math.min(...this.#buffers.values()))
  }

  #watch(take: () => void): Unwatch {
    this.#sources.add(take)
    return () => {
      take()
      this.#sources.delete(take)
    }
  }
}

/** What a word that only grows, and wraps, gained since the last time. */
function gains(read: () => number): () => number {
  let seen = 0
  return () => {
    const now = read()
    const gained = (now - seen) >>> 0
    seen = now
    return gained
  }
}
