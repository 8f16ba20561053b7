/** Answers as text and text as answers: `a.test. 300 IN A 192.0.2.1`, types A AAAA CNAME NS PTR MX SRV SOA TXT. */
import { addressOctets } from '../../src/wire/address.ts'
import type { Answer } from '../../src/wire/answer.ts'
import { nameFromText, nameToText } from '../../src/wire/name.ts'
import type { Query } from '../../src/wire/query.ts'
import { decode, encode, type Header, type Record } from '../../src/wire/record.ts'
import { Bit, className, rcodeName, Type, typeName, typeNumber } from '../../src/wire/types.ts'

/** Rdata as fields: `n` a name, `1`, `2` and `4` numbers of so many octets, `a` an address, `t` a text. */
const layouts: { readonly [type: number]: string } = {
  [Type.A]: 'a',
  [Type.AAAA]: 'a',
  [Type.CNAME]: 'n',
  [Type.NS]: 'n',
  [Type.PTR]: 'n',
  [Type.MX]: '2n',
  [Type.SRV]: '222n',
  [Type.SOA]: 'nn44444',
  [Type.TXT]: 't',
}

export function record(text: string): Record {
  const [owner, ttl, klass, type, ...fields] = text.split(/\s+/)
  const number = typeNumber(type!)!
  const parts = [...(layouts[number] ?? '')].map((kind, i) => octets(kind, fields[i]!))
  return {
    owner: nameFromText(owner!)!,
    type: number,
    class: klass === 'CH' ? 3 : 1,
    ttl: Number(ttl),
    rdata: Buffer.concat(parts),
  }
}

function octets(kind: string, field: string): Uint8Array {
  if (kind === 'n') return nameFromText(field)!
  if (kind === 'a') return addressOctets(field)!
  if (kind === 't') return Buffer.from(`${String.fromCharCode(field.length)}${field}`, 'latin1')
  const bytes = Buffer.alloc(Number(kind))
  bytes.writeUIntBE(Number(field), 0, Number(kind))
  return bytes
}

export interface Texts {
  readonly answers?: readonly string[]
  readonly authorities?: readonly string[]
  readonly additionals?: readonly string[]
}

/** A compiled answer to `query`; owners that are spelled as the question is point at it. */
export function answerTo(query: Pick<Query, 'name'>, texts: Texts, header: Header = {}): Answer {
  const records = (section: readonly string[] = []) =>
    section.map(record).map(made => {
      const same = Buffer.from(query.name).equals(made.owner as Uint8Array)
      return same ? { ...made, owner: 0 } : made
    })
  const { answers, authorities, additionals } = texts
  return encode(
    { answers: records(answers), authorities: records(authorities), additionals: records(additionals) },
    query.name.length,
    header,
  )
}

/** The answer as whoever asked `query` reads it: `rcode …` with its fixed bits, then records, `=`, `@` and `+` for the sections. */
export function shown(answer: Answer, query: Pick<Query, 'name'>): string[] {
  const sections = decode(answer, query.name)
  if (sections === undefined) return ['broken']
  const bits = (['AA', 'TC', 'RD', 'RA', 'AD', 'CD'] as const).filter(bit => answer.bits & Bit[bit])
  return [
    ['rcode', rcodeName(answer.rcode), ...bits].join(' '),
    ...sections.answers.map(made => `= ${recordText(made)}`),
    ...sections.authorities.map(made => `@ ${recordText(made)}`),
    ...sections.additionals.map(made => `+ ${recordText(made)}`),
  ]
}

function recordText({ owner, type, class: klass, ttl, rdata }: Record): string {
  return [nameToText(owner as Uint8Array), ttl, className(klass), typeName(type), ...rdataFields(type, rdata)].join(' ')
}

function rdataFields(type: number, rdata: Uint8Array): string[] {
  const bytes = Buffer.from(rdata)
  const layout = layouts[type]
  if (layout === undefined) return [bytes.toString('hex')]
  let at = 0
  return [...layout].map(kind => {
    if (kind === 'a') return addressText(bytes)
    if (kind === 't') return bytes.toString('latin1', 1)
    const start = at
    if (kind === 'n') {
      while (bytes[at] !== 0) at += bytes[at]! + 1
      at++
      return nameToText(bytes, start)
    }
    at += Number(kind)
    return String(bytes.readUIntBE(start, Number(kind)))
  })
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
