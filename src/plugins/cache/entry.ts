/** A reply that is kept: how old it is, how it is told to the next who asks, and whether it is being fetched anew. */
import { type Answer, COPIED, recordStarts } from '../../wire/answer.ts'
import { spelled, withTtl } from '../../wire/edit.ts'
import type { Query } from '../../wire/query.ts'
import { Bit, HEADER } from '../../wire/types.ts'

const KEPT = Bit.AA | Bit.RA | Bit.AD

/**
 * Seconds and milliseconds are those of a clock that never goes backwards. There may be 20,000 entries, most of which are never asked
 * for again, or answered for from the table: the octets stand in one text, and are an answer when one is wanted.
 */
export class Entry {
  /** The time that all its records have when it is new, in seconds. */
  readonly ttl: number
  readonly answering: boolean
  /** The last answering entry of the same key, kept by `prefer_positive` behind one that is none. */
  readonly lastGood: Entry | undefined
  /** The answer when it was new, its body left out. */
  readonly #fields: Omit<Answer, 'body' | 'starts'>
  /** The question's name as it was asked when the entry was made, then the answer's body; one character an octet. */
  readonly #octets: string
  readonly #nameOctets: number
  readonly #storedMs: number
  /** As it was last told; hits within one second share it. */
  #told: Answer | undefined
  #toldTtl = 0
  #hits = 0
  #lastHitMs = Number.NEGATIVE_INFINITY
  #refreshing = false
  #retryAtMs = Number.NEGATIVE_INFINITY

  /** `answer` is the reply to `query` and has `ttl` on all records. */
  constructor(
    query: Query,
    answer: Answer,
    fields: { ttl: number; answering: boolean; storedMs: number; lastGood: Entry | undefined },
  ) {
    this.ttl = fields.ttl
    this.answering = fields.answering
    this.lastGood = fields.lastGood
    this.#storedMs = fields.storedMs
    const { rcode, bits, answers, authorities, additionals, nameLength, options } = answer
    this.#fields = { rcode, bits: bits & KEPT, copied: COPIED, answers, authorities, additionals, nameLength, options }
    this.#octets = latin1(query.name) + latin1(answer.body)
    this.#nameOctets = query.name.length
  }

  get rcode(): number {
    return this.#fields.rcode
  }

  /** The spelling that its owners have. */
  get name(): Uint8Array {
    return octetsOf(this.#octets.slice(0, this.#nameOctets))
  }

  /** As it was when it was new. */
  get answer(): Answer {
    const body = octetsOf(this.#octets.slice(this.#nameOctets))
    return { ...this.#fields, body, starts: recordStarts(body) }
  }

  ageMs(nowMs: number): number {
    return nowMs - this.#storedMs
  }

  /** Seconds until it expires; 0 or less when it has. */
  left(nowMs: number): number {
    return this.ttl - Math.floor(this.ageMs(nowMs) / 1000)
  }

  /**
   * The answer as `query` gets it, with `ttl` on all records: RD and CD are the asker's, AA and RA as stored, AD as stored if the
   * asker wants to know (RFC 6840 sections 5.7 and 5.8). Owners keep the letter case of the one who asked first.
   */
  answerTo(query: Query, ttl: number): Answer {
    if (this.#told === undefined || ttl !== this.#toldTtl) {
      this.#told = withTtl(this.#told ?? this.answer, ttl)
      this.#toldTtl = ttl
    }
    return withoutUnwanted(this.#isSpelledAs(query) ? this.#told : spelled(this.#told, this.name), query)
  }

  /** Whether the query has its name in the same letter case. A view of that name would cost a hit more than the comparison. */
  #isSpelledAs({ packet }: Query): boolean {
    for (let i = 0; i < this.#nameOctets; i++) if (packet[HEADER + i] !== this.#octets.charCodeAt(i)) return false
    return true
  }

  /** Counts a hit; one that comes more than `withinMs` after the last starts the count anew. Returns the count. */
  hit(nowMs: number, withinMs: number): number {
    this.#hits = this.#lastHitMs < nowMs - withinMs ? 1 : this.#hits + 1
    this.#lastHitMs = nowMs
    return this.#hits
  }

  /** Takes over the popularity of the entry that it replaces. */
  inherit(from: Entry, nowMs: number): void {
    this.#hits = from.#hits
    this.#lastHitMs = nowMs
  }

  /** Whether the caller shall refresh it now: not while another does, nor during the pause after a failure. */
  beginRefresh(nowMs: number): boolean {
    if (this.#refreshing || nowMs < this.#retryAtMs) return false
    this.#refreshing = true
    return true
  }

  /** `pauseMs` is how long no other refresh shall begin. */
  endRefresh(nowMs: number, pauseMs: number): void {
    this.#refreshing = false
    this.#retryAtMs = nowMs + pauseMs
  }
}

/** The answer without AD where the asker showed no sign that it knows the bit. */
export function withoutUnwanted(answer: Answer, query: Query): Answer {
  if ((answer.bits & Bit.AD) === 0 || query.dnssecOk || (query.bits & Bit.AD) !== 0) return answer
  return { ...answer, bits: answer.bits & ~Bit.AD }
}

function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}

/** No Buffer, whose `slice` would share. */
function octetsOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}
