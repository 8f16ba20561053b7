/**
 * Adds what answer threads count, in shared memory, to the metrics of the process. Which words a thread counts in is said in
 * `table/counters.ts`; what they are called in the metrics, in `traffic.ts`.
 */
import { Counted, MAX_COUNTERS, Sum, sumAt, sumsOf } from '../table/counters.ts'
import type { Clock } from './clock.ts'
import type { Counter, Metrics } from './metrics.ts'
import { type Traffic, trafficMetrics } from './traffic.ts'

/** What a cache counts of its hits; the counters stay the same while the process runs. */
export interface CacheCounters {
  readonly requests: Counter
  readonly success: Counter
  readonly denial: Counter
}

/** What answers are counted under: the labels of their server block (`prometheus`), and the cache that they came from or passed. */
export interface Counting {
  readonly traffic: { readonly server: string; readonly zone: string } | undefined
  readonly cache: CacheCounters | undefined
}

/** Words of the memory that one thread counts in. */
export const COUNTER_WORDS = MAX_COUNTERS * Counted.WORDS

/** Counts wrap after some hours of full load. */
export const FOLD_EVERY_MS = 60_000

/** The words of a thread, and what of them was added up already. */
interface Thread {
  readonly words: Uint32Array
  readonly sums: Float64Array
  readonly seen: Uint32Array
  readonly seenSums: Float64Array
}

/**
 * One for a process (or a server). A thread is given `COUNTER_WORDS` words of shared memory; the block of a label set begins at
 * its number × `Counted.WORDS`. `register` has what they gain from now on added up each minute and before each exposition of the
 * metrics, and returns a function that adds the rest and forgets the thread: to be called once it has ended.
 */
export class TrafficFolder {
  readonly #metrics: Metrics
  readonly #sets: (Counting & { readonly target: Traffic | undefined })[] = []
  readonly #threads = new Set<Thread>()
  readonly #difference = new Uint32Array(Counted.WORDS)
  readonly #differenceSums = sumsOf(this.#difference)
  readonly #leave: () => void

  constructor(metrics: Metrics, clock: Clock) {
    this.#metrics = metrics
    const timer = clock.every(FOLD_EVERY_MS, () => this.fold())
    const leave = metrics.gathers(() => this.fold())
    this.#leave = () => {
      timer.cancel()
      leave()
    }
  }

  /** The number of a label set, the same for the same labels as long as the process runs; undefined where there is none left. */
  readonly numberOf = ({ traffic, cache }: Counting): number | undefined => {
    const known = this.#sets.findIndex(
      set =>
        set.traffic?.server === traffic?.server &&
        set.traffic?.zone === traffic?.zone &&
        set.cache?.requests === cache?.requests,
    )
    if (known >= 0) return known
    if (this.#sets.length === MAX_COUNTERS) return undefined
    const target = traffic && trafficMetrics(this.#metrics).of(traffic.server, traffic.zone)
    return this.#sets.push({ traffic, cache, target }) - 1
  }

  register(words: Uint32Array): () => void {
    const seen = words.slice()
    const thread = { words, sums: sumsOf(words), seen, seenSums: sumsOf(seen) }
    this.#threads.add(thread)
    return () => {
      this.fold()
      this.#threads.delete(thread)
    }
  }

  /** Adds what was counted since the last time. */
  fold(): void {
    for (const thread of this.#threads) {
      for (const [number, { target, cache }] of this.#sets.entries()) {
        if (!this.#subtract(thread, number * Counted.WORDS)) continue
        target?.add(this.#difference)
        const success = this.#difference[Counted.CACHE_SUCCESS]!
        const denial = this.#difference[Counted.CACHE_DENIAL]!
        cache?.requests.add(success + denial)
        cache?.success.add(success)
        cache?.denial.add(denial)
      }
    }
  }

  /** Ends the folding; threads that are still registered are added up once more. */
  close(): void {
    this.fold()
    this.#leave()
  }

  /** Takes the block at `at` as seen, and what it gained as the difference; false where that is nothing. */
  #subtract({ words, sums, seen, seenSums }: Thread, at: number): boolean {
    let changed = false
    for (let i = 0; i < Counted.SUMS; i++) {
      const now = words[at + i]!
      // Modulo 2³², so that a word may wrap.
      const gained = (now - seen[at + i]!) >>> 0
      this.#difference[i] = gained
      seen[at + i] = now
      changed ||= gained > 0
    }
    for (let i = sumAt(at, 0); i < sumAt(at, Sum.COUNT); i++) {
      const now = sums[i]!
      this.#differenceSums[i - (at >> 1)] = now - seenSums[i]!
      seenSums[i] = now
    }
    return changed
  }
}
