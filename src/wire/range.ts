/** Ranges of addresses, as CIDR notation writes them. */
import ipaddr from 'ipaddr.js'
import { type Family, familyOf, unpadded } from './address.ts'

export interface Range {
  readonly family: Family
  /** The first address in its one spelling, and the length of the prefix. */
  readonly text: string
  readonly prefix: number
}

/** Undefined for what is no range. Bits behind the prefix are taken for zeros; octets with leading zeros are decimal. */
export function parseRange(text: string): Range | undefined {
  const [address = '', length = '', ...rest] = text.trim().split('/')
  const decimal = unpadded(address)
  if (rest.length > 0 || !/^\d{1,3}$/.test(length) || !isWhole(decimal)) return undefined
  const family = familyOf(decimal)
  const prefix = Number(length)
  if (prefix > (family === 'IPv4' ? 32 : 128)) return undefined
  const parser = family === 'IPv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return { family, prefix, text: `${parser.networkAddressFromCIDR(`${decimal}/${prefix}`)}/${prefix}` }
}

function isWhole(address: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(address) || (ipaddr.IPv6.isValid(address) && !address.includes('%'))
}

/** Whether it holds each address of its family. */
export function everybody({ prefix }: Range): boolean {
  return prefix === 0
}

/** Whether a range, as `Range.text` has it, holds an address. */
export function holds(range: string, ip: string): boolean {
  const address = ipaddr.process(ip)
  const [network, prefix] = ipaddr.parseCIDR(range)
  return network.kind() === address.kind() && address.match(network, prefix)
}

/** The i-th address of a range from 0 on, counted round where it has fewer; of a larger range than 2^32 only so many count. */
export function nthAddress({ text, prefix }: Range, i: number): string {
  const octets = Uint8Array.from(ipaddr.parse(text.split('/')[0]!).toByteArray())
  const tail = new DataView(octets.buffer, octets.length - 4)
  const size = 2 ** Math.min(32, 8 * octets.length - prefix)
  tail.setUint32(0, tail.getUint32(0) + (i % size))
  return ipaddr.fromByteArray([...octets]).toString()
}
