/**
 * One destination in nftables. A plain one (every policy Cluster, no affinity) makes elements of maps that all share, and no chain: loading
 * costs chains, not elements. Others have chains of their own.
 */
import { hash } from 'node:crypto'
import { holds } from '../../wire/range.ts'
import { type Backend, type Destination, isExternal, nameOf, type VirtualAddress } from '../route.ts'
import type { Setting } from '../setting.ts'
import { type Usable, usable, verdict } from '../usable.ts'
import { Elements, remark, writeChain } from './nftables-elements.ts'

/** Words that differ between the families. */
export interface Words {
  readonly ip: 'ip' | 'ip6'
  readonly address: 'ipv4_addr' | 'ipv6_addr'
}

/** Has the connection masqueraded on its way out; bit 14, as kube-proxy's. */
export const MARK = 'meta mark set meta mark | 0x4000'

/** Ports are known only for protocols that have some. */
const withPorts = 'meta l4proto { tcp, udp, sctp }'

/** The shared maps and sets of one table, and the chains that some destinations have. */
export class Collection {
  readonly setting: Setting
  readonly words: Words
  readonly services: Elements
  readonly nodePorts: Elements
  readonly refusedServices: Elements
  readonly refusedNodePorts: Elements
  readonly clusterIPs: Elements
  /** Cluster addresses with their ports. */
  readonly clusterPorts: Elements
  readonly guards: Elements
  readonly hairpins: Elements
  readonly chains: string[] = []
  /** Endpoints of plain destinations, by how many of them there are. */
  readonly #byCount = new Map<number, { readonly services: Elements; readonly nodePorts: Elements }>()

  constructor(setting: Setting, words: Words) {
    this.setting = setting
    this.words = words
    const { address } = words
    const place = `${address} . inet_proto . inet_service`
    this.services = new Elements(`map services { type ${place} : verdict`)
    this.nodePorts = new Elements('map node-ports { type inet_proto . inet_service : verdict')
    this.refusedServices = new Elements(`map refused-services { type ${place} : verdict`)
    this.refusedNodePorts = new Elements('map refused-node-ports { type inet_proto . inet_service : verdict')
    this.clusterIPs = new Elements(`set cluster-ips { type ${address}`)
    this.clusterPorts = new Elements(`set cluster-ports { type ${place}`)
    this.guards = new Elements(`map guards { type ${place} : verdict`)
    this.hairpins = new Elements(`set hairpins { type ${address} . ${address}`)
  }

  /** The maps for destinations of so many endpoints, which also have chains that look the endpoint up. */
  ofCount(count: number): { readonly services: Elements; readonly nodePorts: Elements } {
    const known = this.#byCount.get(count)
    if (known !== undefined) return known
    const { ip } = this.words
    const to = `meta l4proto . th dport . numgen random mod ${count}`
    const made = {
      services: new Elements(`map endpoints-${count} { typeof ${ip} daddr . ${to} : ${ip} daddr . th dport`),
      nodePorts: new Elements(`map node-port-endpoints-${count} { typeof ${to} : ${ip} daddr . th dport`),
    }
    this.#byCount.set(count, made)
    const balance = `${withPorts} dnat ${ip} to ${ip} daddr . ${to} map @endpoints-${count}`
    writeChain(this.chains, `balance-${count}`, [balance])
    writeChain(this.chains, `external-${count}`, [MARK, `goto balance-${count}`])
    const nodePort = `${withPorts} dnat ${ip} to ${to} map @node-port-endpoints-${count}`
    writeChain(this.chains, `node-port-${count}`, [MARK, nodePort])
    return made
  }

