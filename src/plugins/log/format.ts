/**
 * The formats of query log lines: text with placeholders, resolved once into a list of functions. Which queries are logged is
 * left to `index.ts`.
 */
import type { Answer } from '../../wire/answer.ts'
import { fullSize } from '../../wire/finish.ts'
import { textFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { Bit, className, rcodeName, typeName } from '../../wire/types.ts'
import { classOf, kindOf } from './response-class.ts'

/** What a line is made from. */
export interface Exchange {
  readonly query: Query
  readonly answer: Answer
  readonly seconds: number
}

/** Writes the line of an exchange, without its end. */
export type Format = (exchange: Exchange) => string

/** CoreDNS's Common Log Format. */
const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}'
const COMBINED = `${COMMON} "{>opcode}"`

/** What stands where there is no value. */
const EMPTY = '-'

/** All placeholders by name, as in CoreDNS's `replacer`; the two of `/log/` are metadata there. */
const placeholders: Readonly<Record<string, Format>> = {
  type: ({ query }) => typeName(query.type),
  name: ({ query }) => textFromKey(query.key),
  class: ({ query }) => className(query.class),
  proto: ({ query }) => query.peer.protocol,
  size: ({ query }) => String(query.packet.length),
  remote: ({ query }) => bracketed(query.peer.address),
  port: ({ query }) => String(query.peer.port),
  local: ({ query }) => bracketed(query.peer.localAddress),
  duration: ({ seconds }) => `${secondsText(seconds)}s`,
  rcode: ({ answer }) => rcodeName(answer.rcode),
  rsize: ({ query, answer }) => String(fullSize(query, answer)),
  '>id': ({ query }) => String(query.id),
  '>opcode': ({ query }) => String(query.opcode),
  '>do': ({ query }) => String(query.dnssecOk),
  '>bufsize': ({ query }) => String(query.limit),
  '>rflags': ({ query, answer }) => flagsText(query, answer),
  '/log/class': ({ query, answer }) => classOf(kindOf(query, answer)),
  '/log/type': ({ query, answer }) => kindOf(query, answer),
}

/**
 * The format that a text describes. `{common}` and `{combined}` stand for formats of their own; what is no placeholder stays
 * as it is; metadata (`{/…}`) that nobody provides becomes `-`.
 */
export function logFormat(text: string): Format {
  const source = text.replaceAll('{common}', COMMON).replaceAll('{combined}', COMBINED)
  const parts = source.split(/(\{[^{}]*\})/).map(partOf)
  return exchange => {
    let line = ''
    for (const part of parts) line += typeof part === 'string' ? part : part(exchange)
    return line
  }
}

function partOf(text: string): string | Format {
  if (!text.startsWith('{') || !text.endsWith('}')) return text
  const name = text.slice(1, -1)
  if (Object.hasOwn(placeholders, name)) return placeholders[name]!
  return name.startsWith('/') ? EMPTY : text
}

/** The fields of a line in JSON, named as in CoreDNS. */
export function logFields({ query, answer, seconds }: Exchange): object {
  return {
    plugin: 'log',
    client_ip: query.peer.address,
    client_port: query.peer.port,
    qname: textFromKey(query.key),
    qtype: typeName(query.type),
    qclass: className(query.class),
    protocol: query.peer.protocol,
    id: query.id,
    opcode: query.opcode,
    request_size: query.packet.length,
    dnssec_ok: query.dnssecOk,
    bufsize: query.limit,
    rcode: rcodeName(answer.rcode),
    response_size: fullSize(query, answer),
    duration_seconds: seconds,
  }
}

/** IPv6 addresses in brackets, so that a port may follow. */
function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** Nanoseconds are all that a clock can tell; without exponent. */
function secondsText(seconds: number): string {
  return seconds.toFixed(9).replace(/\.?0+$/, '')
}

const flagNames: readonly (readonly [number, string])[] = [
  [Bit.AA, 'aa'],
  [Bit.TC, 'tc'],
  [Bit.RD, 'rd'],
  [Bit.RA, 'ra'],
  [Bit.Z, 'z'],
  [Bit.AD, 'ad'],
  [Bit.CD, 'cd'],
]

function flagsText(query: Query, answer: Answer): string {
  const cut = fullSize(query, answer) > query.limit ? Bit.TC : 0
  const bits = answer.bits | (query.bits & answer.copied) | cut
  let text = 'qr'
  for (const [bit, name] of flagNames) if (bits & bit) text += `,${name}`
  return text
}
