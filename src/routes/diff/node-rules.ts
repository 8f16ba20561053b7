/** Compares all that is known of a node's rules with what they should be, in the mode that they are in. */
import { PortolanError } from '../../errors.ts'
import type { Family } from '../../wire/address.ts'
import { renderIptables } from '../render/iptables.ts'
import { renderNftables, TABLE } from '../render/nftables.ts'
import type { RenderOptions } from '../setting.ts'
import type { Routes } from '../table.ts'
import type { Dumps, IptablesDump } from './dumps.ts'
import type { Finding } from './finding.ts'
import { diffIptables } from './iptables.ts'
import { KUBE_PROXY_TABLE, renderKubeProxyNftables, withoutServiceRanges } from './kube-proxy-nftables.ts'
import { compareTables } from './nftables.ts'
import { type NftTables, readRendered } from './nftables-table.ts'
import { hasProxyChains, otherModes } from './other-modes.ts'
import { ServiceNames } from './service-names.ts'

export type Mode = 'iptables' | 'nftables'

export interface NodeRules {
  readonly routes: Pick<Routes, 'destinations'>
  readonly options: Omit<RenderOptions, 'family'>
  readonly dumps: Dumps
  /** Told from the dumps unless given. */
  readonly mode?: Mode | undefined
  /** The families that are asked for; all that there is something of unless given. */
  readonly families?: readonly Family[] | undefined
}

export interface FamilyComparison {
  readonly family: Family
  /** `kube-proxy` or `portolan` in the mode `nftables`; in the mode `iptables` the two make the same rules. */
  readonly layout: string
  /** How many rules and elements there should be. */
  readonly rules: number
  readonly findings: readonly Finding[]
}

export interface Comparison {
  readonly mode: Mode
  readonly families: readonly FamilyComparison[]
}

/** Throws PORTOLAN_ROUTES_DUMP where nothing is known of what is asked for. */
export function compareNodeRules({ routes, options, dumps, mode = modeOf(dumps), families }: NodeRules): Comparison {
  const destinations = [...routes.destinations()]
  const names = new ServiceNames(destinations)
  const all: readonly Family[] = ['IPv4', 'IPv6']
  const used = all.filter(
    family => destinations.some(destination => destination.family === family) || isThere(dumps, mode, family),
  )
  const known = (families ?? used).filter(family => isKnown(dumps, mode, family))
  if (known.length === 0 || (families !== undefined && known.length < families.length))
    throw new PortolanError(
      'PORTOLAN_ROUTES_DUMP',
      `there is nothing of ${(families ?? all).join(' and ')} of ${mode} in the rules`,
    )
  const compare = mode === 'iptables' ? compareIptables : compareNftables
  return { mode, families: known.map(family => compare({ routes, options: { ...options, family }, dumps, names })) }
}

function modeOf({ nftables }: Dumps): Mode {
  const names = [...(nftables?.keys() ?? [])]
  return names.some(name => isProxyTable(name)) ? 'nftables' : 'iptables'
}

function isProxyTable(name: string): boolean {
  return [TABLE, KUBE_PROXY_TABLE].some(own => name === `ip ${own}` || name === `ip6 ${own}`)
}

function isThere({ iptables, nftables }: Dumps, mode: Mode, family: Family): boolean {
  if (mode === 'iptables') return iptables.some(dump => dump.family === family && hasProxyChains(dump))
  return tablesOf(nftables, family).length > 0
}

function isKnown({ iptables, nftables, isWhole }: Dumps, mode: Mode, family: Family): boolean {
  if (mode === 'iptables') return iptables.some(dump => dump.family === family)
  // A list of one table says nothing of the other family's.
  return nftables !== undefined && (isWhole || tablesOf(nftables, family).length > 0)
}

/** The names of proxies' tables, ours first. */
function tablesOf(nftables: NftTables | undefined, family: Family): string[] {
  const ip = family === 'IPv4' ? 'ip' : 'ip6'
  return [TABLE, KUBE_PROXY_TABLE].map(own => `${ip} ${own}`).filter(name => nftables?.has(name))
}

interface Task {
  readonly routes: NodeRules['routes']
  readonly options: RenderOptions
  readonly dumps: Dumps
  readonly names: ServiceNames
}

function compareIptables({ routes, options, dumps, names }: Task): FamilyComparison {
  const { family } = options
  const own = dumps.iptables.filter(dump => dump.family === family)
  // Of the kernel's two back ends the one in which there is more of kube-proxy's.
  const [dump] = own.toSorted((a, b) => chainsIn(b) - chainsIn(a))
  const expected = renderIptables(routes, { ...options, accounting: true })
  const findings = [
    ...diffIptables(expected, dump!.text, names),
    ...otherModes(dumps, { family, iptables: dump, table: undefined }, names),
  ]
  return { family, layout: 'kube-proxy', rules: expected.match(/^-A /gm)?.length ?? 0, findings }
}

function chainsIn({ text }: IptablesDump): number {
  return text.match(/^:KUBE-/gm)?.length ?? 0
}

function compareNftables({ routes, options, dumps, names }: Task): FamilyComparison {
  const { family } = options
  const [table = `${family === 'IPv4' ? 'ip' : 'ip6'} ${TABLE}`] = tablesOf(dumps.nftables, family)
  const layout = table.endsWith(KUBE_PROXY_TABLE) ? 'kube-proxy' : 'portolan'
  const render = layout === 'kube-proxy' ? renderKubeProxyNftables : renderNftables
  const wanted = readRendered(render(routes, options))
  const there = dumps.nftables ?? new Map()
  const findings = [
    ...compareTables(wanted, withoutServiceRanges(there), names),
    ...otherModes(dumps, { family, iptables: undefined, table }, names),
  ]
  return { family, layout, rules: sizeOf(wanted), findings }
}

function sizeOf(tables: NftTables): number {
  let size = 0
  for (const { sets, chains } of tables.values()) {
    for (const { elements } of sets.values()) size += elements.size
    for (const { rules } of chains.values()) size += rules.length
  }
  return size
}
