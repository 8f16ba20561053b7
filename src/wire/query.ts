/**
 * The reader of untrusted requests: bounded, allocation-light, never throws. What it accepts and how it refuses the rest is
 * what CoreDNS does (its rules stand at `readQuery`).
 */
import { lowered, MAX_NAME, type NameKey, ROOT } from './name.ts'
import { Bit, Class, DO, HEADER, Opcode, Rcode, Type } from './types.ts'

export type Protocol = 'udp' | 'tcp'

/** The two ends of an exchange as the server sees them. */
export interface Peer {
  readonly protocol: Protocol
  /** Text form, IPv4 not mapped. */
  readonly address: string
  /** Its family, from those who know it without making the text. */
  readonly isIPv6?: boolean
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
}

/** Whether a peer's address is one of IPv6. */
export function hasIPv6(peer: Peer): boolean {
  return peer.isIPv6 ?? peer.address.includes(':')
}

/** The same ends as if they spoke TCP. */
export function overTcp({ address, port, localAddress, localPort }: Peer): Peer {
  return { protocol: 'tcp', address, port, localAddress, localPort }
}

/** What the request's OPT record says (RFC 6891 section 6.1). */
export interface Edns {
  /** As advertised, also below 512. */
  readonly size: number
  readonly version: number
  /** DO and the Z bits. */
  readonly flags: number
  /** The options as they stand in the packet: start and end of the OPT record's rdata. */
  readonly optionsAt: number
  readonly optionsEnd: number
}

/** A request that was understood. Immutable; plugins that change a request pass on a copy made by `with`. */
export class Query {
  /** The request as it came; the reply repeats its question. Owned by the query. */
  readonly packet: Uint8Array
  readonly peer: Peer
  /** The header's second word. */
  readonly bits: number
  /** The name, which stands in the packet behind the header; as many characters as it has octets there. */
  readonly key: NameKey
  readonly type: number
  readonly class: number
  readonly edns: Edns | undefined
  /** The origin of the server block that serves it, set by the server. */
  readonly origin: NameKey
  /** How many queries of our own stand between the client and this one. */
  readonly depth: number

  constructor(fields: QueryFields) {
    this.packet = fields.packet
    this.peer = fields.peer
    this.bits = fields.bits
    this.key = fields.key
    this.type = fields.type
    this.class = fields.class
    this.edns = fields.edns
    this.origin = fields.origin
    this.depth = fields.depth
  }

  /** The name in wire form, letter case as asked: a view of the packet, made anew each time as most queries need none. */
  get name(): Uint8Array {
    return this.packet.subarray(HEADER, HEADER + this.key.length)
  }

  get id(): number {
    return (this.packet[0]! << 8) | this.packet[1]!
  }

  get opcode(): number {
    return (this.bits >> 11) & 15
  }

  get dnssecOk(): boolean {
    return this.edns !== undefined && (this.edns.flags & DO) !== 0
  }

  /** The size that a reply may have: what the client advertises, at least 512 over UDP; 65,535 over TCP. */
  get limit(): number {
    if (this.peer.protocol === 'tcp') return 65_535
    return this.edns && this.edns.size > 512 ? this.edns.size : 512
  }

  with({
    packet = this.packet,
    peer = this.peer,
    bits = this.bits,
    key = this.key,
    type = this.type,
    class: klass = this.class,
    edns = this.edns,
    origin = this.origin,
    depth = this.depth,
  }: Partial<QueryFields>): Query {
    // Field by field: what spreading makes of them costs five times as much memory.
    return new Query({ packet, peer, bits, key, type, class: klass, edns, origin, depth })
  }
}

export type QueryFields = Pick<
  Query,
  'packet' | 'peer' | 'bits' | 'key' | 'type' | 'class' | 'edns' | 'origin' | 'depth'
>

/**
 * A request that is not served: answered with `rcode` and, where `questionEnd` says so, its question; `rcode` undefined means
 * that nothing is sent.
 */
export interface Refusal {
  readonly rcode: number | undefined
  /** Where the question ends that the reply repeats; `HEADER` for none. */
  readonly questionEnd: number
}

