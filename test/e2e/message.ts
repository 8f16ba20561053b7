/**
 * DNS messages as the comparison needs them: a small decoder that shares nothing with the server's own, and the bytes of questions.
 * Names are text in which every byte other than letters, digits, `-`, `_`, `*` and `/` is written `\DDD`, so that odd ones survive.
 */

export interface ResourceRecord {
  readonly owner: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  /** Text for types whose data holds names or an IPv4 address, hex for all others. */
  readonly data: string
}

export interface Edns {
  readonly size: number
  readonly version: number
  readonly dnssecOk: boolean
  /** The flags other than DO. */
  readonly z: number
  /** `code:hex` of each option. */
  readonly options: readonly string[]
}

export const flagBits = { QR: 0x8000, AA: 0x400, TC: 0x200, RD: 0x100, RA: 0x80, Z: 0x40, AD: 0x20, CD: 0x10 } as const
export type Flag = keyof typeof flagBits

export const sectionNames = ['answer', 'authority', 'additional'] as const
export type SectionName = (typeof sectionNames)[number]

export interface Message {
  readonly flags: number
  readonly opcode: number
  /** With the upper bits that OPT holds. */
  readonly rcode: number
  /** `name class type` of each question. */
  readonly questions: readonly string[]
  /** Every OPT record of the additional section. */
  readonly edns: readonly Edns[]
  /** The records of each section without OPT. */
  readonly sections: Readonly<Record<SectionName, readonly ResourceRecord[]>>
  /** Length of the whole in bytes. */
  readonly size: number
  /** Bytes behind the last record. */
  readonly trailing: number
}

export const types = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  DNSKEY: 48,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
  TYPE0: 0,
  TYPE65400: 65400,
} as const
export type TypeName = keyof typeof types

const typeNames = new Map<number, string>(Object.entries(types).map(([name, type]) => [type, name]))

/** The usual name of a type, TYPEn where it has none here. */
export function typeName(type: number): string {
  return typeNames.get(type) ?? `TYPE${type}`
}

/** Reads a message; returns what is wrong with it where it cannot be read. */
export function decode(bytes: Buffer): Message | string {
  try {
    return new Reader(bytes).message()
  } catch (error) {
    if (error instanceof RangeError) return `malformed: ${error.message}`
    throw error
  }
}

/** Bytes of data that come before the names, and how many names there are. */
const namesInData = new Map<number, { before: number; names: number }>([
  [types.NS, { before: 0, names: 1 }],
  [types.CNAME, { before: 0, names: 1 }],
  [types.SOA, { before: 0, names: 2 }],
  [types.PTR, { before: 0, names: 1 }],
  [types.MX, { before: 2, names: 1 }],
  [types.SRV, { before: 6, names: 1 }],
  [types.DNAME, { before: 0, names: 1 }],
])

