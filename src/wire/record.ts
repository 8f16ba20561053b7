/**
 * Records as values, and the way between them and compiled answers: `encode` compresses, `decode` takes apart what `encode` or
 * an upstream made. For work at the time of a change, and for plugins that edit; never between a query and a hit.
 */
import { type Answer, COPIED } from './answer.ts'
import { MAX_NAME } from './name.ts'
import { skipName } from './query.ts'
import { HEADER, Type } from './types.ts'

export interface Record {
  /**
   * The owner: its wire name, or how many octets of the question's name stand before it (0: the question's name itself), which
   * gives it the letter case of whoever asks.
   */
  readonly owner: Uint8Array | number
  readonly type: number
  readonly class: number
  /** Seconds. */
  readonly ttl: number
  /** Without compression. */
  readonly rdata: Uint8Array
}

export interface Sections {
  readonly answers: readonly Record[]
  readonly authorities: readonly Record[]
  readonly additionals: readonly Record[]
}

/** Header fields of a compiled answer; those left out are what an authoritative answer of our own has. */
export interface Header {
  readonly rcode?: number
  readonly bits?: number
  readonly copied?: number
  readonly options?: Uint8Array | undefined
}

/** Where names stand in the rdata of the types of RFC 1035, the only ones that may be compressed (RFC 3597 section 4). */
const rdataNames = new Map<number, { readonly before: number; readonly count: number }>([
  [Type.NS, { before: 0, count: 1 }],
  [Type.CNAME, { before: 0, count: 1 }],
  [Type.PTR, { before: 0, count: 1 }],
  [Type.SOA, { before: 0, count: 2 }],
  [Type.MX, { before: 2, count: 1 }],
])

/** Types whose rdata some servers compress although they should not; read with pointers followed, never written with them. */
const expandedOnly = new Map<number, { readonly before: number; readonly count: number }>([
  [Type.DNAME, { before: 0, count: 1 }],
  [Type.SRV, { before: 6, count: 1 }],
  [Type.RP, { before: 0, count: 2 }],
  [Type.AFSDB, { before: 2, count: 1 }],
  [Type.RT, { before: 2, count: 1 }],
  [Type.KX, { before: 2, count: 1 }],
])

/** Whether names stand in the rdata of a type that are looked at here. */
export function hasNames(type: number): boolean {
  return rdataNames.has(type) || expandedOnly.has(type)
}

const POINTER = 0xc000

/** Where answers are put together, one at a time; grows to the largest. */
let scratch = Buffer.allocUnsafeSlow(4096)

/** Writes into `scratch`, and remembers where each name was written. */
class Writer {
  at = 0
  readonly base: number
  /** Spelled names by their exact octets: compression must not change the letter case that clients see. */
  private readonly written = new Map<string, number>()

  constructor(base: number) {
    this.base = base
  }

  room(size: number): void {
    if (this.at + size <= scratch.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, this.at + size))
    scratch.copy(grown, 0, 0, this.at)
    scratch = grown
  }

  uint16(value: number): void {
    this.at = scratch.writeUInt16BE(value, this.at)
  }

  uint32(value: number): void {
    this.at = scratch.writeUInt32BE(value, this.at)
  }

  octets(octets: Uint8Array): void {
    scratch.set(octets, this.at)
    this.at += octets.length
  }

  /** Writes a name; with `compress` as a pointer to the longest tail that was written before. */
  name(name: Uint8Array, compress: boolean): void {
    const text = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
    let at = 0
    while (name[at] !== 0) {
      const tail = text.slice(at)
      const target = this.written.get(tail)
      if (target !== undefined && compress) {
        this.uint16(POINTER | target)
        return
      }
      const position = this.base + this.at
      if (target === undefined && position < 0x4000) this.written.set(tail, position)
      const next = at + name[at]! + 1
      while (at < next) scratch[this.at++] = name[at++]!
    }
    scratch[this.at++] = 0
  }
}

/**
 * Compiles records into an answer for questions whose name has `nameLength` octets. Owner names point at the question where
 * the record says so; other names are compressed against each other with their letter case kept; SRV targets and the rdata of
 * types after RFC 1035 are never compressed (RFC 2782, RFC 3597 section 4).
 */
