/**
 * The way of a query that an answer thread cannot answer to the control thread: a ring of records in shared memory, with one writer
 * and one reader that never wait for each other. Whom the records are about, and what becomes of them, is left to others.
 *
 * A record is contiguous: its words (0: the rest up to the end of the memory is unused), the socket, when it was received, the
 * request's length, then the request's origin and the request, each filled up to a whole word.
 */
import { LINE } from '../../table/layout.ts'

/** Octets of the ring's records by default: room for some 7,000 queries of a usual size. */
export const RING_OCTETS = 1 << 20

/** Where words stand; `WRITTEN` and `READ` count words since the start, modulo 2³². */
const Word = { WRITTEN: 0, READ: LINE, BELL: 2 * LINE, RECORDS: 3 * LINE } as const
const Head = { WORDS: 0, SOCKET: 1, RECEIVED: 2, LENGTH: 3, SIZE: 4 } as const

/** Memory for a ring; `octets` of records, a power of two. */
export function ringMemory(octets = RING_OCTETS): SharedArrayBuffer {
  return new SharedArrayBuffer(Word.RECORDS * 4 + octets)
}

function wordsOf(octets: number): number {
  return (octets + 3) >>> 2
}

/** The answer thread's end. */
export class RingWriter {
  readonly #words: Int32Array
  readonly #capacity: number
  /** Words that an origin takes. */
  readonly #originWords: number
  #written: number
  #readSeen: number

  /** `originOctets`: the length of every origin. */
  constructor(memory: SharedArrayBuffer, originOctets: number) {
    this.#words = new Int32Array(memory)
    this.#capacity = this.#words.length - Word.RECORDS
    this.#originWords = wordsOf(originOctets)
    // A thread that takes the place of one that failed goes on where it stopped.
    this.#written = Atomics.load(this.#words, Word.WRITTEN)
    this.#readSeen = Atomics.load(this.#words, Word.READ)
  }

  /**
   * Puts a query in. False where there is no room; then nothing was changed. Positions are indexes of words: the request stands
   * in `requests` at `requestAt`, and its last word is read to the end; its origin in `origins` at `originAt`.
   *
   * @param received milliseconds of the process's clock, modulo 2³²
   */
  push(
    socket: number,
    received: number,
    origins: Int32Array,
    originAt: number,
    requests: Int32Array,
    requestAt: number,
    length: number,
  ): boolean {
    const words = this.#words
    const requestWords = wordsOf(length)
    const size = Head.SIZE + this.#originWords + requestWords
    const place = (this.#written >>> 0) & (this.#capacity - 1)
    const skipped = this.#capacity - place < size ? this.#capacity - place : 0
    if (!this.#hasRoom(skipped + size)) return false
    let at = Word.RECORDS + place
    if (skipped > 0) {
      words[at] = 0
      at = Word.RECORDS
    }
    words[at + Head.WORDS] = size
    words[at + Head.SOCKET] = socket
    words[at + Head.RECEIVED] = received
    words[at + Head.LENGTH] = length
    at += Head.SIZE
    for (let i = 0; i < this.#originWords; i++) words[at + i] = origins[originAt + i]!
    at += this.#originWords
    for (let i = 0; i < requestWords; i++) words[at + i] = requests[requestAt + i]!
    this.#written = (this.#written + skipped + size) | 0
    Atomics.store(words, Word.WRITTEN, this.#written)
    return true
  }

  /** Whether the reader must be woken: true once for all records until it says that it looks. To be asked after `push`. */
  mustWake(): boolean {
    return Atomics.load(this.#words, Word.BELL) === 0 && Atomics.exchange(this.#words, Word.BELL, 1) === 0
  }

  #hasRoom(size: number): boolean {
    if (this.#capacity - ((this.#written - this.#readSeen) | 0) >= size) return true
    this.#readSeen = Atomics.load(this.#words, Word.READ)
    return this.#capacity - ((this.#written - this.#readSeen) | 0) >= size
  }
}

/** The control thread's end. The fields tell of the record that `next` found, until it is called again. */
export class RingReader {
  /** The request's socket, when it was received, and its length. */
  socket = 0
  received = 0
  length = 0
  readonly #words: Int32Array
  readonly #octets: Uint8Array
  readonly #capacity: number
  readonly #originOctets: number
  #read: number
  /** Where the record's origin stands, as the number of an octet. */
  #originAt = 0
  /** Words of the record. */
  #size = 0

  constructor(memory: SharedArrayBuffer, originOctets: number) {
    this.#words = new Int32Array(memory)
    this.#octets = new Uint8Array(memory)
    this.#capacity = this.#words.length - Word.RECORDS
    this.#originOctets = originOctets
    this.#read = Atomics.load(this.#words, Word.READ)
  }

  /** Has the next record wake the reader again. To be called before reading; what is there is then found, or wakes. */
  listen(): void {
    Atomics.store(this.#words, Word.BELL, 0)
  }

  /** Gives the record before back to the writer and goes to the next; false where there is none. */
  next(): boolean {
    const words = this.#words
    if (this.#size > 0) {
      this.#read = (this.#read + this.#size) | 0
      this.#size = 0
      Atomics.store(words, Word.READ, this.#read)
    }
    if (Atomics.load(words, Word.WRITTEN) === this.#read) return false
    let place = (this.#read >>> 0) & (this.#capacity - 1)
    let size = words[Word.RECORDS + place]!
    if (size === 0) {
      this.#read = (this.#read + this.#capacity - place) | 0
      place = 0
      size = words[Word.RECORDS]!
    }
    const at = Word.RECORDS + place
    this.socket = words[at + Head.SOCKET]!
    this.received = words[at + Head.RECEIVED]!
    this.length = words[at + Head.LENGTH]!
    this.#originAt = (at + Head.SIZE) * 4
    this.#size = size
    return true
  }

  /** The record's origin and request in one piece of memory of the caller's own: the request stands at `requestAt`. */
  copy(): Uint8Array {
    const end = this.#originAt + this.requestAt + this.length
    const copy = Buffer.allocUnsafe(this.requestAt + this.length)
    copy.set(this.#octets.subarray(this.#originAt, end))
    return copy
  }

  /** Where the request stands in a copy. */
  get requestAt(): number {
    return wordsOf(this.#originOctets) * 4
  }
}
