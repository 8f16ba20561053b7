/**
 * What it means to listen on an address, for every transport: which sockets it takes, and what to tell a person where one
 * cannot be had. Opening a socket is left to the transports.
 */
import { hostPort } from '../corefile/addresses.ts'
import { messageOf, PortolanError } from '../errors.ts'
import type { Logger } from '../observe/logger.ts'

export interface Endpoint {
  /** An IP address; empty, `0.0.0.0` and `::` all mean every address of this machine, as in CoreDNS. */
  readonly address: string
  /** 0 for any free one. */
  readonly port: number
}

/** A socket that is bound. */
export interface Bound {
  readonly port: number
  close(): void
}

/** Opens one socket on exactly this address (IPv6 only where it is an IPv6 one); rejects with the system's error. */
type Open<B extends Bound> = (address: string, port: number) => Promise<B>

/** How often another free port is tried when the one that IPv4 was given is taken in IPv6. */
const FREE_PORT_TRIES = 8

/** All of them take every address of both families, as in CoreDNS. */
export const EVERY_ADDRESS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::'])

const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT'])

/**
 * Binds what an endpoint stands for: one socket, or one for IPv4 and one for IPv6 (same port) where it is all addresses.
 * IPv6 is left out, with a line in the log, where the machine has none. Rejects with PORTOLAN_LISTEN and then holds nothing open.
 */
export async function bindAll<B extends Bound>(
  protocol: 'udp' | 'tcp',
  endpoint: Endpoint,
  log: Logger,
  open: Open<B>,
): Promise<B[]> {
  const { address, port } = endpoint
  if (!EVERY_ADDRESS.has(address)) return [await bindOne(protocol, address, port, open)]
  for (let tries = 1; ; tries++) {
    const first = await bindOne(protocol, '0.0.0.0', port, open)
    try {
      return [first, await open('::', first.port)]
    } catch (error) {
      const code = codeOf(error)
      if (NO_IPV6.has(code)) {
        log.info(`this machine has no IPv6: ${protocol} port ${first.port} is served on IPv4 alone`)
        return [first]
      }
      first.close()
      if (port !== 0 || code !== 'EADDRINUSE' || tries === FREE_PORT_TRIES) {
        throw listenError(protocol, { address: '::', port: first.port }, error)
      }
    }
  }
}

async function bindOne<B extends Bound>(protocol: 'udp' | 'tcp', address: string, port: number, open: Open<B>) {
  try {
    return await open(address, port)
  } catch (error) {
    throw listenError(protocol, { address, port }, error)
  }
}

/** The PORTOLAN_LISTEN error for what the system said when a socket was to be bound. */
export function listenError(protocol: 'udp' | 'tcp', { address, port }: Endpoint, cause: unknown): PortolanError {
  const where = `${hostPort(address, port)}/${protocol}`
  return new PortolanError('PORTOLAN_LISTEN', `cannot listen on ${where}: ${advice(protocol, port, cause)}`, { cause })
}

function advice(protocol: 'udp' | 'tcp', port: number, cause: unknown): string {
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return `the port is in use (\`ss -l${protocol[0]}np sport = :${port}\` shows by whom); stop that, or choose another port with -dns.port or address with \`bind\``
    case 'EACCES':
    case 'EPERM':
      return 'no permission; run as root, give CAP_NET_BIND_SERVICE, or choose a port above 1023 with -dns.port'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address (`ip address` lists those it has); correct `bind`'
    default:
      return messageOf(cause)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** An address as `Peer` has it: without the interface that Node appends to link-local ones. */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}

/** What a listener tells of where it is bound. */
export function boundAddress({ address }: Endpoint, bound: readonly Bound[]): string {
  if (!EVERY_ADDRESS.has(address)) return address
  return bound.length > 1 ? '::' : '0.0.0.0'
}