const SILENCE: Refusal = { rcode: undefined, questionEnd: HEADER }
const FORMERR: Refusal = { rcode: Rcode.FORMERR, questionEnd: HEADER }
const NOTIMP: Refusal = { rcode: Rcode.NOTIMP, questionEnd: HEADER }
const EMPTY: Refusal = { rcode: Rcode.SERVFAIL, questionEnd: HEADER }

/**
 * Reads a request. As CoreDNS: silence for responses and for less than a header; NOTIMP for opcodes but QUERY and NOTIFY;
 * FORMERR for other counts than one question, at most one answer and authority, at most two additional records, and for what
 * cannot be parsed, with the question where that was read; SERVFAIL for a header alone. Octets behind the last record are
 * ignored, and so are announced records of which not one octet is there. Of two OPT records the last counts.
 */
export function readQuery(packet: Uint8Array, peer: Peer): Query | Refusal {
  const end = packet.length
  if (end < HEADER) return SILENCE
  const bits = (packet[2]! << 8) | packet[3]!
  if (bits & Bit.QR) return SILENCE
  const opcode = (bits >> 11) & 15
  if (opcode !== Opcode.QUERY && opcode !== Opcode.NOTIFY) return NOTIMP
  const answers = (packet[6]! << 8) | packet[7]!
  const authorities = (packet[8]! << 8) | packet[9]!
  const additionals = (packet[10]! << 8) | packet[11]!
  if (packet[4] !== 0 || packet[5] !== 1 || answers > 1 || authorities > 1 || additionals > 2) return FORMERR
  if (end === HEADER) return EMPTY

  let at = HEADER
  for (let length = packet[at]; length !== 0; length = packet[at]) {
    // Compression cannot occur in the first name of a message: there is nothing yet to point at.
    if (length === undefined || length > 63) return FORMERR
    at += length + 1
  }
  at++
  if (at - HEADER > MAX_NAME || at > end) return FORMERR
  const nameEnd = at
  if (at + 4 > end) {
    // A packet may end right behind the name or the type: what is missing counts as 0.
    return at === end || at + 2 === end ? readQuery(padded(packet, nameEnd + 4), peer) : FORMERR
  }
  const type = (packet[at]! << 8) | packet[at + 1]!
  const klass = (packet[at + 2]! << 8) | packet[at + 3]!
  at += 4

  let edns: Edns | undefined
  const records = answers + authorities + additionals
  const questionEnd = at
  for (let i = 0; i < records && at < end; i++) {
    const record = readRecord(packet, at, end)
    if (record === undefined) return { rcode: Rcode.FORMERR, questionEnd }
    if (record.type === Type.OPT && i >= answers + authorities) {
      if (!optionsWellFormed(packet, record.rdataAt, record.end)) return { rcode: Rcode.FORMERR, questionEnd }
      const ttlAt = record.rdataAt - 6
      edns = {
        size: record.class,
        version: packet[ttlAt + 1]!,
        flags: (packet[ttlAt + 2]! << 8) | packet[ttlAt + 3]!,
        optionsAt: record.rdataAt,
        optionsEnd: record.end,
      }
    }
    at = record.end
  }
  return new Query({
    packet,
    peer,
    bits,
    key: lowered(packet, HEADER, nameEnd),
    type,
    class: klass,
    edns,
    origin: ROOT,
    depth: 0,
  })
}

function padded(packet: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(size)
  copy.set(packet)
  return copy
}

/** One record's fixed part, or undefined where it passes the end. Owner names are skipped, not kept. */
function readRecord(packet: Uint8Array, at: number, end: number) {
  const ownerEnd = skipName(packet, at, end)
  if (ownerEnd === undefined || ownerEnd + 10 > end) return undefined
  const rdataAt = ownerEnd + 10
  const recordEnd = rdataAt + ((packet[ownerEnd + 8]! << 8) | packet[ownerEnd + 9]!)
  if (recordEnd > end) return undefined
  return {
    type: (packet[ownerEnd]! << 8) | packet[ownerEnd + 1]!,
    class: (packet[ownerEnd + 2]! << 8) | packet[ownerEnd + 3]!,
    rdataAt,
    end: recordEnd,
  }
}

/** A name has at most 127 labels, and between two of them one pointer is enough; CoreDNS follows as many. */
const MAX_POINTERS = 126