  *maps(): Iterable<Elements> {
    yield* [this.services, this.nodePorts, this.refusedServices, this.refusedNodePorts]
    yield* [this.clusterIPs, this.clusterPorts, this.guards, this.hairpins]
    for (const { services, nodePorts } of this.#byCount.values()) yield* [services, nodePorts]
  }
}

/** Adds what a destination needs to the collection. */
export function collect(destination: Destination, into: Collection): void {
  const found = usable(destination, into.setting.place)
  const internal = verdict(destination, found, 'internal')
  const external = verdict(destination, found, 'external')
  const plain = destination.affinitySeconds === 0 && internal.action === 'forward' && isPlain(destination)
  const chains = plain || !found.anywhere ? undefined : ownChains(destination, found, into)
  for (const address of destination.addresses) {
    const { kind, ip, port } = address
    const inner = kind === 'ClusterIP'
    const place = `${destination.protocol.toLowerCase()} . ${port}`
    if (inner) into.clusterIPs.add(ip)
    if (inner) into.clusterPorts.add(`${ip} . ${place}`)
    const { action } = inner ? internal : external
    const refusal = action === 'REJECT' ? 'goto refuse' : 'drop'
    if (action !== 'forward') {
      if (kind === 'NodePort') into.refusedNodePorts.add(place, refusal)
      else into.refusedServices.add(`${ip} . ${place}`, refusal)
    }
    // Where a Local policy has no endpoint here, pods and the node itself still get through to others.
    if (!found.anywhere || (inner && action !== 'forward')) continue
    if (chains === undefined) addPlain(address, place, found.cluster, into)
    else addOwn(address, place, inner ? chains.inner : chains.outer, into)
  }
  guard(destination, found, into)
  for (const { ip, nodeName } of found.reachable) {
    // Another node's pod reaches itself through this one only where the outside's way keeps its address.
    const elsewhere = nodeName !== '' && nodeName !== into.setting.place.node
    if (!elsewhere || destination.externalPolicy === 'Local') into.hairpins.add(`${ip} . ${ip}`)
  }
}

function isPlain({ internalPolicy, externalPolicy }: Destination): boolean {
  return internalPolicy === 'Cluster' && externalPolicy === 'Cluster'
}

function addPlain({ kind, ip }: VirtualAddress, place: string, backends: readonly Backend[], into: Collection): void {
  const count = backends.length
  const maps = into.ofCount(count)
  const nodePort = kind === 'NodePort'
  const chain = nodePort ? 'node-port' : kind === 'ClusterIP' ? 'balance' : 'external'
  const [verdicts, endpoints] = nodePort ? [into.nodePorts, maps.nodePorts] : [into.services, maps.services]
  const key = nodePort ? place : `${ip} . ${place}`
  if (!verdicts.add(key, `goto ${chain}-${count}`)) return
  for (const [slot, backend] of backends.entries()) endpoints.add(`${key} . ${slot}`, `${backend.ip} . ${backend.port}`)
}

function addOwn({ kind, ip }: VirtualAddress, place: string, chain: string, into: Collection): void {
  if (kind === 'NodePort') into.nodePorts.add(place, `goto ${chain}`)
  else into.services.add(`${ip} . ${place}`, `goto ${chain}`)
}

/** Makes the chains of a destination that is not plain, and names those that its addresses lead to. */
function ownChains(
  destination: Destination,
  { cluster, local }: Usable,
  into: Collection,
): { inner: string; outer: string } {
  const tail = tailOf(destination)
  const [toCluster, toLocal, outer] = [`cluster-${tail}`, `local-${tail}`, `outside-${tail}`]
  if (cluster.length > 0) choose(destination, toCluster, cluster, into)
  if (local.length > 0) choose(destination, toLocal, local, into)
  if (isExternal(destination))
    writeChain(into.chains, outer, outsideRules(destination, toCluster, local.length > 0 ? toLocal : undefined, into))
  return { inner: destination.internalPolicy === 'Local' ? toLocal : toCluster, outer }
}

/** What comes for addresses that the outside uses; for the Local policy see `path.ts`. */
function outsideRules(
  { externalPolicy }: Destination,
  cluster: string,
  local: string | undefined,
  { setting, words }: Collection,
): string[] {
  if (externalPolicy === 'Cluster') return [MARK, `goto ${cluster}`]
  const { podRange } = setting
  return [
    ...(podRange === undefined ? [] : [`${words.ip} saddr ${podRange} goto ${cluster}`]),
    `fib saddr type local ${MARK}`,
    `fib saddr type local goto ${cluster}`,
    ...(local === undefined ? [] : [`goto ${local}`]),
  ]
}

/** A chain that chooses an endpoint. With affinity each endpoint has a set of the clients that it has had, and a chain that enters them. */
function choose(destination: Destination, chain: string, backends: readonly Backend[], into: Collection): void {
  const { affinitySeconds, protocol } = destination
  const { ip, address } = into.words
  const note = remark(nameOf(destination))
  const named = `meta l4proto ${protocol.toLowerCase()}`
  const random = `numgen random mod ${backends.length}`
  if (affinitySeconds === 0) {
    const slots = backends.map((backend, slot) => `${slot} : ${backend.ip} . ${backend.port}`).join(', ')
    writeChain(into.chains, chain, [`${named} dnat ${ip} to ${random} map { ${slots} } ${note}`])
    return
  }
  const chains = backends.map((_, slot) => `${chain}-${slot}`)
  const sets = backends.map(backend => `clients-${shortHash(`${chain} ${backend.address}`)}`)
  for (const set of sets)
    into.chains.push(`\tset ${set} { type ${address}; flags dynamic,timeout; timeout ${affinitySeconds}s; }`)
  backends.forEach((backend, slot) => {
    const enter = `update @${sets[slot]} { ${ip} saddr }`
    writeChain(into.chains, chains[slot]!, [enter, `${named} dnat ${ip} to ${backend.address}`])
  })
  const slots = chains.map((own, slot) => `${slot} : goto ${own}`).join(', ')
  const known = chains.map((own, slot) => `${ip} saddr @${sets[slot]} goto ${own}`)
  writeChain(into.chains, chain, [...known, `${random} vmap { ${slots} } ${note}`])
}

/** Drops what does not come from the source ranges. A rule for each: ranges in a set must not overlap. */
function guard(destination: Destination, { anywhere }: Usable, into: Collection): void {
  const { addresses, sourceRanges, protocol } = destination
  const balanced = addresses.filter(({ kind }) => kind === 'LoadBalancer')
  if (!anywhere || sourceRanges.length === 0 || balanced.length === 0) return
  const { ip } = into.words
  const chain = `guard-${tailOf(destination)}`
  const fresh = balanced.map(address =>
    into.guards.add(`${address.ip} . ${protocol.toLowerCase()} . ${address.port}`, `goto ${chain}`),
  )
  if (!fresh.includes(true)) return
  const sources = [
    ...sourceRanges,
    ...(sourceRanges.some(range => holds(range, into.setting.nodeIP)) ? balanced.map(address => address.ip) : []),
  ]
  writeChain(into.chains, chain, [
    ...sources.map(source => `${ip} saddr ${source} return`),
    `drop ${remark(nameOf(destination))}`,
  ])
}

/** What the chains of a destination end in. Tells destinations apart: names may be longer than those of nftables. */
export function tailOf(destination: Destination): string {
  return shortHash(`${nameOf(destination)}/${destination.protocol}`)
}

function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 16)
}
