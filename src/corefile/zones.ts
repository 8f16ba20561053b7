/**
 * Zones as people write them in a Corefile (`Example.ORG`, `.`, `10.0.0.0/23`) as the names they stand for. Where a zone may
 * stand, and with which port, is left to `keys.ts` and `directive.ts`.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import ipaddr from 'ipaddr.js'
import { keyFromText, type NameKey } from '../wire/name.ts'

/** The zones that a text stands for (several for a network off an octet boundary), or what is wrong with it. */
export type ZonesResult = { readonly zones: NameKey[] } | { readonly problem: string }

/**
 * A domain name or a network in CIDR notation. A network becomes the reverse zones that cover it: those of its octets
 * (IPv4) or nibbles (IPv6), and where the prefix ends within one, one zone for each value (10.0.0.0/23 becomes
 * `0.0.10.in-addr.arpa.` and `1.0.10.in-addr.arpa.`), as CoreDNS has it.
 */
export function zonesFromText(text: string): ZonesResult {
  const slash = text.lastIndexOf('/')
  if (slash > 0 && (isIPv4(text.slice(0, slash)) || text.slice(0, slash).includes(':')))
    return reverseZones(text, slash)
  const zone = domainFromText(text)
  return zone === undefined ? { problem: problemOf(text) } : { zones: [zone] }
}

/** A domain name; undefined for what is none, and for what CoreDNS takes for one but nobody means (`a.org,b.org`, `a.org{`). */
export function domainFromText(text: string): NameKey | undefined {
  return text === '' || /[\s:,{}]|[^\0-\x7f]/.test(text) ? undefined : keyFromText(text)
}

function problemOf(text: string): string {
  if (text === '') return 'a zone must not be empty'
  const complaint = `"${text}" is not a domain name`
  if (/[{}]/.test(text)) return `${complaint}: a brace needs a space before it`
  if (text.includes(',')) return `${complaint}: a comma needs a space behind it`
  if (/\s/.test(text)) return `${complaint}: it has white space in it`
  if (text.includes(':')) return `${complaint}: ":" may only stand before a port`
  const ascii = /[^\0-\x7f]/.test(text) ? domainToASCII(text) : ''
  return ascii === ''
    ? `${complaint}: labels have 1 to 63 letters, a name at most 255`
    : `${complaint}: in the letters that DNS has it is "${ascii}"`
}

function reverseZones(text: string, slash: number): ZonesResult {
  const address = text.slice(0, slash)
  const prefix = /^\d{1,3}$/.test(text.slice(slash + 1)) ? Number(text.slice(slash + 1)) : Number.NaN
  const four = isIPv4(address)
  if ((!four && (!isIPv6(address) || address.includes('%'))) || !(prefix <= (four ? 32 : 128))) {
    return { problem: `"${text}" is not a network: a full address and a prefix length, such as 10.0.0.0/8` }
  }
  // CoreDNS refuses these, which reach into special IPv6 ranges or cannot be told from a port.
  if (!four && /^[:0]/.test(address)) return { problem: `"${text}" is not a network that can be served` }
  const octets = ipaddr.parse(address).toByteArray()
  const digits = four ? octets : octets.flatMap(octet => [octet >> 4, octet & 15])
  const bits = four ? 8 : 4
  const whole = digits.slice(0, Math.floor(prefix / bits))
  const suffix = four ? 'in-addr.arpa' : 'ip6.arpa'
  const name = (parts: number[]): NameKey =>
    keyFromText([...parts.map(part => part.toString(four ? 10 : 16)).reverse(), suffix].join('.'))!
  const open = bits - (prefix % bits)
  if (open === bits) return { zones: [name(whole)] }
  const first = (digits[whole.length]! >> open) << open
  return { zones: Array.from({ length: 1 << open }, (_, index) => name([...whole, first + index])) }
}
