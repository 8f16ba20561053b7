/** Opens the connections of upstreams, plain or TLS. What is said on them is left to the upstreams. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls, type SecureContext } from 'node:tls'
import type { UpstreamOptions } from './upstream.ts'

export interface TlsOptions {
  /** The certificates that are trusted, and the client's own. */
  readonly context: SecureContext
  /** The name that the upstream's certificate must have; its address where left out. */
  readonly serverName?: string | undefined
}

export interface ConnectionOptions extends Pick<UpstreamOptions, 'address' | 'port' | 'sourceAddress'> {
  /** Without it, plain TCP. */
  readonly tls?: TlsOptions | undefined
  /** A TLS session to resume. */
  readonly session?: Buffer | undefined
  /** What to offer to speak on TLS (ALPN, RFC 7301). */
  readonly protocols?: string[]
}

/** A connection that is being made; with TLS, to an upstream that is trusted and has the name, or it ends in an error. */
export function connection({ address, port, sourceAddress, tls, session, protocols }: ConnectionOptions): Socket {
  const ends = { host: address, port, ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }) }
  if (tls === undefined) return connectTcp(ends)
  const expected = tls.serverName ?? withoutZone(address)
  return connectTls({
    ...ends,
    secureContext: tls.context,
    // An address is never sent as a server name (RFC 6066 section 3).
    ...(isIP(expected) ? {} : { servername: expected }),
    ...(session ? { session } : {}),
    ...(protocols ? { ALPNProtocols: protocols } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(expected, certificate),
  })
}

/** `fe80::1%eth0` is known as `fe80::1` to everybody but this machine. */
export function withoutZone(address: string): string {
  return address.replace(/%.*/, '')
}
