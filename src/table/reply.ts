/**
 * Makes a reply of a request, where it stands, from an answer in the arena: octet for octet what `wire/finish.ts` makes of one in
 * ordinary memory, and before that what plugins do to the order and the time to live of records.
 */
import { ownerEnd, recordEnd } from '../wire/answer.ts'
import { ECHOED_FLAGS, OPT_SIZE, writeOpt } from '../wire/finish.ts'
import { Bit, HEADER } from '../wire/types.ts'
import { AS_STORED, type Found } from './found.ts'
import { Rotation } from './layout.ts'
import type { Lookup } from './lookup.ts'
import type { Question } from './question.ts'
import { type Random, shuffle } from './shuffle.ts'

/** More records of eleven octets, which is the least, no message has. */
const MOST_RECORDS = Math.floor(65_535 / 11)

export class ReplyWriter {
  readonly #octets: Uint8Array
  readonly #packets: DataView
  readonly #lookup: Lookup
  readonly #random: Random
  /** Where each record starts in the arena and the last ends, and the order in which they are told. */
  readonly #starts = new Int32Array(MOST_RECORDS + 1)
  readonly #order = new Uint16Array(MOST_RECORDS)
  /** Records that were kept, and where the last of them ends in the reply. */
  #kept = 0
  #end = 0

  /** Writes into `octets`, where the requests stand. */
  constructor(octets: Uint8Array, lookup: Lookup, random: Random) {
    this.#octets = octets
    this.#packets = new DataView(octets.buffer, octets.byteOffset, octets.length)
    this.#lookup = lookup
    this.#random = random
  }

  /**
   * Turns the request at `at`, which was read as `question`, into its reply of at most `limit` octets and returns its length.
   * `size` is what OPT repeats.
   */
  write(question: Question, found: Found, at: number, limit: number, size: number): number {
    const packets = this.#packets
    const bodyAt = at + HEADER + question.nameLength + 4
    const bodyMost = at + limit - (question.edns ? OPT_SIZE : 0)
    if (found.rotation === Rotation.SHUFFLE) this.#copyShuffled(found, bodyAt, bodyMost)
    else this.#copy(found, bodyAt, bodyMost)
    const kept = this.#kept
    if (found.pointerCount !== 0) this.#shiftPointers(found, bodyAt)
    if (found.toldTtl !== AS_STORED) this.#writeTtl(bodyAt, found.toldTtl)
    const cut = kept < found.records ? Bit.TC : 0
    const answers = Math.min(kept, found.answers)
    const authorities = Math.min(kept - answers, found.authorities)
    const additionals = kept - answers - authorities + (question.edns ? 1 : 0)
    packets.setUint16(at + 2, Bit.QR | found.bits | (question.bits & found.copied) | cut | found.rcode)
    packets.setInt32(at + 4, 0x0001_0000 | answers)
    packets.setInt32(at + 8, (authorities << 16) | additionals)
    let end = this.#end
    if (question.edns) end = writeOpt(this.#octets, end, size, 0, question.flags & ECHOED_FLAGS, undefined)
    return end - at
  }

  /** Copies the records in the order they are stored, up to the first that would pass `most`. */
  #copy(found: Found, to: number, most: number): void {
    let { records: kept, bodyLength: length } = found
    if (to + length > most) {
      const { octets } = this.#lookup
      const limit = found.bodyAt + most - to
      let next = found.bodyAt
      kept = 0
      for (let end = recordEnd(octets, next); end <= limit; end = recordEnd(octets, next)) {
        next = end
        kept++
      }
      length = next - found.bodyAt
    }
    this.#copyOctets(found.bodyAt, length, to)
    this.#kept = kept
    this.#end = to + length
  }

  /** Copies the records with their addresses shuffled, up to the first that would pass `most`. */
  #copyShuffled(found: Found, to: number, most: number): void {
    const starts = this.#starts
    const order = this.#order
    const { octets } = this.#lookup
    const { records, answers, firstMovable: first } = found
    let next = found.bodyAt
    for (let i = 0; i < records; i++) {
      starts[i] = next
      order[i] = i
      next = recordEnd(octets, next)
    }
    starts[records] = next
    const authorityEnd = answers + found.authorities
    shuffle(order, first, answers, this.#random)
    shuffle(order, Math.max(first, answers), authorityEnd, this.#random)
    shuffle(order, Math.max(first, authorityEnd), records, this.#random)
    let kept = 0
    for (; kept < records; kept++) {
      const from = starts[order[kept]!]!
      const length = starts[order[kept]! + 1]! - from
      if (to + length > most) break
      this.#copyOctets(from, length, to)
      to += length
    }
    this.#kept = kept
    this.#end = to
  }

  /** Four octets at a time: for the few hundred that a reply has, faster than a copy by the engine and twice as fast as one by one. */
  #copyOctets(from: number, length: number, to: number): void {
    const packets = this.#packets
    const { words, octets } = this.#lookup
    const first = from >> 2
    const shift = (from & 3) * 8
    const whole = length >> 2
    if (shift === 0) {
      for (let i = 0; i < whole; i++) packets.setInt32(to + i * 4, words[first + i]!, true)
    } else {
      for (let i = 0; i < whole; i++) {
        packets.setInt32(to + i * 4, (words[first + i]! >>> shift) | (words[first + i + 1]! << (32 - shift)), true)
      }
    }
    for (let i = whole * 4; i < length; i++) this.#octets[to + i] = octets[from + i]!
  }

  /** Has the pointers of the records that were kept point where the question's name, in its length, has what they mean. */
  #shiftPointers({ pointers, pointerCount, pointerShift }: Found, bodyAt: number): void {
    if (pointerShift === 0) return
    const packets = this.#packets
    const { words } = this.#lookup
    for (let i = 0; i < pointerCount; i++) {
      const at = bodyAt + words[pointers + i]!
      if (at < this.#end) packets.setUint16(at, packets.getUint16(at) + pointerShift)
    }
  }

  #writeTtl(at: number, ttl: number): void {
    const octets = this.#octets
    for (let i = this.#kept; i > 0; i--) {
      const fixed = ownerEnd(octets, at)
      this.#packets.setInt32(fixed + 4, ttl)
      at = fixed + 10 + ((octets[fixed + 8]! << 8) | octets[fixed + 9]!)
    }
  }
}
