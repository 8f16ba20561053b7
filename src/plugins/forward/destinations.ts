/**
 * The TO arguments of `forward`: addresses, files in the form of resolv.conf, host names. Looking host names up is left to
 * `resolution.ts`.
 */
import { readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { parseHostPort } from '../../corefile/addresses.ts'
import type { Directive } from '../../corefile/directive.ts'
import type { Token } from '../../corefile/lexer.ts'
import { domainFromText } from '../../corefile/zones.ts'
import { resolvConfLines } from '../../net/resolv-conf.ts'

/** The transports, and the ports that they have where none is named. */
const PORTS = { dns: 53, tls: 853, https: 443 } as const
export type Transport = keyof typeof PORTS

/** An upstream as the Corefile names it. */
export interface Destination {
  readonly transport: Transport
  /** An IP address (with its zone, `fe80::1%eth0`), or a host name. */
  readonly host: string
  readonly port: number
  /** The name that its certificate must have, from `tls://ADDRESS%NAME` or `https://ADDRESS%NAME`. */
  readonly serverName: string | undefined
}

/** How many TO arguments there may be. */
const MAX = 15
/** What can be meant by a TO and is not spoken. */
const UNSUPPORTED = ['https3', 'quic', 'grpc', 'unix']

/** Reads all arguments that are left. Files are read now; relative ones start from `directory`. Throws positioned errors. */
export function readDestinations(directive: Directive, directory: string): Destination[] {
  const tokens = directive.rest({ name: 'TO', min: 1 })
  const all = tokens.map(token => destinationsOf(directive, token, directory)).filter(found => found.length > 0)
  if (all.length > MAX) throw directive.error(`more than ${MAX} TOs configured: ${all.length}`)
  if (all.length === 0) throw directive.error('no valid upstream addresses found', tokens[0])
  return distinct(all.flat())
}

/** Each destination once, where it stands first. */
export function distinct(destinations: readonly Destination[]): Destination[] {
  const key = ({ transport, host, port, serverName = '' }: Destination) =>
    [transport, host, port, serverName.toLowerCase()].join(' ')
  return [...Map.groupBy(destinations, key).values()].map(same => same[0]!)
}

function destinationsOf(directive: Directive, token: Token, directory: string): Destination[] {
  const [, scheme = 'dns', rest = ''] = /^(?:([a-z0-9]*):\/\/)?(.*)$/s.exec(token.text) ?? []
  if (!isTransport(scheme)) {
    const hint = UNSUPPORTED.includes(scheme) ? ': use dns://, tls:// or https://' : ''
    throw directive.error(`'${scheme}' is not supported as a destination protocol in forward${hint}`, token)
  }
  if (scheme === 'https' && rest.includes('/')) {
    throw directive.error(`an https:// upstream has no path, it is asked at /dns-query: "${token.text}"`, token)
  }
  // CoreDNS takes the name behind the port too.
  const parsed = parseHostPort(rest.replace(/^([\d.]+)(:\d+)(%[^:]+)$/, '$1$3$2'), PORTS[scheme])
  const address = parsed && addressOf(scheme, parsed.host)
  if (parsed && parsed.port > 0 && address) return [{ transport: scheme, port: parsed.port, ...address }]

  const servers = nameservers(directive, token, resolve(directory, rest))
  if (servers) return servers.map(host => ({ transport: scheme, host, port: PORTS[scheme], serverName: undefined }))

  const [host = '', serverName] = parsed?.host.split('%') ?? []
  if (parsed === undefined || parsed.port === 0 || rest.includes('/') || !isHostName(host)) {
    throw directive.error(`not an IP address, file, or valid domain: "${token.text}"`, token)
  }
  return [{ transport: scheme, host, port: parsed.port, serverName: scheme === 'dns' ? undefined : serverName }]
}

/** No host name ends in a number (RFC 1123 section 2.1), but a system's resolver takes `10.0.1` for 10.0.0.1. */
function isHostName(text: string): boolean {
  return domainFromText(text) !== undefined && !/(^|\.)(\d+|0x[\da-f]*)\.?$/i.test(text)
}

function isTransport(scheme: string): scheme is Transport {
  return Object.hasOwn(PORTS, scheme)
}

/** The address in `host`, which may end in `%` and a server name (TLS) or a zone (IPv6); undefined where it is none. */
function addressOf(scheme: Transport, host: string): Pick<Destination, 'host' | 'serverName'> | undefined {
  const [address = '', suffix] = host.split('%')
  if (!isIP(address)) return undefined
  if (scheme !== 'dns') return { host: address, serverName: suffix }
  return { host: suffix !== undefined && isIPv6(address) ? host : address, serverName: undefined }
}

/** The `nameserver` lines of a file (resolv.conf(5)); undefined where there is no such file. */
function nameservers(directive: Directive, token: Token, path: string): string[] | undefined {
  const text = textOf(directive, token, path)
  if (text === undefined) return undefined
  return resolvConfLines(text).flatMap(({ number, keyword, values: [server] }) => {
    if (keyword !== 'nameserver' || server === undefined) return []
    if (isIP(server.replace(/%.*/, ''))) return [server]
    throw directive.error(`${path}:${number}: nameserver must be an IP address, got "${server}"`, token)
  })
}

function textOf(directive: Directive, token: Token, path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined
    throw directive.error(`cannot read ${path}: ${message}`, token, cause)
  }
}
