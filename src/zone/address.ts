/** Addresses as labels of endpoint and pod names, and as keys. Their octets and reverse names are in `wire/address.ts`. */
import type { Search } from '../cluster/packed-slice.ts'
import { addressOctets, ipv4Bits, reverseName } from '../wire/address.ts'
import { isWithin, keyFromText, labelsOf, type NameKey, ROOT } from '../wire/name.ts'

/** The zones that hold the names of addresses (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export const REVERSE_ZONES = ['in-addr.arpa.', 'ip6.arpa.'].map(text => keyFromText(text)!)

/**
 * An address whatever its text is, small enough to be kept a hundred thousand times: of IPv4 its 32 bits as a signed number, of
 * IPv6 its octets, one character each.
 */
export type AddressKey = number | string

/** Undefined for what is no address: slices may hold names. */
export function addressKey(text: string): AddressKey | undefined {
  const bits = ipv4Bits(text)
  if (bits !== undefined) return bits
  const octets = addressOctets(text)
  if (octets === undefined) return undefined
  return octets.length === 4 ? Buffer.from(octets).readInt32BE() : Buffer.from(octets).toString('latin1')
}

export function reverseNameOf(address: AddressKey): NameKey {
  return reverseName(octetsOf(address))
}

function octetsOf(address: AddressKey): Uint8Array {
  if (typeof address === 'string') return Buffer.from(address, 'latin1')
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255)
}

/** The address that a reverse name stands for; undefined where it is that of none, or not in its plain spelling. */
export function addressOfReverse(name: NameKey): AddressKey | undefined {
  const labels = labelsOf(name).slice(0, -2).reverse()
  const text = labels.length === 32 ? labels.join('').replace(/.{4}(?=.)/g, '$&:') : labels.join('.')
  const address = addressKey(text)
  return address !== undefined && reverseNameOf(address) === name ? address : undefined
}

/**
 * Finds every spelling of an address in JSON, and little else. IPv4 has one, unless there is IPv6 that it is mapped to; that ends in
 * its last 16 bits or, with dots, its last octet.
 */
export function spellings(address: AddressKey): Search {
  const octets = octetsOf(address)
  const exact = octets.length === 4 ? `"${octets.join('.')}"` : undefined
  let loose: Search | undefined
  return (json, from) =>
    exact !== undefined && !MAPPED.test(json)
      ? json.indexOf(exact, from)
      : (loose ??= looseSpellings(octets))(json, from)
}

/** In every spelling of an IPv6 address that stands for one of IPv4 (RFC 4291 section 2.5.5.2). */
const MAPPED = /ffff:/i

function looseSpellings(octets: Uint8Array): Search {
  const last = octets.at(-1)!
  const group = (octets.at(-2)! << 8) | last
  return searchFor(new RegExp(`(?::0*${group === 0 ? '' : group.toString(16)}|\\.${last})"`, 'gi'))
}

/** `pattern` is global. */
function searchFor(pattern: RegExp): Search {
  return (text, from) => {
    pattern.lastIndex = from
    return pattern.exec(text)?.index ?? -1
  }
}

/**
 * Finds in JSON every hostname, name of a pod or address that a label in lower case may stand for: `dashed` loses which sign a dash
 * was.
 */
export function namesakes(label: string): Search {
  const text = JSON.stringify(label).slice(1, -1)
  const literal = text.replace(/[^\w-]/g, sign => `\\u{${sign.charCodeAt(0).toString(16)}}`)
  return searchFor(new RegExp(`"${literal.replace(/-0$/, '-0?').replaceAll('-', '[-.:]')}"`, 'giu'))
}

/** The label that stands for an address in an endpoint's name: `10-244-0-1`, `2001-db8--1`. */
export function dashed(address: string): string {
  const label = address.replaceAll(address.includes('.') ? '.' : ':', '-')
  return label.endsWith('-') ? `${label}0` : label
}

/**
 * The address that a pod name's label stands for, as text. Exactly three dashes, none of them doubled, make an IPv4 address;
 * otherwise every dash is a colon.
 */
export function undashed(label: string): string {
  const dashes = label.split('-').length - 1
  return label.replaceAll('-', dashes === 3 && !label.includes('--') ? '.' : ':')
}

/** Whether a name lies in the reverse zones. */
export function isReverse(key: NameKey): boolean {
  return REVERSE_ZONES.some(zone => isWithin(key, zone))
}

/** Of the suffixes that plugins answer below, the zones of names: without those of addresses, the root, and what is within another. */
export function zonesOfNames(suffixes: Iterable<NameKey>): NameKey[] {
  const all = [...new Set(suffixes)].filter(zone => zone !== ROOT && !isReverse(zone))
  return all.filter(zone => !all.some(other => other !== zone && isWithin(zone, other)))
}