export function encode(sections: Sections, nameLength: number, header: Header = {}): Answer {
  const records = [...sections.answers, ...sections.authorities, ...sections.additionals]
  const writer = new Writer(HEADER + nameLength + 4)
  // Of the exact size: what `push` keeps in reserve would add up over a zone.
  const starts = new Array<number>(records.length + 1)
  for (const [i, record] of records.entries()) {
    starts[i] = writer.at
    writer.room((typeof record.owner === 'number' ? 2 : record.owner.length) + 10 + record.rdata.length + 1)
    if (typeof record.owner === 'number') writer.uint16(POINTER | (HEADER + record.owner))
    else writer.name(record.owner, true)
    writer.uint16(record.type)
    writer.uint16(record.class)
    writer.uint32(record.ttl)
    const lengthAt = writer.at
    writer.at += 2
    writeRdata(writer, record)
    scratch.writeUInt16BE(writer.at - lengthAt - 2, lengthAt)
  }
  starts[records.length] = writer.at
  return {
    rcode: header.rcode ?? 0,
    bits: header.bits ?? 0,
    copied: header.copied ?? COPIED,
    answers: sections.answers.length,
    authorities: sections.authorities.length,
    additionals: sections.additionals.length,
    // Not a Buffer, whose `slice` would share its octets.
    body: new Uint8Array(scratch.subarray(0, writer.at)),
    starts,
    nameLength,
    options: header.options,
  }
}

function writeRdata(writer: Writer, record: Record): void {
  const names = rdataNames.get(record.type)
  const spelled = record.type === Type.SRV ? expandedOnly.get(Type.SRV) : undefined
  const layout = names ?? spelled
  if (layout === undefined || record.rdata.length < layout.before) {
    writer.octets(record.rdata)
    return
  }
  let at = layout.before
  writer.octets(record.rdata.subarray(0, at))
  for (let i = 0; i < layout.count; i++) {
    const end = endOfName(record.rdata, at)
    if (end === undefined) break
    writer.name(record.rdata.subarray(at, end), names !== undefined)
    at = end
  }
  writer.octets(record.rdata.subarray(at))
}

/** The position behind an uncompressed name; undefined where it passes the end. */
function endOfName(octets: Uint8Array, at: number): number | undefined {
  for (let length = octets[at]; length !== undefined && length <= 63; length = octets[at]) {
    at += length + 1
    if (length === 0) return at
  }
  return undefined
}

/**
 * Takes a compiled answer apart again, given the question's name that it is to answer; owners come out spelled in full.
 * Undefined where a name is broken, or a record too long without compression (only possible in what an upstream sent).
 */
export function decode(answer: Answer, name: Uint8Array): Sections | undefined {
  const base = HEADER + name.length + 4
  const message = Buffer.alloc(base + answer.body.length)
  message.set(name, HEADER)
  message.set(answer.body, base)
  const records: Record[] = []
  for (let i = 0; i < answer.starts.length - 1; i++) {
    const record = readRecord(message, base + answer.starts[i]!, base + answer.starts[i + 1]!)
    if (record === undefined) return undefined
    records.push(record)
  }
  const { answers, authorities } = answer
  return {
    answers: records.slice(0, answers),
    authorities: records.slice(answers, answers + authorities),
    additionals: records.slice(answers + authorities),
  }
}

function readRecord(message: Buffer, at: number, end: number): Record | undefined {
  const owner = expandedName(message, at, end)
  const fixed = skipName(message, at, end)
  if (owner === undefined || fixed === undefined || fixed + 10 > end) return undefined
  const type = message.readUInt16BE(fixed)
  const rdata = expandedRdata(message, type, fixed + 10, end)
  // With its pointers followed it may be longer than a record can say.
  if (rdata === undefined || rdata.length > 0xffff) return undefined
  return { owner, type, class: message.readUInt16BE(fixed + 2), ttl: message.readUInt32BE(fixed + 4), rdata }
}

function expandedRdata(message: Buffer, type: number, at: number, end: number): Uint8Array | undefined {
  const layout = rdataNames.get(type) ?? expandedOnly.get(type)
  if (layout === undefined || end === at) return message.subarray(at, end)
  const parts: Uint8Array[] = [message.subarray(at, at + layout.before)]
  at += layout.before
  for (let i = 0; i < layout.count; i++) {
    const name = expandedName(message, at, end)
    const next = skipName(message, at, end)
    if (name === undefined || next === undefined) return undefined
    parts.push(name)
    at = next
  }
  parts.push(message.subarray(at, end))
  return Buffer.concat(parts)
}

/** Where names are expanded, one at a time: a view of each label took three times as long. */
const expanded = new Uint8Array(MAX_NAME)

/** A name of the message with its compression pointers followed; undefined where it is broken. */
export function expandedName(message: Uint8Array, at: number, end: number): Uint8Array | undefined {
  if (skipName(message, at, end) === undefined) return undefined
  let size = 0
  for (;;) {
    const length = message[at]!
    if (length >= 0xc0) {
      at = ((length & 0x3f) << 8) | message[at + 1]!
      continue
    }
    for (const next = at + length + 1; at < next; at++) expanded[size++] = message[at]!
    if (length === 0) return expanded.slice(0, size)
  }
}
