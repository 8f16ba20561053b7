/**
 * What can be wrong with a Corefile that parses: plugins that do not exist, transports that are not served, zones that two
 * server blocks claim. Options of plugins are left to the plugins.
 */
import { corefileError, positionText } from './errors.ts'
import { type ServerAddress, serverAddressText, type Transport } from './keys.ts'
import { hint } from './nearest.ts'
import type { ServerBlock } from './server-block.ts'

/** Throws PORTOLAN_COREFILE_PLUGIN at the first directive whose name is not in `known`. */
export function checkPlugins(blocks: Iterable<ServerBlock>, known: Iterable<string>): void {
  const names = new Set(known)
  for (const { directives } of blocks) {
    for (const { name, at } of directives) {
      if (!names.has(name))
        throw corefileError('PORTOLAN_COREFILE_PLUGIN', at, `unknown plugin "${name}"${hint(name, names)}`)
    }
  }
}

/** Throws PORTOLAN_COREFILE_TRANSPORT at the first key whose transport is not in `served`. */
export function checkTransports(blocks: Iterable<ServerBlock>, served: readonly Transport[]): void {
  const list = served.map(transport => `${transport}://`).join(', ')
  for (const { transport, at } of addressesOf(blocks)) {
    if (served.includes(transport)) continue
    throw corefileError('PORTOLAN_COREFILE_TRANSPORT', at, `${transport}:// is not yet supported, only ${list}`)
  }
}

function* addressesOf(blocks: Iterable<ServerBlock>): Iterable<ServerAddress> {
  for (const block of blocks) yield* block.addresses
}

/** A server block's wish to serve a zone at a port of some host. */
interface Claim {
  readonly address: ServerAddress
  /** As `bind` has it; empty for all. */
  readonly host: string
}

/**
 * Throws PORTOLAN_COREFILE_OVERLAP where a zone is claimed twice at one port and transport: by two keys that both listen on all
 * addresses or on the same one of `bind`, or by one that listens on all and one that is bound. Blocks with a `view` answer some
 * clients only and may share a zone.
 */
export function checkOverlaps(blocks: Iterable<ServerBlock>): void {
  const claims = new Map<string, Claim[]>()
  for (const block of blocks) {
    const view = block.directives.some(directive => directive.name === 'view')
    for (const claim of claimsOf(block)) {
      const text = serverAddressText(claim.address)
      const others = claims.get(text) ?? []
      const same = others.find(other => other.host === claim.host)
      if (same && !view) throw overlap(claim, `it is already defined at ${positionText(same.address.at)}`)
      const wider = same ? undefined : others.find(other => other.host === '' || claim.host === '')
      if (wider) {
        const where = wider.host === '' ? 'all addresses' : wider.host
        throw overlap(claim, `it is already defined at ${positionText(wider.address.at)} on ${where}`)
      }
      if (!view) claims.set(text, [...others, claim])
    }
  }
}

function claimsOf({ addresses, directives }: ServerBlock): Claim[] {
  const bound = directives.filter(({ name }) => name === 'bind').flatMap(({ args }) => args.map(({ text }) => text))
  const hosts = new Set(bound.length === 0 ? [''] : bound)
  return addresses.flatMap(address => Array.from(hosts, host => ({ address, host })))
}

function overlap({ address, host }: Claim, why: string) {
  const where = host === '' ? '' : ` on ${host}`
  return corefileError(
    'PORTOLAN_COREFILE_OVERLAP',
    address.at,
    `cannot serve ${serverAddressText(address)}${where}: ${why}`,
  )
}