/**
 * The position behind a possibly compressed name, or undefined where the name is broken. Every pointer must go backwards, and
 * there may be only so many: otherwise a message of nothing but pointers would take its square in steps.
 */
export function skipName(packet: Uint8Array, at: number, end: number): number | undefined {
  let behind: number | undefined
  let lowest = at
  let size = 0
  let pointers = 0
  for (;;) {
    const length = at < end ? packet[at]! : 256
    if (length === 0) return behind ?? at + 1
    if (length >= 0xc0 && length < 256) {
      if (at + 1 >= end) return undefined
      const target = ((length & 0x3f) << 8) | packet[at + 1]!
      behind ??= at + 2
      if (target >= lowest || target < HEADER || ++pointers > MAX_POINTERS) return undefined
      lowest = at = target
    } else if (length <= 63) {
      size += length + 1
      if (size >= MAX_NAME) return undefined
      at += length + 1
    } else {
      return undefined
    }
  }
}

/** Whether an option's data is well formed; what is not listed may hold anything. */
const optionRules = new Map<number, (packet: Uint8Array, at: number, size: number) => boolean>([
  [1, (_packet, _at, size) => size >= 18], // LLQ (RFC 8764)
  [2, (_packet, _at, size) => size === 4 || size === 8], // UPDATE-LEASE (RFC 9664)
  [8, clientSubnetWellFormed],
  [9, (_packet, _at, size) => size === 0 || size >= 4], // EXPIRE (RFC 7314)
  [11, (_packet, _at, size) => size === 0 || size === 2], // edns-tcp-keepalive (RFC 7828)
  [15, (_packet, _at, size) => size >= 2], // Extended DNS Error (RFC 8914)
])

/** RFC 7871 section 6: family and prefix lengths that fit it. */
function clientSubnetWellFormed(packet: Uint8Array, at: number, size: number): boolean {
  if (size < 4) return false
  const family = (packet[at]! << 8) | packet[at + 1]!
  const longest = family === 1 ? 32 : family === 2 ? 128 : family === 0 ? 0 : -1
  return packet[at + 2]! <= longest && (family === 0 || packet[at + 3]! <= longest)
}

/** Options that fill the rdata exactly (RFC 6891 section 6.1.2). */
function optionsWellFormed(packet: Uint8Array, at: number, end: number): boolean {
  while (at < end) {
    if (at + 4 > end) return false
    const size = (packet[at + 2]! << 8) | packet[at + 3]!
    const next = at + 4 + size
    if (next > end) return false
    const rule = optionRules.get((packet[at]! << 8) | packet[at + 1]!)
    if (rule && !rule(packet, at + 4, size)) return false
    at = next
  }
  return true
}

/** A message with id 0 and one question, and `room` octets of zeros behind it. */
export function questionMessage(bits: number, name: Uint8Array, type: number, klass: number, room = 0): Uint8Array {
  const at = HEADER + name.length
  const message = new Uint8Array(at + 4 + room)
  message[2] = bits >> 8
  message[3] = bits & 255
  message[5] = 1
  message.set(name, HEADER)
  message[at] = type >> 8
  message[at + 1] = type & 255
  message[at + 2] = klass >> 8
  message[at + 3] = klass & 255
  return message
}

/** The client of a query that is asked because the server itself wants to know. */
export const OURSELVES: Peer = { protocol: 'udp', address: '', port: 0, localAddress: '', localPort: 0 }

/**
 * A query of our own making: for plugins that ask the chain (or an upstream) for something the client did not ask. It has the id of
 * the query that it is made like, by which log lines are told to belong together.
 */
export function makeQuery(name: Uint8Array, type: number, like: Pick<Query, 'peer'> & Partial<QueryFields>): Query {
  const bits = (like.bits ?? Bit.RD) & ~(15 << 11)
  const packet = questionMessage(bits, name, type, Class.IN)
  if (like.packet) packet.set(like.packet.subarray(0, 2))
  return new Query({
    packet,
    peer: like.peer,
    bits,
    key: lowered(name, 0, name.length),
    type,
    class: Class.IN,
    edns: like.edns && { ...like.edns, optionsAt: 0, optionsEnd: 0 },
    origin: like.origin ?? ROOT,
    depth: (like.depth ?? 0) + 1,
  })
}
