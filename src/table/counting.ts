/** Counts what one thread answers, in the words that `counters.ts` lays out; the control thread adds them up. */
import {
  Counted,
  DURATION_BUCKETS,
  MAX_COUNTERS,
  SIZE_BUCKETS,
  SIZE_COUNTS,
  Sum,
  sumAt,
  sumsOf,
  type Transport,
  typePlace,
} from './counters.ts'
import { type Found, Origin } from './found.ts'
import type { Question } from './question.ts'

const sizeBounds = Float64Array.from([...SIZE_BUCKETS, Number.POSITIVE_INFINITY])
const durationBounds = Float64Array.from([...DURATION_BUCKETS, Number.POSITIVE_INFINITY])

export class Counting {
  readonly #words: Uint32Array
  readonly #sums: Float64Array
  /** By number of a label set, the answers since the batch began; and the numbers that have some. */
  readonly #answered = new Uint32Array(MAX_COUNTERS)
  readonly #touched = new Uint8Array(MAX_COUNTERS)
  #touchedCount = 0

  /** `words` has `Counted.WORDS` words for each label set, from a whole number of 64 bits on. */
  constructor(words: Uint32Array) {
    this.#words = words
    this.#sums = sumsOf(words)
  }

  /** How many label sets there is room for. */
  get sets(): number {
    return Math.min(Math.floor(this.#words.length / Counted.WORDS), MAX_COUNTERS)
  }

  /** Counts a request of `requestSize` octets and its answer, which has `fullSize` octets if nothing is cut. */
  answered(
    set: number,
    question: Question,
    found: Found,
    transport: Transport,
    requestSize: number,
    fullSize: number,
  ): void {
    const words = this.#words
    const start = set * Counted.WORDS
    const { type } = question
    words[start + Counted.REQUESTS + ((typePlace(type) << 2) | transport)]! += 1
    if (question.dnssecOk) words[start + Counted.DNSSEC_OK]! += 1
    const tcp = transport >> 1
    const sizes = start + tcp * SIZE_COUNTS
    words[sizes + Counted.REQUEST_SIZES + sizeBucket(requestSize)]! += 1
    words[sizes + Counted.RESPONSE_SIZES + sizeBucket(fullSize)]! += 1
    this.#sums[sumAt(start, Sum.REQUEST_SIZES + tcp)]! += requestSize
    this.#sums[sumAt(start, Sum.RESPONSE_SIZES + tcp)]! += fullSize
    words[start + Counted.RESPONSES + found.origin * 16 + found.rcode]! += 1
    if (found.origin === Origin.CACHE) {
      words[start + (found.isKeptAsDenial(type) ? Counted.CACHE_DENIAL : Counted.CACHE_SUCCESS)]! += 1
    }
    if (this.#answered[set] === 0) this.#touched[this.#touchedCount++] = set
    this.#answered[set]! += 1
  }

  /** Ends a batch: each of its answers took as long, in units of 100 ns. */
  end(elapsed: number): void {
    let bucket = 0
    while (elapsed > durationBounds[bucket]!) bucket++
    for (let i = 0; i < this.#touchedCount; i++) {
      const set = this.#touched[i]!
      const start = set * Counted.WORDS
      const answered = this.#answered[set]!
      this.#words[start + Counted.DURATIONS + bucket]! += answered
      this.#sums[sumAt(start, Sum.DURATIONS)]! += answered * elapsed
      this.#answered[set] = 0
    }
    this.#touchedCount = 0
  }
}

function sizeBucket(size: number): number {
  let bucket = 0
  while (size > sizeBounds[bucket]!) bucket++
  return bucket
}
