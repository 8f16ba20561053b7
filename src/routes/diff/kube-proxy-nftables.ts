/**
 * The table that kube-proxy 1.34 has in its mode `nftables`, as text: a chain for each service, each policy and each endpoint. Nobody loads
 * it; what a real one has is compared with it.
 */
import { holds } from '../../wire/range.ts'
import { shortHash } from '../render/iptables-names.ts'
import { Elements, writeChain } from '../render/nftables-elements.ts'
import { type Backend, type Destination, isExternal } from '../route.ts'
import { loopback, type RenderOptions, type Setting, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import { usable, verdict } from '../usable.ts'
import type { NftTables } from './nftables-table.ts'

export const KUBE_PROXY_TABLE = 'kube-proxy'

/** The rule that drops what goes to addresses that no service has: only kube-proxy knows the range. */
const unallocated = 'Drop traffic to unallocated ClusterIPs'

/** In the form of `renderNftables`, for `readRendered`. */
export function renderKubeProxyNftables(routes: Pick<Routes, 'destinations'>, options: RenderOptions): string {
  const { nodePortAddresses = [], family } = options
  const addresses = nodePortAddresses.length > 0 ? nodePortAddresses : ['primary']
  const setting = settingOf({ ...options, nodePortAddresses: addresses })
  const table = new KubeProxyTable(setting)
  for (const destination of routes.destinations()) if (destination.family === family) table.enter(destination)
  return table.write()
}

/** The tables without what nobody but kube-proxy can know. */
export function withoutServiceRanges(tables: NftTables): NftTables {
  const copy: NftTables = new Map(tables)
  for (const ip of ['ip', 'ip6']) {
    const name = `${ip} ${KUBE_PROXY_TABLE}`
    const table = tables.get(name)
    const check = table?.chains.get('cluster-ips-check')
    if (!table || !check) continue
    const chain = { ...check, rules: check.rules.filter(({ comment }) => comment !== unallocated) }
    copy.set(name, { ...table, chains: new Map([...table.chains, ['cluster-ips-check', chain]]) })
  }
  return copy
}

const MARK = 'jump mark-for-masquerade'

class KubeProxyTable {
  readonly #setting: Setting
  readonly #ip: 'ip' | 'ip6'
  readonly #chains: string[] = []
  readonly #clusterIPs = new Elements('set cluster-ips { typeof daddr')
  readonly #nodePortIPs = new Elements('set nodeport-ips { typeof daddr')
  readonly #services = new Elements('map service-ips { typeof daddr : verdict')
  readonly #nodePorts = new Elements('map service-nodeports { typeof dport : verdict')
  readonly #refusedServices = new Elements('map no-endpoint-services { typeof daddr : verdict')
  readonly #refusedNodePorts = new Elements('map no-endpoint-nodeports { typeof dport : verdict')
  readonly #guards = new Elements('map firewall-ips { typeof daddr : verdict')

  constructor(setting: Setting) {
    this.#setting = setting
    this.#ip = setting.family === 'IPv4' ? 'ip' : 'ip6'
    for (const ip of setting.nodePortIPs ?? []) if (ip !== loopback[setting.family]) this.#nodePortIPs.add(ip)
  }

  enter(destination: Destination): void {
    const found = usable(destination, this.#setting.place)
    const [internal, external] = [verdict(destination, found, 'internal'), verdict(destination, found, 'external')]
    const names = chainsOf(destination)
    const inner = destination.internalPolicy === 'Local' ? names.local : names.service
    for (const { kind, ip, port } of destination.addresses) {
      const place = `${destination.protocol.toLowerCase()} . ${port}`
      const { action } = kind === 'ClusterIP' ? internal : external
      const [taken, refused] =
        kind === 'NodePort' ? [this.#nodePorts, this.#refusedNodePorts] : [this.#services, this.#refusedServices]
      const key = kind === 'NodePort' ? place : `${ip} . ${place}`
      if (kind === 'ClusterIP') this.#clusterIPs.add(ip)
      if (action !== 'forward') refused.add(key, action === 'REJECT' ? 'goto reject-chain' : 'drop')
      if (kind === 'ClusterIP' && action === 'forward') taken.add(key, `goto ${inner}`)
      if (kind !== 'ClusterIP' && found.anywhere) taken.add(key, `goto ${names.external}`)
    }
    this.#guard(destination, names.firewall)
    if (found.anywhere && isExternal(destination)) this.#fromOutside(destination, external.action === 'forward')
    const masquerading = internal.action === 'forward' ? this.#masquerading(destination) : []
    const toInner = (chain: string) => (chain === inner ? masquerading : [])
    if (found.cluster.length > 0) this.#choose(destination, names.service, found.cluster, toInner(names.service))
    if (found.local.length > 0) this.#choose(destination, names.local, found.local, toInner(names.local))
    for (const backend of found.reachable) this.#reach(destination, backend)
  }

  #guard({ addresses, sourceRanges, protocol }: Destination, chain: string): void {
    const balanced = addresses.filter(({ kind }) => kind === 'LoadBalancer')
    if (sourceRanges.length === 0 || balanced.length === 0) return
    for (const { ip, port } of balanced)
      this.#guards.add(`${ip} . ${protocol.toLowerCase()} . ${port}`, `goto ${chain}`)
    const nodeMay = sourceRanges.some(range => holds(range, this.#setting.nodeIP))
    const sources = [...sourceRanges.map(bare), ...(nodeMay ? balanced.map(({ ip }) => ip) : [])]
    const set = sources.length === 1 ? sources[0] : `{ ${sources.join(', ')} }`
    this.#write(chain, [`${this.#ip} saddr != ${set} drop`])
  }

  #fromOutside(destination: Destination, forwards: boolean): void {
    const { external, service, local } = chainsOf(destination)
    const { podRange } = this.#setting
    if (destination.externalPolicy === 'Cluster') {
      this.#write(external, [MARK, `goto ${service}`])
      return
    }
    const pods = `${this.#ip} saddr ${podRange} goto ${service} comment "short-circuit pod traffic"`
    this.#write(external, [
      ...(podRange === undefined ? [] : [pods]),
      `fib saddr type local ${MARK} comment "masquerade local traffic"`,
      `fib saddr type local goto ${service} comment "short-circuit local traffic"`,
      ...(forwards ? [`goto ${local}`] : []),
    ])
  }

  #masquerading({ addresses }: Destination): string[] {
    const { masqueradeAll, podRange } = this.#setting
    if (!masqueradeAll && podRange === undefined) return []
    const foreign = masqueradeAll ? '' : ` ${this.#ip} saddr != ${podRange}`
    return [`${this.#ip} daddr ${addresses[0]!.ip}${foreign} ${MARK}`]
  }

  #choose(destination: Destination, chain: string, backends: readonly Backend[], first: readonly string[]): void {
    const endpoints = backends.map(backend => endpointOf(destination, backend))
    const sticky = destination.affinitySeconds > 0 ? endpoints : []
    const known = sticky.map(name => `${this.#ip} saddr @affinity-${name} goto endpoint-${name}`)
    const slots = endpoints.map((name, slot) => `${slot} : goto endpoint-${name}`).join(', ')
    this.#write(chain, [...first, ...known, `numgen random mod ${endpoints.length} vmap { ${slots} }`])
  }

  #reach(destination: Destination, backend: Backend): void {
    const name = endpointOf(destination, backend)
    const { affinitySeconds, protocol } = destination
    const sticky = affinitySeconds > 0
    if (sticky) this.#chains.push(`\tset affinity-${name} { typeof saddr; timeout ${affinitySeconds}s; }`)
    this.#write(`endpoint-${name}`, [
      `${this.#ip} saddr ${backend.ip} ${MARK}`,
      ...(sticky ? [`update @affinity-${name} { ${this.#ip} saddr }`] : []),
      `meta l4proto ${protocol.toLowerCase()} dnat ${this.#ip} to ${backend.address}`,
    ])
  }

  #write(chain: string, rules: readonly string[]): void {
    writeChain(this.#chains, chain, rules)
  }

  write(): string {
    const lines = [`table ${this.#ip} ${KUBE_PROXY_TABLE} {`]
    const sets = [this.#clusterIPs, this.#nodePortIPs, this.#services, this.#nodePorts]
    for (const set of [...sets, this.#refusedServices, this.#refusedNodePorts, this.#guards]) set.write(lines)
    for (const [name, rules] of this.#frame()) writeChain(lines, name, rules)
    return [...lines, ...this.#chains, '}', ''].join('\n')
  }

  /** The chains that there is one of. */
  #frame(): [name: string, rules: string[]][] {
    const ip = this.#ip
    const place = `${ip} daddr . meta l4proto . th dport`
    const localhost = ip === 'ip' ? '127.0.0.0/8' : '::1'
    const onNode =
      this.#setting.nodePortIPs === undefined
        ? `fib daddr type local ${ip} daddr != ${localhost}`
        : `${ip} daddr @nodeport-ips`
    const [endpoints, firewall] = ['ct state new jump service-endpoints-check', 'ct state new jump firewall-check']
    const unknownPorts = 'ct state new jump cluster-ips-check'
    const hook = (type: string, at: string, ...rules: string[]) => [`type ${type} hook ${at};`, ...rules]
    return [
      ['filter-prerouting-pre-dnat', hook('filter', 'prerouting priority dstnat - 10', firewall)],
      ['filter-output-pre-dnat', hook('filter', 'output priority -110', firewall)],
      [
        'filter-input',
        hook('filter', 'input priority filter', 'ct state new jump nodeport-endpoints-check', endpoints),
      ],
      ['filter-forward', hook('filter', 'forward priority filter', endpoints, unknownPorts)],
      ['filter-output', hook('filter', 'output priority filter', endpoints, unknownPorts)],
      ['nat-prerouting', hook('nat', 'prerouting priority dstnat', 'jump services')],
      ['nat-output', hook('nat', 'output priority -100', 'jump services')],
      ['nat-postrouting', hook('nat', 'postrouting priority srcnat', 'jump masquerading')],
      ['nodeport-endpoints-check', [`${onNode} meta l4proto . th dport vmap @no-endpoint-nodeports`]],
      ['service-endpoints-check', [`${place} vmap @no-endpoint-services`]],
      ['firewall-check', [`${place} vmap @firewall-ips`]],
      ['services', [`${place} vmap @service-ips`, `${onNode} meta l4proto . th dport vmap @service-nodeports`]],
      [
        'cluster-ips-check',
        [`${ip} daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"`],
      ],
      [
        'masquerading',
        ['meta mark & 0x4000 == 0 return', 'meta mark set meta mark ^ 0x4000', 'masquerade fully-random'],
      ],
      ['mark-for-masquerade', ['meta mark set meta mark | 0x4000']],
      ['reject-chain', ['reject']],
    ]
  }
}

function chainsOf(destination: Destination) {
  const name = hashed(seedOf(destination))
  return {
    service: `service-${name}`,
    local: `local-${name}`,
    external: `external-${name}`,
    firewall: `firewall-${name}`,
  }
}

function endpointOf(destination: Destination, { ip, port }: Backend): string {
  return hashed(`${seedOf(destination)}__${ip.replaceAll(':', '.')}/${port}`)
}

function seedOf({ service, protocol, portName }: Destination): string {
  return `${service}/${protocol.toLowerCase()}/${portName}`
}

function hashed(name: string): string {
  return `${shortHash(name).slice(0, 8)}-${name}`
}

/** nft writes a range of one address as that address. */
function bare(range: string): string {
  return range.replace(/(?<=\..*)\/32$|\/128$/, '')
}
