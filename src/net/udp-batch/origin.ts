/**
 * Where a request came from and which of the machine's addresses it was sent to: 48 octets that a later reply on the same socket
 * needs, and what they mean to people.
 *
 * They are the client's address as the kernel has it (sockaddr_in or sockaddr_in6, 28 octets), then the data of IP_PKTINFO or
 * IPV6_PKTINFO (20 octets), with no interface but for link-local addresses: the reply is routed like any other.
 */
import ipaddr from 'ipaddr.js'
import { AF_INET, Control, Sockaddr } from './layout.ts'

/** The length of an origin. */
export const ORIGIN = 48

/** Where the second part starts. */
export const ORIGIN_LOCAL = Sockaddr.OCTETS_6

/** IPv4 addresses of a socket for both families are given as IPv4 addresses. */
export interface Origin {
  readonly address: string
  readonly port: number
  /** Which address of this machine was asked. */
  readonly localAddress: string
}

/** The origin that starts at `at`. Link-local addresses are without their interface. */
export function readOrigin(octets: Uint8Array, at: number): Origin {
  const port = (octets[at + Sockaddr.PORT]! << 8) | octets[at + Sockaddr.PORT + 1]!
  const local = at + ORIGIN_LOCAL - Control.DATA
  return octets[at] === AF_INET
    ? { address: ipv4(octets, at + Sockaddr.ADDRESS_4), port, localAddress: ipv4(octets, local + Control.LOCAL_4) }
    : { address: ipv6(octets, at + Sockaddr.ADDRESS_6), port, localAddress: ipv6(octets, local + Control.LOCAL_6) }
}

/** Whether the client has an IPv6 address, of the origin that starts at `at`. */
export function isIPv6Origin(octets: Uint8Array, at: number): boolean {
  if (octets[at] === AF_INET) return false
  const address = at + Sockaddr.ADDRESS_6
  for (let i = 0; i < MAPPED.length; i++) if (octets[address + i] !== MAPPED[i]) return true
  return false
}

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

function ipv4(octets: Uint8Array, at: number): string {
  return `${octets[at]}.${octets[at + 1]}.${octets[at + 2]}.${octets[at + 3]}`
}

function ipv6(octets: Uint8Array, at: number): string {
  const address = new ipaddr.IPv6([...octets.subarray(at, at + 16)])
  return address.isIPv4MappedAddress() ? ipv4(octets, at + 12) : address.toRFC5952String()
}
