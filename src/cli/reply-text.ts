/** A reply as text, in dig's layout and the presentation format of zone files (RFC 1035 section 5.1). */
import type { Answer, DecodedPacket } from 'dns-packet'
import { Bit, Opcode, rcodeName, typeName } from '../wire/types.ts'

/** The header's bits in dig's order. */
const FLAGS = ['QR', 'AA', 'TC', 'RD', 'RA', 'AD', 'CD'] as const

/** The whole reply; ends in an empty line. */
export function replyText(reply: DecodedPacket): string {
  const { id, questions = [], answers = [], authorities = [], additionals = [] } = reply
  const sections = { ANSWER: answers, AUTHORITY: authorities, ADDITIONAL: additionals }
  const counts = Object.entries({ QUERY: questions, ...sections }).map(([title, { length }]) => `${title}: ${length}`)
  const lines = [
    `;; ->>HEADER<<- opcode: ${opcodeOf(reply)}, status: ${statusOf(reply)}, id: ${id}`,
    `;; flags: ${flagsOf(reply).join(' ')}; ${counts.join(', ')}`,
    '',
    ...ednsLines(additionals),
  ]
  const asked = questions.map(({ name, type, class: klass }) => `;${nameText(name)}\t\t${klass}\t${typeText(type)}`)
  for (const [title, shown] of [['QUESTION', asked] as const, ...recordLines(sections)]) {
    if (shown.length > 0) lines.push(`;; ${title} SECTION:`, ...shown, '')
  }
  return `${lines.join('\n')}\n`
}

/** The answers' data alone, a line each. */
export function shortText({ answers = [] }: DecodedPacket): string {
  return answers.map(answer => `${dataText(answer)}\n`).join('')
}

function opcodeOf({ flags = 0 }: DecodedPacket): string {
  const number = (flags >> 11) & 15
  return Object.entries(Opcode).find(([, known]) => known === number)?.[0] ?? `OPCODE${number}`
}

/** With the upper bits that the OPT record has (RFC 6891 section 6.1.3). */
function statusOf({ flags = 0, additionals = [] }: DecodedPacket): string {
  const edns = additionals.find(record => record.type === 'OPT')
  return rcodeName(((edns?.extendedRcode ?? 0) << 4) | (flags & 15))
}

function flagsOf({ flags = 0, flag_qr }: DecodedPacket): string[] {
  // dns-packet keeps QR apart from the other bits.
  const bits = flags | (flag_qr ? Bit.QR : 0)
  return FLAGS.filter(flag => (bits & Bit[flag]) !== 0).map(flag => flag.toLowerCase())
}

function ednsLines(additionals: readonly Answer[]): string[] {
  const edns = additionals.find(record => record.type === 'OPT')
  if (edns === undefined) return []
  const flags = `flags:${edns.flag_do ? ' do' : ''}; udp: ${edns.udpPayloadSize}`
  return [';; OPT PSEUDOSECTION:', `; EDNS: version: ${edns.ednsVersion}, ${flags}`]
}

function recordLines(sections: Readonly<Record<string, readonly Answer[]>>): [string, string[]][] {
  return Object.entries(sections).map(([title, records]) => [title, records.flatMap(recordText)])
}

function recordText(record: Answer): string[] {
  if (record.type === 'OPT') return []
  const { name, ttl, class: klass, type } = record
  return [`${nameText(name)}\t${ttl}\t${klass}\t${typeText(type)}\t${dataText(record)}`]
}

function dataText(record: Answer): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.data
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR':
      return nameText(record.data)
    case 'MX':
      return `${record.data.preference} ${nameText(record.data.exchange)}`
    case 'SRV': {
      const { priority, weight, port, target } = record.data
      return `${priority} ${weight} ${port} ${nameText(target)}`
    }
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data
      return [nameText(mname), nameText(rname), serial, refresh, retry, expire, minimum].join(' ')
    }
    case 'TXT':
      return [record.data].flat().map(quoted).join(' ')
    case 'HINFO':
      return `${quoted(record.data.cpu)} ${quoted(record.data.os)}`
    case 'CAA':
      return `${record.data.flags} ${record.data.tag} ${quoted(record.data.value)}`
    case 'NAPTR': {
      const { order, preference, flags, services, regexp, replacement } = record.data
      return [order, preference, quoted(flags), quoted(services), quoted(regexp), nameText(replacement)].join(' ')
    }
    case 'OPT':
      return ''
    default:
      return fieldsText(record.data)
  }
}

/** What is in no form of its own here: its fields in order, or its octets (RFC 3597 section 5). */
function fieldsText(data: object): string {
  if (Buffer.isBuffer(data)) return `\\# ${data.length} ${data.toString('hex').toUpperCase()}`.trimEnd()
  const field = (value: unknown) =>
    Buffer.isBuffer(value) ? value.toString('hex').toUpperCase() : [value].flat().join(' ')
  return Object.values(data).map(field).join(' ')
}

function nameText(name: string): string {
  return name === '.' ? name : `${printable(name)}.`
}

function quoted(text: string | Buffer): string {
  return `"${printable(text, /["\\]|[^\x20-\x7e]/g)}"`
}

/** What a terminal would obey, or not show, as decimal numbers of octets. */
function printable(text: string | Buffer, special = /[^\x20-\x7e]/g): string {
  return Buffer.from(text)
    .toString('latin1')
    .replaceAll(special, letter =>
      letter === '"' || letter === '\\' ? `\\${letter}` : `\\${String(letter.charCodeAt(0)).padStart(3, '0')}`,
    )
}

/** dns-packet calls a type that it does not know by its number. */
function typeText(type: string): string {
  const [, number] = /^UNKNOWN_(\d+)$/.exec(type) ?? []
  return number === undefined ? type : typeName(Number(number))
}
