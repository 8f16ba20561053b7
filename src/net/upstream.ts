/**
 * What it means to ask another DNS server: the interface of upstreams, the way they fail, and which replies they believe. How the
 * octets travel is left to `udp-upstream.ts`, `tcp-upstream.ts` and `https-upstream.ts`, whom to ask and how often to the plugins.
 */
import { randomInt } from 'node:crypto'
import { getSystemErrorMessage } from 'node:util'
import { PortolanError } from '../errors.ts'
import type { Clock } from '../observe/clock.ts'
import type { Response } from '../wire/message.ts'

export interface Upstream {
  /**
   * Asks once and resolves to the reply. `query` is a whole message with one question; its id is overwritten with an
   * unpredictable one, over HTTPS with 0. What does not answer it (another id, source or question, broken octets) is waited
   * over. Rejects with a PortolanError: PORTOLAN_UPSTREAM_TIMEOUT, _UNREACHABLE, _CLOSED (the peer closed the connection),
   * _BUSY (too many queries under way), _STOPPED, or _REPLY (over HTTPS, where nothing better can follow: it is no answer).
   * Never asks again by itself, but where a kept connection turns out to be closed.
   *
   * @param readMs how long to wait for the reply once the query was sent
   * @param connectMs how long a connection may take to be made; nothing where there is none to make
   */
  exchange(query: Uint8Array, readMs: number, connectMs?: number): Promise<Response>
  /** Gives all sockets back. What is under way rejects with PORTOLAN_UPSTREAM_STOPPED, and so does what comes later. */
  close(): void
}

export interface UpstreamOptions {
  /** An IP address, with a zone (`fe80::1%eth0`) where it needs one. */
  readonly address: string
  readonly port: number
  readonly clock: Clock
  /** The address to send from; the system's choice where left out. */
  readonly sourceAddress?: string | undefined
  /** How long an unused socket is kept. */
  readonly expireMs?: number
  /** After what time a socket gets no new queries; 0 means never. */
  readonly maxAgeMs?: number
  /** How many unused sockets are kept; 0 means no limit but the upstream's own. */
  readonly maxIdle?: number
  /** Told of each exchange whether it found an open socket. */
  readonly onSocket?: (reused: boolean) => void
  /** Uniform in 0 to 65,535 and not predictable from outside. */
  readonly random16?: () => number
}

/** The options with what may be left out filled in. CoreDNS keeps unused sockets for 10 s. */
export function completed(options: UpstreamOptions): Required<UpstreamOptions> {
  return {
    sourceAddress: undefined,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxIdle: 0,
    onSocket: () => undefined,
    random16: () => randomInt(0x10000),
    ...options,
  }
}

export type UpstreamErrorCode =
  `PORTOLAN_UPSTREAM_${'TIMEOUT' | 'UNREACHABLE' | 'CLOSED' | 'BUSY' | 'STOPPED' | 'REPLY'}`

export function upstreamError(code: UpstreamErrorCode, peer: string, what: string, cause?: unknown): PortolanError {
  return new PortolanError(code, `${peer}: ${what}`, { cause })
}

/** The error of a socket in the words of the system (`connection refused`), which are CoreDNS's too. */
export function socketError(code: UpstreamErrorCode, peer: string, cause: NodeJS.ErrnoException): PortolanError {
  // HTTP/2 has numbers of its own, which are no system's.
  const { errno, syscall, message } = cause
  const what = errno === undefined || syscall === undefined ? message : getSystemErrorMessage(errno)
  return upstreamError(code, peer, what, cause)
}

/** What an exchange meets that is cut off, or begun, after `close`. */
export function stoppedError(peer: string): PortolanError {
  return upstreamError('PORTOLAN_UPSTREAM_STOPPED', peer, 'stopped')
}
