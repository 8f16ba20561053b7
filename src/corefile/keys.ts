/**
 * The keys of a server block (`.:53`, `tls://example.org`, `10.0.0.0/24`): which zones it serves, over which transport, at
 * which port. Whether that transport can be served, and whether two blocks want the same, is left to `checks.ts`.
 */
import type { Position } from '../errors.ts'
import { type NameKey, textFromKey } from '../wire/name.ts'
import { corefileError, positionOf } from './errors.ts'
import type { Token } from './lexer.ts'
import { hint } from './nearest.ts'
import { zonesFromText } from './zones.ts'

/** What a key may name before `://`. */
export const transports = ['dns', 'tls', 'https', 'https3', 'grpc', 'quic'] as const
export type Transport = (typeof transports)[number]

/** Ports of keys that name none. The one of `dns` can be set on the command line. */
const defaultPorts: Readonly<Record<Transport, number>> = {
  dns: 53,
  tls: 853,
  quic: 853,
  https: 443,
  https3: 443,
  grpc: 443,
}

/** One zone at one port. */
export interface ServerAddress {
  readonly transport: Transport
  /** Lower case, fully qualified: `example.org.`. */
  readonly zone: string
  readonly origin: NameKey
  readonly port: number
  /** Where the key stands. */
  readonly at: Position
}

/** `dns://example.org.:53`, as CoreDNS writes it. */
export function serverAddressText({ transport, zone, port }: ServerAddress): string {
  return `${transport}://${zone}:${port}`
}

/**
 * The addresses of one key: one, or several for a network off an octet boundary. `port` is that of `dns` keys without one.
 * Throws PORTOLAN_COREFILE_KEY.
 */
export function serverAddresses(key: Token, port: number = defaultPorts.dns): ServerAddress[] {
  const fail = (problem: string) => corefileError('PORTOLAN_COREFILE_KEY', key, problem)
  const [, scheme, rest = ''] = /^(?:([^:/]*):\/\/)?(.*)$/s.exec(key.text)!
  const transport = transports.find(known => known === (scheme ?? 'dns'))
  if (transport === undefined) throw fail(`unknown transport "${scheme}://"${hint(scheme ?? '', transports)}`)

  const colon = rest.lastIndexOf(':')
  const afterColon = rest.slice(colon + 1)
  // What follows the last colon of fd00::/8 is the prefix length of a network.
  const hasPort = colon >= 0 && !afterColon.includes('/')
  if (hasPort && !(/^\d{1,5}$/.test(afterColon) && Number(afterColon) <= 65535)) {
    const got = afterColon === '' ? 'nothing' : `"${afterColon}"`
    throw fail(`a number from 0 to 65535 must follow the last ":", got ${got}`)
  }
  const result = zonesFromText(hasPort ? rest.slice(0, colon) : rest)
  if ('problem' in result) throw fail(result.problem)

  const usual = transport === 'dns' ? port : defaultPorts[transport]
  const at = positionOf(key)
  return result.zones.map(origin => {
    return { transport, zone: textFromKey(origin), origin, port: hasPort ? Number(afterColon) : usual, at }
  })
}
