/** IP addresses as octets, as labels of endpoint and pod names, and as names of the reverse zones. */
import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { keyOfName, type NameKey, nameOf } from '../wire/name.ts'

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex')

/**
 * The 4 or 16 octets of an address; undefined where the text is none (leading zeros and zone ids are refused). An IPv4-mapped
 * IPv6 address counts as IPv4.
 */
export function octetsOf(address: string): Uint8Array | undefined {
  if (isIPv4(address)) return Uint8Array.from(address.split('.', 4), Number)
  if (!isIPv6(address) || address.includes('%')) return undefined
  const octets = Buffer.from(ipaddr.parse(address).toByteArray())
  return octets.subarray(0, 12).equals(MAPPED) ? octets.subarray(12) : octets
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

const IN_ADDR = Buffer.from('\x07in-addr\x04arpa\x00', 'latin1')
const IP6 = Buffer.from('\x03ip6\x04arpa\x00', 'latin1')

/** The name under which an address is found in the reverse zones (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export function reverseKey(octets: Uint8Array): NameKey {
  if (octets.length === 4) return keyOfName(nameOf(Array.from(octets, String).reverse(), IN_ADDR)!)
  const nibbles = Array.from(octets).flatMap(octet => [octet >> 4, octet & 15])
  return keyOfName(nameOf(nibbles.map(nibble => nibble.toString(16)).reverse(), IP6)!)
}

export function isReverse(key: NameKey): boolean {
  return key.endsWith('\x07in-addr\x04arpa\x00') || key.endsWith('\x03ip6\x04arpa\x00')
}
