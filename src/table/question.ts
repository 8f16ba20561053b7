/**
 * The question of a request that an answer thread may answer: read where it stands, with its name lowered for look-ups. What is in
 * the least unusual is left to `wire/query.ts`, through the control thread.
 */
import { OPT_SIZE } from '../wire/finish.ts'
import { MAX_NAME } from '../wire/name.ts'
import { Bit, Class, DO, HEADER, Type } from '../wire/types.ts'

/** What is to be done with a request whose question was looked at. */
export const Reading = {
  /** It is understood. */
  READ: 1,
  /** Nothing is sent. */
  DROP: 0,
  /** The control thread is to be asked. */
  ASK: -1,
} as const
export type Reading = (typeof Reading)[keyof typeof Reading]

/** The most labels of a name that is understood, the root not counted. */
const MAX_LABELS = 63
/** A header, the root's name, type and class. */
const SHORTEST = HEADER + 5
const OPCODE_BITS = 0x7800
/** The two words behind the header's first, as numbers of 32 bits: one question, no answers; no authority, and additional records. */
const ONE_QUESTION = 0x0001_0000
const COOKIE = 10
const PADDING = 12

/** Read anew for each request; the arrays are always the same ones. */
export class Question {
  /** The name with A to Z lowered, as words, the last of them filled up with zeros; behind it stands what was there before. */
  readonly words = new Int32Array(65)
  readonly view = new DataView(this.words.buffer)
  /** Where each label starts in the name, the root's last. */
  readonly starts = new Uint8Array(MAX_LABELS + 1)
  /** The octets of the name, the root's included, and its labels, the root's not. */
  nameLength = 0
  labels = 0
  type = 0
  /** The header's second word. */
  bits = 0
  /** Whether there is an OPT record; its size as advertised and its flags, 0 where there is none. */
  edns = false
  size = 0
  flags = 0
  #nameAt = 0
  readonly #octets: Uint8Array
  readonly #packets: DataView

  /** Reads requests that stand in `octets`. */
  constructor(octets: Uint8Array) {
    this.#octets = octets
    this.#packets = new DataView(octets.buffer, octets.byteOffset, octets.length)
  }

  get id(): number {
    return this.#packets.getUint16(this.#nameAt - HEADER)
  }

  get dnssecOk(): boolean {
    return (this.flags & DO) !== 0
  }

  /** Whether the first two labels are spelled like those of a port (RFC 2782): `_http._tcp`. */
  get isPort(): boolean {
    return this.#isUnderscored(0) && this.#isUnderscored(this.starts[1]!)
  }

  #isUnderscored(start: number): boolean {
    const at = this.#nameAt + start
    return this.#octets[at]! > 1 && this.#octets[at + 1] === 0x5f
  }

  /** Whether the name was asked in the same letter case as the one that stands in `words` from `at` on, which is equal otherwise. */
  isSpelled(words: Int32Array, at: number): boolean {
    const { nameLength } = this
    const packets = this.#packets
    const whole = nameLength >> 2
    for (let i = 0; i < whole; i++) if (packets.getInt32(this.#nameAt + i * 4, true) !== words[at + i]) return false
    const mask = (1 << ((nameLength & 3) * 8)) - 1
    return mask === 0 || (packets.getInt32(this.#nameAt + whole * 4, true) & mask) === words[at + whole]
  }

  /** Whether a label, or the root, starts there in the name. */
  startsLabel(at: number): boolean {
    const { starts } = this
    let i = this.labels
    while (i > 0 && starts[i]! > at) i--
    return starts[i] === at
  }

  /** Reads the request of `length` octets at `at`, and not one octet more. */
  read(at: number, length: number): Reading {
    if (length < HEADER) return Reading.DROP
    const octets = this.#octets
    const packets = this.#packets
    const bits = packets.getUint16(at + 2)
    if ((bits & Bit.QR) !== 0) return Reading.DROP
    if ((bits & OPCODE_BITS) !== 0 || length < SHORTEST || packets.getInt32(at + 4) !== ONE_QUESTION) return Reading.ASK
    const additionals = packets.getInt32(at + 8)
    const end = at + length
    const nameAt = at + HEADER
    // The root's octet stands there at last: with type and class behind it.
    const last = Math.min(end - 5, nameAt + MAX_NAME - 1)
    const { starts } = this
    let next = nameAt
    let labels = 0
    for (let size = octets[next]!; size !== 0; size = octets[next]!) {
      if (size > 63 || labels === MAX_LABELS) return Reading.ASK
      starts[labels++] = next - nameAt
      next += size + 1
      if (next > last) return Reading.ASK
    }
    starts[labels] = next - nameAt
    const type = packets.getUint16(next + 1)
    if (packets.getUint16(next + 3) !== Class.IN || !isPlain(type)) return Reading.ASK
    if (additionals === 0) {
      if (next + 5 !== end) return Reading.ASK
      this.edns = false
      this.size = 0
      this.flags = 0
    } else if (additionals !== 1 || !this.#readEdns(next + 5, end)) {
      return Reading.ASK
    }
    this.bits = bits
    this.#nameAt = nameAt
    this.type = type
    this.labels = labels
    this.nameLength = next + 1 - nameAt
    this.#lower(nameAt)
    return Reading.READ
  }

  /** Reads an OPT record of version 0 (RFC 6891 section 6.1) that stands at `at` and ends the packet; false for everything else. */
  #readEdns(at: number, end: number): boolean {
    const packets = this.#packets
    // The root, as owner, and version 0.
    if (at + OPT_SIZE > end || this.#octets[at] !== 0 || this.#octets[at + 6] !== 0) return false
    if (packets.getUint16(at + 1) !== Type.OPT || at + OPT_SIZE + packets.getUint16(at + 9) !== end) return false
    if (at + OPT_SIZE !== end && !this.#optionsHarmless(at + OPT_SIZE, end)) return false
    this.edns = true
    this.size = packets.getUint16(at + 3)
    this.flags = packets.getUint16(at + 7)
    return true
  }

  /** Whether the options are well formed and none asks for anything in the reply. */
  #optionsHarmless(at: number, end: number): boolean {
    const packets = this.#packets
    while (at + 4 <= end) {
      const code = packets.getUint16(at)
      const size = packets.getUint16(at + 2)
      // RFC 7873 section 4: the client's cookie, and behind it the server's if it knows one.
      if (code === COOKIE ? size !== 8 && (size < 16 || size > 40) : code !== PADDING) return false
      at += 4 + size
    }
    return at === end
  }

  /** Lowers the name four octets at a time. Type and class stand behind it, so that the last four are inside the packet. */
  #lower(nameAt: number): void {
    const { words, nameLength } = this
    const packets = this.#packets
    const whole = nameLength >> 2
    for (let i = 0; i < whole; i++) words[i] = lowered(packets.getInt32(nameAt + i * 4, true))
    const rest = (nameLength & 3) * 8
    if (rest !== 0) words[whole] = lowered(packets.getInt32(nameAt + whole * 4, true)) & ((1 << rest) - 1)
  }
}

/** Types that are asked of a name's own zone, and answered with records of the name. */
function isPlain(type: number): boolean {
  return type !== Type.DS && type !== Type.OPT && (type < Type.TKEY || type > 254)
}

/** Four octets with A to Z lowered; a length octet never looks like a letter. */
function lowered(four: number): number {
  const low = four & 0x7f7f7f7f
  // Both sums have the octet's highest bit where it is a letter or more, or more than Z.
  const upper = ((low + 0x3f3f3f3f) | 0) & ~((low + 0x25252525) | 0) & ~four & 0x80808080
  return four | (upper >>> 2)
}
