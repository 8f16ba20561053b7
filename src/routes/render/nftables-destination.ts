/**
 * One destination in nftables. A plain one (every policy Cluster, no affinity) makes elements of maps that all share, and no chain: loading
 * costs chains, not elements. Others have chains of their own.
 */
import { hash } from 'node:crypto'
import { holds } from '../../wire/range.ts'
import { type Backend, type Destination, isExternal, nameOf, type VirtualAddress } from '../route.ts'
import type { Setting } from '../setting.ts'
import { type Usable, usable, verdict } from '../usable.ts'
import type { Part } from './merged.ts'
import { remark } from './nftables-elements.ts'
import { type Item, PartDraft } from './nftables-items.ts'

/** Words that differ between the families. */
export interface Words {
  readonly ip: 'ip' | 'ip6'
  readonly address: 'ipv4_addr' | 'ipv6_addr'
}

/** Has the connection masqueraded on its way out; bit 14, as kube-proxy's. */
export const MARK = 'meta mark set meta mark | 0x4000'

/** Ports are known only for protocols that have some. */
const withPorts = 'meta l4proto { tcp, udp, sctp }'

/** The maps and sets that all destinations share, by name. */
export function storages({ address }: Words): readonly (readonly ['map' | 'set', string, string])[] {
  const place = `${address} . inet_proto . inet_service`
  return [
    ['map', 'services', `type ${place} : verdict`],
    ['map', 'node-ports', 'type inet_proto . inet_service : verdict'],
    ['map', 'refused-services', `type ${place} : verdict`],
    ['map', 'refused-node-ports', 'type inet_proto . inet_service : verdict'],
    ['set', 'cluster-ips', `type ${address}`],
    ['set', 'cluster-ports', `type ${place}`],
    ['map', 'guards', `type ${place} : verdict`],
    ['set', 'hairpins', `type ${address} . ${address}`],
  ]
}

/** What a destination's items are written for, and into. */
interface Writing {
  readonly setting: Setting
  readonly words: Words
  readonly part: PartDraft
}

/** What a destination adds to the table. */
export function partOf(destination: Destination, setting: Setting, words: Words): Part<Item> {
  const part = new PartDraft(`${nameOf(destination)}/${destination.protocol}`)
  write(destination, { setting, words, part })
  return part
}

function write(destination: Destination, into: Writing): void {
  const { part, setting } = into
  const found = usable(destination, setting.place)
  const internal = verdict(destination, found, 'internal')
  const external = verdict(destination, found, 'external')
  const plain = destination.affinitySeconds === 0 && internal.action === 'forward' && isPlain(destination)
  const chains = plain || !found.anywhere ? undefined : ownChains(destination, found, into)
  for (const address of destination.addresses) {
    const { kind, ip, port } = address
    const inner = kind === 'ClusterIP'
    const place = `${destination.protocol.toLowerCase()} . ${port}`
    if (inner) part.element('cluster-ips', ip)
    if (inner) part.element('cluster-ports', `${ip} . ${place}`)
    const { action } = inner ? internal : external
    const refusal = action === 'REJECT' ? 'goto refuse' : 'drop'
    if (action !== 'forward') {
      if (kind === 'NodePort') part.element('refused-node-ports', place, refusal)
      else part.element('refused-services', `${ip} . ${place}`, refusal)
    }
    // Where a Local policy has no endpoint here, pods and the node itself still get through to others.
    if (!found.anywhere || (inner && action !== 'forward')) continue
    if (chains === undefined) addPlain(address, place, found.cluster, into)
    else addOwn(address, place, inner ? chains.inner : chains.outer, into)
  }
  guard(destination, found, into)
  for (const { ip } of found.reachable) part.element('hairpins', `${ip} . ${ip}`)
}

function isPlain({ internalPolicy, externalPolicy }: Destination): boolean {
  return internalPolicy === 'Cluster' && externalPolicy === 'Cluster'
}

function addPlain({ kind, ip }: VirtualAddress, place: string, backends: readonly Backend[], into: Writing): void {
  const count = backends.length
  balance(count, into)
  const values = backends.map(backend => `${backend.ip} . ${backend.port}`)
  if (kind === 'NodePort') {
    into.part.element('node-ports', place, `goto node-port-${count}`, { of: `node-port-endpoints-${count}`, values })
    return
  }
  const verdict = `goto ${kind === 'ClusterIP' ? 'balance' : 'external'}-${count}`
  into.part.element('services', `${ip} . ${place}`, verdict, { of: `endpoints-${count}`, values })
}

