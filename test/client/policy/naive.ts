/**
 * A second evaluator of network policies, to compare the real one with. It reads plain API JSON, and goes the other way round: for each
 * pod and direction it writes down everything that may be reached, connection by connection, and then looks whether the one in
 * question is among them. Slow, and shares no code with what it is compared with.
 */
import { BlockList, isIPv6 } from 'node:net'

export interface SelectorJson {
  readonly matchLabels?: Record<string, string>
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: string[] }[]
}

export interface PeerJson {
  readonly podSelector?: SelectorJson
  readonly namespaceSelector?: SelectorJson
  readonly ipBlock?: { readonly cidr: string; readonly except?: string[] }
}

export interface PortJson {
  readonly protocol?: string
  readonly port?: number | string
  readonly endPort?: number
}

export interface RuleJson {
  readonly from?: readonly PeerJson[]
  readonly to?: readonly PeerJson[]
  readonly ports?: readonly PortJson[]
}

export interface PolicyJson {
  readonly namespace: string
  readonly name: string
  readonly spec: {
    readonly podSelector: SelectorJson
    readonly policyTypes?: string[]
    readonly ingress?: readonly RuleJson[]
    readonly egress?: readonly RuleJson[]
  }
}

/** An end of a connection: a pod where it has a namespace, a node where it has only a node, else an address. */
export interface Host {
  readonly ip: string
  readonly namespace?: string
  readonly name?: string
  readonly labels?: Record<string, string>
  readonly node?: string
  readonly hostNetwork?: boolean
  readonly ports?: readonly { readonly name?: string; readonly protocol?: string; readonly containerPort: number }[]
}

export interface World {
  readonly namespaces: Record<string, Record<string, string>>
  readonly hosts: readonly Host[]
  readonly ports: readonly number[]
  readonly policies: readonly PolicyJson[]
}

const protocols = ['TCP', 'UDP', 'SCTP']

export function naivelyAllowed(world: World, from: Host, to: Host, protocol: string, port: number): boolean {
  return (
    sideAllows(world, 'Egress', from, to, to, protocol, port) &&
    sideAllows(world, 'Ingress', to, from, to, protocol, port)
  )
}

function sideAllows(world: World, type: string, own: Host, peer: Host, to: Host, protocol: string, port: number) {
  if (!isPod(own) || own === peer) return true
  if (!isPod(peer) && peer.node !== undefined && peer.node === own.node) return true
  const applying = world.policies.filter(policy => {
    if (policy.namespace !== own.namespace || !matched(policy.spec.podSelector, own.labels ?? {})) return false
    const given = policy.spec.policyTypes ?? []
    if (given.length > 0) return given.includes(type)
    return type === 'Ingress' || (policy.spec.egress ?? []).length > 0
  })
  if (applying.length === 0) return true
  const open = new Set<string>()
  for (const { namespace, spec } of applying) {
    for (const rule of (type === 'Ingress' ? spec.ingress : spec.egress) ?? []) {
      const peers = (type === 'Ingress' ? rule.from : rule.to) ?? []
      const hosts = peers.length === 0 ? world.hosts : peers.flatMap(peer => hostsOf(world, namespace, peer))
      for (const host of hosts) {
        const destination = type === 'Ingress' ? to : host
        for (const spot of spots(rule.ports ?? [], destination, world.ports))
          open.add(`${world.hosts.indexOf(host)} ${spot}`)
      }
    }
  }
  return open.has(`${world.hosts.indexOf(peer)} ${protocol} ${port}`)
}

function isPod(host: Host): boolean {
  return host.namespace !== undefined && !host.hostNetwork
}

function hostsOf(world: World, home: string, peer: PeerJson): Host[] {
  if (peer.ipBlock) {
    const { cidr, except = [] } = peer.ipBlock
    // BlockList finds IPv4 addresses in ranges of IPv6: each family has its own here.
    const holds = (ranges: readonly string[], ip: string) =>
      listOf(ranges, isIPv6(ip)).check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
    return world.hosts.filter(({ ip }) => holds([cidr], ip) && !holds(except, ip))
  }
  const names = Object.keys(world.namespaces)
  const rooms = peer.namespaceSelector
    ? names.filter(name => matched(peer.namespaceSelector!, world.namespaces[name]!))
    : [home]
  const pods = world.hosts.filter(host => isPod(host) && rooms.includes(host.namespace!))
  return peer.podSelector ? pods.filter(({ labels = {} }) => matched(peer.podSelector!, labels)) : pods
}

function listOf(ranges: readonly string[], six: boolean): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', prefix] = range.split('/')
    if (isIPv6(net) === six) list.addSubnet(net, Number(prefix), six ? 'ipv6' : 'ipv4')
  }
  return list
}

/** Every protocol and port that the list opens on this destination. */
function spots(list: readonly PortJson[], destination: Host, universe: readonly number[]): string[] {
  if (list.length === 0) return protocols.flatMap(protocol => universe.map(port => `${protocol} ${port}`))
  return list.flatMap(({ protocol = 'TCP', port, endPort }) => {
    if (port === undefined) return universe.map(number => `${protocol} ${number}`)
    if (typeof port === 'number') {
      const numbers = endPort === undefined ? [port] : universe.filter(number => number >= port && number <= endPort)
      return numbers.map(number => `${protocol} ${number}`)
    }
    if (!isPod(destination)) return []
    const named = (destination.ports ?? []).filter(own => own.name === port && (own.protocol ?? 'TCP') === protocol)
    return named.map(({ containerPort }) => `${protocol} ${containerPort}`)
  })
}

function matched({ matchLabels = {}, matchExpressions = [] }: SelectorJson, labels: Record<string, string>): boolean {
  for (const [key, value] of Object.entries(matchLabels)) if (labels[key] !== value) return false
  for (const { key, operator, values = [] } of matchExpressions) {
    const present = key in labels
    if (operator === 'Exists' && !present) return false
    if (operator === 'DoesNotExist' && present) return false
    if (operator === 'In' && !(present && values.includes(labels[key]!))) return false
    if (operator === 'NotIn' && present && values.includes(labels[key]!)) return false
  }
  return true
}