// Reading past the end throws RangeError, which is what Buffer's own methods do.
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  message(): Message {
    this.#at = 2
    const flags = this.#u16()
    const counts = [this.#u16(), this.#u16(), this.#u16(), this.#u16()] as const
    const questions = Array.from({ length: counts[0] }, () => {
      const name = this.#name()
      const type = typeName(this.#u16())
      return `${name} ${this.#u16()} ${type}`
    })
    const edns: Edns[] = []
    let upperRcode = 0
    const section = (count: number): ResourceRecord[] => {
      const records: ResourceRecord[] = []
      for (let left = count; left > 0; left--) {
        const record = this.#record()
        if (record.type !== types.OPT) records.push(record)
        else {
          upperRcode = record.ttl >>> 24
          edns.push(ednsOf(record))
        }
      }
      return records
    }
    const sections = { answer: section(counts[1]), authority: section(counts[2]), additional: section(counts[3]) }
    return {
      flags,
      opcode: (flags >> 11) & 15,
      rcode: (upperRcode << 4) | (flags & 15),
      questions,
      edns,
      sections,
      size: this.#bytes.length,
      trailing: this.#bytes.length - this.#at,
    }
  }

  #record(): ResourceRecord {
    const owner = this.#name()
    const type = this.#u16()
    const recordClass = this.#u16()
    const ttl = this.#bytes.readUInt32BE(this.#skip(4))
    const end = this.#u16() + this.#at
    if (end > this.#bytes.length) throw new RangeError('data runs past the end')
    const data = this.#data(type, end)
    this.#at = end
    return { owner, type, class: recordClass, ttl, data }
  }

  #data(type: number, end: number): string {
    const layout = namesInData.get(type)
    if (layout === undefined) {
      const raw = this.#bytes.subarray(this.#at, end)
      return type === types.A && raw.length === 4 ? raw.join('.') : raw.toString('hex')
    }
    const parts: string[] = []
    for (let n = 0; n < layout.before; n += 2) parts.push(String(this.#u16()))
    for (let n = 0; n < layout.names; n++) parts.push(this.#name())
    for (; this.#at + 4 <= end; ) parts.push(String(this.#bytes.readUInt32BE(this.#skip(4))))
    if (this.#at !== end) throw new RangeError('data has another length than its names')
    return parts.join(' ')
  }

  #name(): string {
    let text = ''
    let behind = -1
    for (let jumps = 0; ; ) {
      const length = this.#bytes.readUInt8(this.#skip(1))
      if (length === 0) break
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.#bytes.readUInt8(this.#skip(1))
        if (behind < 0) behind = this.#at
        if (++jumps > 64) throw new RangeError('name loops')
        this.#at = target
      } else if (length > 63) throw new RangeError('unknown kind of label')
      else {
        const start = this.#skip(length)
        if (this.#at > this.#bytes.length) throw new RangeError('label runs past the end')
        for (const byte of this.#bytes.subarray(start, this.#at)) text += written(byte)
        text += '.'
      }
    }
    if (behind >= 0) this.#at = behind
    return text === '' ? '.' : text
  }

  #u16(): number {
    return this.#bytes.readUInt16BE(this.#skip(2))
  }

  #skip(count: number): number {
    const at = this.#at
    this.#at += count
    return at
  }
}

function written(byte: number): string {
  const character = String.fromCharCode(byte)
  return /[\w*/-]/.test(character) ? character : `\\${String(byte).padStart(3, '0')}`
}

function ednsOf(record: ResourceRecord): Edns {
  const data = Buffer.from(record.data, 'hex')
  const options: string[] = []
  for (let at = 0; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2)
    options.push(`${data.readUInt16BE(at)}:${data.toString('hex', at + 4, at + 4 + length)}`)
    at += 4 + length
  }
  return {
    size: record.class,
    version: (record.ttl >>> 16) & 255,
    dnssecOk: (record.ttl & 0x8000) !== 0,
    z: record.ttl & 0x7fff,
    options: options.sort(),
  }
}

/** The bytes of a name in text; `\DDD` and `\c` are as in zone files. */
export function nameBytes(text: string): Buffer {
  const labels: number[][] = [[]]
  for (const [, decimal, escaped, plain] of text.replace(/\.$/, '').matchAll(/\\(\d{3})|\\(.)|([^\\])/gs)) {
    if (plain === '.') labels.push([])
    else labels.at(-1)!.push(decimal === undefined ? (escaped ?? plain!).charCodeAt(0) : Number(decimal))
  }
  const written = labels.filter(label => label.length > 0)
  return Buffer.concat([...written.map(label => Buffer.from([label.length, ...label])), Buffer.from([0])])
}

export interface QueryOptions {
  readonly flags?: number
  readonly class?: number
  readonly edns?: { readonly size: number; readonly ttl?: number; readonly options?: Buffer }
}

/** A query with id 0, RD set unless other flags are given. */
export function queryBytes(name: string, type: number, options: QueryOptions = {}): Buffer {
  const { flags = flagBits.RD, class: queryClass = 1, edns } = options
  const question = Buffer.concat([nameBytes(name), words(type, queryClass)])
  if (edns === undefined) return Buffer.concat([words(0, flags, 1, 0, 0, 0), question])
  return Buffer.concat([words(0, flags, 1, 0, 0, 1), question, optBytes(edns)])
}

/** An OPT record; `ttl` holds the upper rcode bits, version and flags. */
export function optBytes({ size, ttl = 0, options = Buffer.alloc(0) }: NonNullable<QueryOptions['edns']>): Buffer {
  return Buffer.concat([Buffer.from([0]), words(types.OPT, size, ttl >>> 16, ttl & 0xffff, options.length), options])
}

/** 16-bit numbers in network order. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  values.forEach((value, n) => {
    bytes.writeUInt16BE(value, n * 2)
  })
  return bytes
}