/** The maps for all destinations of so many endpoints, and the chains that look the endpoint up in them. */
function balance(count: number, { part, words: { ip } }: Writing): void {
  const to = `meta l4proto . th dport . numgen random mod ${count}`
  part.storage('map', `endpoints-${count}`, `typeof ${ip} daddr . ${to} : ${ip} daddr . th dport`)
  part.storage('map', `node-port-endpoints-${count}`, `typeof ${to} : ${ip} daddr . th dport`)
  part.commonChain(`balance-${count}`, [`${withPorts} dnat ${ip} to ${ip} daddr . ${to} map @endpoints-${count}`])
  part.commonChain(`external-${count}`, [MARK, `goto balance-${count}`])
  part.commonChain(`node-port-${count}`, [MARK, `${withPorts} dnat ${ip} to ${to} map @node-port-endpoints-${count}`])
}

function addOwn({ kind, ip }: VirtualAddress, place: string, chain: string, { part }: Writing): void {
  if (kind === 'NodePort') part.element('node-ports', place, `goto ${chain}`)
  else part.element('services', `${ip} . ${place}`, `goto ${chain}`)
}

/** Makes the chains of a destination that is not plain, and names those that its addresses lead to. */
function ownChains(
  destination: Destination,
  { cluster, local }: Usable,
  into: Writing,
): { inner: string; outer: string } {
  const tail = tailOf(destination)
  const [toCluster, toLocal, outer] = [`cluster-${tail}`, `local-${tail}`, `outside-${tail}`]
  if (cluster.length > 0) choose(destination, toCluster, cluster, into)
  if (local.length > 0) choose(destination, toLocal, local, into)
  if (isExternal(destination))
    into.part.chain(outer, outsideRules(destination, toCluster, local.length > 0 ? toLocal : undefined, into))
  return { inner: destination.internalPolicy === 'Local' ? toLocal : toCluster, outer }
}

/** What comes for addresses that the outside uses; for the Local policy see `path.ts`. */
function outsideRules(
  { externalPolicy }: Destination,
  cluster: string,
  local: string | undefined,
  { setting, words }: Writing,
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
function choose(destination: Destination, chain: string, backends: readonly Backend[], into: Writing): void {
  const { affinitySeconds, protocol } = destination
  const { ip, address } = into.words
  const note = remark(nameOf(destination))
  const named = `meta l4proto ${protocol.toLowerCase()}`
  const random = `numgen random mod ${backends.length}`
  if (affinitySeconds === 0) {
    const slots = backends.map((backend, slot) => `${slot} : ${backend.ip} . ${backend.port}`).join(', ')
    into.part.chain(chain, [`${named} dnat ${ip} to ${random} map { ${slots} } ${note}`])
    return
  }
  const chains = backends.map((_, slot) => `${chain}-${slot}`)
  // How long they are remembered is a matter of the set: with another time it is another one.
  // Which chain chose the endpoint does not matter: a client that one address gave it has it at the others too.
  const tail = tailOf(destination)
  const sets = backends.map(backend => `clients-${shortHash(`${tail} ${backend.address} ${affinitySeconds}`)}`)
  const remembering = `type ${address}; flags dynamic,timeout; timeout ${affinitySeconds}s;`
  for (const set of sets) into.part.storage('set', set, remembering)
  backends.forEach((backend, slot) => {
    const enter = `update @${sets[slot]} { ${ip} saddr }`
    into.part.chain(chains[slot]!, [enter, `${named} dnat ${ip} to ${backend.address}`])
  })
  const slots = chains.map((own, slot) => `${slot} : goto ${own}`).join(', ')
  const known = chains.map((own, slot) => `${ip} saddr @${sets[slot]} goto ${own}`)
  into.part.chain(chain, [...known, `${random} vmap { ${slots} } ${note}`])
}

/** Drops what does not come from the source ranges. A rule for each: ranges in a set must not overlap. */
function guard(destination: Destination, { anywhere }: Usable, into: Writing): void {
  const { addresses, sourceRanges, protocol } = destination
  const balanced = addresses.filter(({ kind }) => kind === 'LoadBalancer')
  if (!anywhere || sourceRanges.length === 0 || balanced.length === 0) return
  const { ip } = into.words
  const chain = `guard-${tailOf(destination)}`
  for (const { ip, port } of balanced)
    into.part.element('guards', `${ip} . ${protocol.toLowerCase()} . ${port}`, `goto ${chain}`)
  const sources = [
    ...sourceRanges,
    ...(sourceRanges.some(range => holds(range, into.setting.nodeIP)) ? balanced.map(address => address.ip) : []),
  ]
  into.part.chain(chain, [
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
