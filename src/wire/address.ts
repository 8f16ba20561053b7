/**
 * Network addresses between their text form and the octets that records carry.
 */
import { isIP, isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { keyFromText, type NameKey } from './name.ts'
import { Type } from './types.ts'

/**
 * The 4 or 16 octets of an address; undefined where the text is none (a zone identifier such as `%eth0` is not part of one). An
 * IPv4-mapped IPv6 address is the IPv4 address it stands for, as Go has it.
 */
export function addressOctets(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (isIP(text) === 0 || text.includes('%')) return undefined
  const address = ipaddr.IPv6.parse(text)
  return Uint8Array.from((address.isIPv4MappedAddress() ? address.toIPv4Address() : address).toByteArray())
}

/** The record type that carries an address of so many octets. */
export function addressType(octets: Uint8Array): number {
  return octets.length === 4 ? Type.A : Type.AAAA
}

/** The name that PTR records of an address stand at (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export function reverseName(octets: Uint8Array): NameKey {
  const labels =
    octets.length === 4 ? [...octets].reverse().map(String) : [...Buffer.from(octets).toString('hex')].reverse()
  return keyFromText(`${labels.join('.')}.${octets.length === 4 ? 'in-addr.arpa.' : 'ip6.arpa.'}`)!
}
