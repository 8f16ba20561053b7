/**
 * Network addresses between their text form and the octets that records carry.
 */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { keyFromText, type NameKey } from './name.ts'
import { Type } from './types.ts'

export type Family = 'IPv4' | 'IPv6'

/** The family of a text that is an address. */
export function familyOf(ip: string): Family {
  return ip.includes(':') ? 'IPv6' : 'IPv4'
}

/** The same text, with octets of IPv4 that have leading zeros in decimal: so the API server and kube-proxy take them. */
export function unpadded(text: string): string {
  return /^\d+(\.\d+){3}$/.test(text) ? text.replace(/\b0+(?=\d)/g, '') : text
}

/**
 * The 4 or 16 octets of an address; undefined where the text is none (a zone identifier such as `%eth0` is not part of one). An
 * IPv4-mapped IPv6 address is the IPv4 address it stands for, as Go has it.
 */
export function addressOctets(text: string): Uint8Array | undefined {
  const bits = ipv4Bits(text)
  if (bits !== undefined) return Uint8Array.of(bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255)
  if (isIP(text) === 0 || text.includes('%')) return undefined
  const address = ipaddr.IPv6.parse(text)
  return Uint8Array.from((address.isIPv4MappedAddress() ? address.toIPv4Address() : address).toByteArray())
}

/**
 * The 32 bits of an IPv4 address, as a signed number; undefined where the text is none (octets with leading zeros are not). By far the
 * most addresses are such, and Node's own test and taking apart take several times as long.
 */
export function ipv4Bits(text: string): number | undefined {
  let bits = 0
  let octet = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e && octet >= 0) {
      bits = (bits << 8) | octet
      octet = -1
      dots++
      continue
    }
    if (code < 0x30 || code > 0x39 || octet === 0) return undefined
    octet = Math.max(octet, 0) * 10 + code - 0x30
    if (octet > 255) return undefined
  }
  return dots === 3 && octet >= 0 ? (bits << 8) | octet : undefined
}

/**
 * The one spelling of an address (RFC 5952), so that spellings can be compared; a text that is no address comes back as it is. An
 * IPv4-mapped IPv6 address is the IPv4 address it stands for.
 */
export function canonicalAddress(text: string): string {
  if (ipv4Bits(text) !== undefined || !ipaddr.isValid(text)) return text
  return ipaddr.process(text).toString()
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
