/**
 * Finds rules that take the same connections as those that are compared: left over where kube-proxy has changed its mode, or iptables has
 * changed from one of the kernel's back ends to the other, or of a second program.
 */
import type { Family } from '../../wire/address.ts'
import { ownChain } from '../render/iptables-names.ts'
import { TABLE } from '../render/nftables.ts'
import type { Dumps, IptablesDump } from './dumps.ts'
import type { Finding } from './finding.ts'
import { serviceIn } from './iptables-owners.ts'
import { leadsTo, readSaved } from './iptables-saved.ts'
import { KUBE_PROXY_TABLE } from './kube-proxy-nftables.ts'
import { NftOwners } from './nftables-owners.ts'
import type { NftTable } from './nftables-table.ts'
import type { ServiceNames } from './service-names.ts'

/** Chains that kube-proxy makes in its mode `iptables`. Kubelet has made some of its others too. */
const shared = /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)$/
const ipvs = /^KUBE-(LOAD-BALANCER|NODE-PORT|IPVS-FILTER|IPVS-OUT-FILTER|SOURCE-RANGES-FIREWALL)$/

/** What the rules that are compared are in. */
export interface Compared {
  readonly family: Family
  /** The dump of iptables, where that is compared. */
  readonly iptables: IptablesDump | undefined
  /** The name of the table of nftables, where that is compared: `ip portolan`. */
  readonly table: string | undefined
}

export function otherModes(dumps: Dumps, compared: Compared, names: ServiceNames): Finding[] {
  const { family } = compared
  const leftovers = dumps.iptables.filter(dump => dump.family === family && dump !== compared.iptables)
  return [
    ...leftovers.flatMap(dump => ofIptables(dump, names)),
    ...ofTables(dumps, compared, names),
    ...ofIpvs(dumps, family),
  ]
}

/** Whether kube-proxy's chains are in a dump of iptables. */
export function hasProxyChains({ text }: IptablesDump): boolean {
  return /^:KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL|SVC-\w+|SEP-\w+) /m.test(text)
}

function ofIptables(dump: IptablesDump, names: ServiceNames): Finding[] {
  if (!hasProxyChains(dump)) return []
  const program = dump.backend === undefined ? 'iptables' : `iptables (${dump.backend})`
  return [...readSaved(dump.text)].flatMap(([table, chains]) => {
    const left = [...chains.keys()].filter(chain => shared.test(chain) || ownChain.test(chain))
    const services = new Set<string>()
    for (const chain of left) {
      for (const service of [names.ofChain(chain)?.service, ...(chains.get(chain) ?? []).map(serviceIn)])
        if (service !== undefined) services.add(service)
    }
    const isMet = [...chains].some(
      ([chain, rules]) => !chain.startsWith('KUBE-') && rules.some(rule => left.includes(leadsTo(rule) ?? '')),
    )
    return finding(`${program} ${table}`, left, services, isMet)
  })
}

function ofTables({ nftables, iptables }: Dumps, compared: Compared, names: ServiceNames): Finding[] {
  const ip = compared.family === 'IPv4' ? 'ip' : 'ip6'
  return [...(nftables ?? [])].flatMap(([name, table]) => {
    const [family, own] = name.split(' ')
    if (family !== ip || name === compared.table) return []
    if (own === TABLE || own === KUBE_PROXY_TABLE)
      return finding(`nftables ${name}`, [...table.chains.keys()], servicesOf(table, names), hasHooks(table))
    // Rules of iptables that the kernel keeps as nftables: they are compared, or found, where they are iptables.
    if (iptables.some(dump => dump.family === compared.family && dump.backend !== 'legacy')) return []
    const left = [...table.chains.keys()].filter(chain => shared.test(chain) || ownChain.test(chain))
    const services = new Set(left.flatMap(chain => names.ofChain(chain)?.service ?? []))
    const isMet = [...table.chains].some(
      ([chain, { rules }]) =>
        !chain.startsWith('KUBE-') &&
        rules.some(({ meaning }) => left.includes(/\b(?:jump|goto) (\S+)/.exec(meaning)?.[1] ?? '')),
    )
    return finding(`iptables (nf_tables) ${own}`, left, services, isMet)
  })
}

function hasHooks({ chains }: NftTable): boolean {
  return [...chains.values()].some(({ hook, rules }) => hook !== '' && rules.length > 0)
}

function servicesOf(table: NftTable, names: ServiceNames): Set<string> {
  const owners = new NftOwners([table], names)
  const services = [...table.chains.keys()].map(chain => owners.ofChain(chain))
  for (const { elements } of table.sets.values())
    for (const element of elements) services.push(owners.ofElement(...element))
  return new Set(services.filter(service => service !== undefined))
}

function ofIpvs({ iptables, ipvsInterface }: Dumps, family: Family): Finding[] {
  const chains = iptables
    .filter(dump => dump.family === family)
    .flatMap(({ text }) => [...text.matchAll(/^:(KUBE-\S+) /gm)].map(([, chain]) => chain!))
    .filter(chain => ipvs.test(chain))
  const found = finding('iptables nat', [...new Set(chains)], new Set(), true)
  const why =
    'there is the interface kube-ipvs0: kube-proxy is, or was, in its mode `ipvs`, which takes connections before all rules'
  const base = {
    kind: 'other mode',
    level: 'fault',
    table: 'ipvs',
    chain: '',
    rule: 'kube-ipvs0',
    service: undefined,
  } as const
  return ipvsInterface ? [...found, { ...base, why }] : found
}

const NAMED = 5

/** `chains` are those that are left; one finding for all of them. */
function finding(table: string, chains: readonly string[], services: ReadonlySet<string>, isMet: boolean): Finding[] {
  if (chains.length === 0) return []
  const some = [...services].slice(0, NAMED).join(', ')
  const more = services.size > NAMED ? ` and ${services.size - NAMED} more` : ''
  const of = services.size === 0 ? '' : `, of ${some}${more}`
  const effect = isMet ? 'take the same connections' : 'are left over; no packet meets them'
  const service = services.size === 1 ? [...services][0] : undefined
  const why = `${chains.length} chains${of} ${effect}`
  return [{ kind: 'other mode', level: isMet ? 'fault' : 'note', table, chain: '', rule: ':', service, why }]
}
