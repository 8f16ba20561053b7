/** A compiled answer as it stands in the arena, with what is to become of it on its way out. Filled anew for each question. */
import { ownerEnd, recordEnd } from '../wire/answer.ts'
import { Rcode, Type } from '../wire/types.ts'
import { AnswerRecord, Rotation, Template } from './layout.ts'
import type { Lookup } from './lookup.ts'

/** Who made an answer. */
export const Origin = { ZONE: 0, CACHE: 1 } as const
export type Origin = (typeof Origin)[keyof typeof Origin]

/** What an answer says: the classes of `log`. */
export const Saying = { SUCCESS: 0, DENIAL: 1, ERROR: 2 } as const
export type Saying = (typeof Saying)[keyof typeof Saying]

/** As time to live: the records keep what they have. */
export const AS_STORED = -1

export class Found {
  readonly #lookup: Lookup
  origin: Origin = Origin.ZONE
  /** Where its records stand, in octets from the start of the arena; a whole word begins there. */
  bodyAt = 0
  bodyLength = 0
  answers = 0
  authorities = 0
  additionals = 0
  rcode = 0
  /** Header bits that are its own, and those that are the question's. */
  bits = 0
  copied = 0
  /** Seconds: what all its records have, and what they are told with, or AS_STORED. */
  ttl = 0
  toldTtl = AS_STORED
  rotation = Rotation.NONE as number
  /** Where SHUFFLE is asked for, the first record that it may move. */
  firstMovable = 0
  /** Words that say where pointers stand in the body, their number, and how much further each of them has to point. */
  pointers = 0
  pointerCount = 0
  pointerShift = 0

  constructor(lookup: Lookup) {
    this.#lookup = lookup
  }

  get records(): number {
    return this.answers + this.authorities + this.additionals
  }

  /** Takes an answer's record of an entry, both given as words of the arena. */
  takeRecord(entry: number, record: number, origin: Origin): void {
    const { words } = this.#lookup
    this.origin = origin
    this.#takeHeader(words[record + AnswerRecord.HEADER]!)
    const more = words[record + AnswerRecord.MORE_COUNTS]!
    this.#takeCounts(words[record + AnswerRecord.COUNTS]!, more >>> 16)
    this.firstMovable = more & 0xffff
    this.rotation = words[record + AnswerRecord.TYPE]! & 255
    this.ttl = words[record + AnswerRecord.TTL]! >>> 0
    this.bodyAt = entry * 4 + words[record + AnswerRecord.BODY_AT]!
    this.bodyLength = words[record + AnswerRecord.BODY_LENGTH]!
    this.pointerCount = 0
  }

  /** Takes a zone's negative template for a name of `nameLength` octets. */
  takeTemplate(template: number, rcode: number, nameLength: number): void {
    const { words } = this.#lookup
    this.origin = Origin.ZONE
    this.#takeHeader(words[template + Template.HEADER]!)
    this.rcode = rcode
    this.#takeCounts(words[template + Template.COUNTS]!, words[template + Template.ADDITIONALS]!)
    this.rotation = Rotation.NONE
    this.ttl = words[template + Template.TTL]! >>> 0
    this.pointers = template + Template.OFFSETS
    this.pointerCount = words[template + Template.POINTERS]!
    this.pointerShift = nameLength - words[template + Template.NAME_LENGTH]!
    this.bodyAt = (this.pointers + this.pointerCount) * 4
    this.bodyLength = words[template + Template.BODY_LENGTH]!
  }

  #takeHeader(header: number): void {
    this.rcode = (header >>> 16) & 15
    this.bits = (header >>> 16) & ~15
    this.copied = header & 0xffff
  }

  #takeCounts(counts: number, additionals: number): void {
    this.answers = counts >>> 16
    this.authorities = counts & 0xffff
    this.additionals = additionals
  }

  saying(): Saying {
    if (this.rcode === Rcode.NOERROR) return this.answers > 0 || !this.#isBounded() ? Saying.SUCCESS : Saying.DENIAL
    return this.rcode === Rcode.NXDOMAIN && this.answers === 0 ? Saying.DENIAL : Saying.ERROR
  }

  /** Whether caches keep it among denials, as the answer to a question for `type`: so they do with an alias that leads nowhere. */
  isKeptAsDenial(type: number): boolean {
    if (this.rcode !== Rcode.NOERROR) return true
    return this.authorities > 0 && this.#isBounded() && !this.#has(0, this.answers, type)
  }

  /** Whether a SOA says how long nothing else is to be expected (RFC 2308 section 2.2). */
  #isBounded(): boolean {
    return this.#has(this.answers, this.authorities, Type.SOA)
  }

  /** Whether a record of the type is among the `count` records from `first` on. */
  #has(first: number, count: number, type: number): boolean {
    const { octets } = this.#lookup
    let at = this.bodyAt
    for (let i = 0; i < first + count; i++) {
      const fixed = ownerEnd(octets, at)
      if (i >= first && ((octets[fixed]! << 8) | octets[fixed + 1]!) === type) return true
      at = recordEnd(octets, at)
    }
    return false
  }
}
