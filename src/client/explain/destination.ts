/**
 * What becomes of a connection from a pod to an address: the route on the pod's node, the endpoints behind it, whether network policies
 * let it through, and how the packets get there.
 */
import type { ClusterView } from '../../cluster/contract.ts'
import { keyOf, type Node, type Pod, type Protocol } from '../../cluster/objects.ts'
import { hostPort } from '../../corefile/addresses.ts'
import { anyAddress } from '../../routes/compile.ts'
import { pathOf } from '../../routes/path.ts'
import { type AddressKind, nameOf, type Route } from '../../routes/route.ts'
import { type RenderOptions, settingOf } from '../../routes/setting.ts'
import type { Routes } from '../../routes/table.ts'
import { familyOf } from '../../wire/address.ts'
import { hostPorts, hostPortText } from '../host-ports.ts'
import { type Hop, lastHop } from '../last-hop.ts'
import { type Connection, endAt, endOfPod, NetworkPolicies, type Verdict } from '../policy/verdict.ts'
import { unreadiness } from '../readiness.ts'
import { Addresses } from './addresses.ts'
import { endpointLack } from './usable-endpoints.ts'

/** The cluster, and who asks from where. */
export interface Standpoint {
  readonly view: ClusterView
  readonly addresses: Addresses
  readonly policies: NetworkPolicies
  readonly pod: Pod
  /** The node that the pod is on, as far as it is known. */
  readonly node: Pick<Node, 'name' | 'zone' | 'internalIPs'>
  /** What kube-proxy's flags say. */
  readonly flags: Omit<RenderOptions, 'family' | 'node'>
}

/** A pod in the cluster as it is now: it is of no use once that has changed. */
export function standpointOf(view: ClusterView, pod: Pod, flags: Standpoint['flags']): Standpoint {
  const node = view.get('Node', pod.nodeName) ?? { name: pod.nodeName, zone: '', internalIPs: [] }
  return { view, addresses: new Addresses(view), policies: new NetworkPolicies(view), pod, node, flags }
}

export interface Door {
  readonly protocol: Protocol
  readonly port: number
}

/** `reachable` where at least one endpoint is. */
export type Outcome = 'reachable' | 'no endpoint' | 'denied' | 'outside'

export interface DestinationFacts {
  readonly ip: string
  readonly port: number
  readonly protocol: Protocol
  /** `pod` for an address that no route leads on from; `outside` for one that the cluster does not know. */
  readonly kind: AddressKind | 'pod' | 'node' | 'outside'
  /** `namespace/name:port` of the service that has the address; undefined where none has. */
  readonly service: string | undefined
  readonly outcome: Outcome
  /** A sentence without its full stop. */
  readonly why: string
  /** The policy that endpoints are chosen by, and what it leaves. */
  readonly choice: string | undefined
  /** Whose address the endpoint sees, and why; undefined where nothing is forwarded. */
  readonly source: string | undefined
  readonly backends: readonly BackendFacts[]
  readonly notes: readonly string[]
}

export interface BackendFacts {
  readonly address: string
  /** Empty where no pod has the address. */
  readonly pod: string
  readonly node: string
  readonly probability: number
  readonly policy: Verdict
  readonly hop: Pick<Hop, 'kind' | 'via' | 'why' | 'evidence' | 'caveats'> | undefined
}

/** Without a port, each that the address has. */
export function destinations(stand: Standpoint, ip: string, door: Partial<Door>): DestinationFacts[] {
  const table = stand.addresses.routes(ip, door.port)
  const routes = [...table.all()].filter(route => route.ip === ip && isUsed(table, route))
  if (routes.length > 0) {
    const meant = routes.filter(route => fits(route, door))
    return meant.length > 0 ? meant.map(route => routed(stand, ip, route)) : [unknownPort(ip, door, routes)]
  }
  const end = endAt(stand.view, ip)
  if (end.is === 'node' && door.port !== undefined) {
    const nodePort = table.find(anyAddress[familyOf(ip)], door.protocol ?? 'TCP', door.port)
    if (nodePort !== undefined) return [routed(stand, ip, nodePort)]
  }
  const doors = door.port === undefined ? doorsOf(stand, ip, end.pod) : [doorFrom(door, door.port)]
  return doors.map(own => direct(stand, ip, own))
}

/** Of services that claim one address only the first has it. */
function isUsed(routes: Routes, { ip, protocol, port, destination }: Route): boolean {
  return routes.find(ip, protocol, port)?.destination === destination
}

function fits(route: Route, { protocol, port }: Partial<Door>): boolean {
  return (port === undefined || route.port === port) && (protocol === undefined || route.protocol === protocol)
}

function doorFrom({ protocol = 'TCP' }: Partial<Door>, port: number): Door {
  return { protocol, port }
}

function unknownPort(
  ip: string,
  { protocol = 'TCP', port = 0 }: Partial<Door>,
  routes: readonly Route[],
): DestinationFacts {
  const has = routes.map(route => `${route.port}/${route.protocol}`).join(', ')
  const [{ destination, kind }] = routes as [Route]
  const why = `service ${destination.service} has no port ${port}/${protocol}: it has ${has}`
  return { ...bare, ip, port, protocol, kind, service: destination.service, outcome: 'no endpoint', why }
}

const bare = { service: undefined, choice: undefined, source: undefined, backends: [], notes: [] } as const

/** The doors of a pod's own address: what slices lead to there, or what its containers name, or any. */
function doorsOf({ addresses }: Standpoint, ip: string, pod: Pod | undefined): Door[] {
  const named = pod?.detail?.containers.flatMap(({ ports }) => ports) ?? []
  const served = addresses
    .slices(ip)
    .filter(slice => pod === undefined || slice.namespace === pod.namespace)
    .flatMap(slice => slice.ports)
  const all = [...served, ...named].flatMap(({ protocol, port }) => (port === undefined ? [] : { protocol, port }))
  const distinct = new Map(all.map(door => [`${door.port}/${door.protocol}`, door]))
  return distinct.size > 0 ? [...distinct.values()] : [{ protocol: 'TCP', port: 0 }]
}

function routed(stand: Standpoint, ip: string, route: Route): DestinationFacts {
  const { destination, kind, protocol } = route
  const family = familyOf(ip)
  const own = ownIP(stand.pod, ip)
  const setting = settingOf({ family, node: stand.node, ...stand.flags })
  const { outcome, usable } = pathOf(route, setting, own)
  const port = route.port
  const common = {
    ...bare,
    ip,
    port,
    protocol,
    kind,
    service: nameOf(destination),
    notes: usable.topology ? [`${usable.topology}: only endpoints meant for here are used`] : [],
  }
  const policy = kind === 'ClusterIP' ? destination.internalPolicy : destination.externalPolicy
  if (outcome.action !== 'forward') {
    const service = stand.view.service(destination.service)
    const lack = outcome.reason === 'no endpoints' && service ? endpointLack(stand.view, service) : undefined
    const verb = outcome.action === 'DROP' ? 'dropped' : 'rejected'
    const why = `service ${nameOf(destination)} is ${verb}${nodeText(stand)}: ${lack?.why ?? outcome.why}`
    return { ...common, outcome: 'no endpoint', why, notes: [...common.notes, ...(lack?.each ?? [])] }
  }
  const backends = outcome.backends.map(backend =>
    backendFacts(stand, backend.ip, backend.address, { protocol, port: backend.port }, 1 / outcome.backends.length),
  )
  const source = outcome.masquerade ? `the node's address (${outcome.why})` : `${own ?? 'the client'} (${outcome.why})`
  const hairpin = outcome.hairpin
    ? [`the pod is one of the endpoints: when it reaches itself, the node's address is the source`]
    : []
  return {
    ...common,
    ...judged(backends, `service ${nameOf(destination)} at ${addressText(ip, port, protocol)}`),
    choice: `${kind === 'ClusterIP' ? 'internal' : 'external'}TrafficPolicy ${policy}, ${backends.length} of ${destination.backends.length} endpoints`,
    source,
    backends,
    notes: [...common.notes, ...hairpin],
  }
}

/** An address that no route leads on from: a pod's, a node's, or one outside. */
function direct(stand: Standpoint, ip: string, { protocol, port }: Door): DestinationFacts {
  const end = endAt(stand.view, ip)
  const common = { ...bare, ip, port, protocol }
  const backend = backendFacts(stand, ip, hostPort(ip, port), { protocol, port }, 1)
  const at = addressText(ip, port, protocol)
  if (end.is === 'address') {
    const facts = judged([backend], at)
    const why =
      facts.outcome === 'denied'
        ? facts.why
        : `${ip} is outside of the cluster: what becomes of packets there is not known here`
    return {
      ...common,
      kind: 'outside',
      outcome: facts.outcome === 'denied' ? 'denied' : 'outside',
      why,
      backends: [backend],
    }
  }
  if (end.is === 'node') {
    const who = end.node === '' ? 'a node' : `node ${end.node}`
    return {
      ...common,
      kind: 'node',
      ...judged([backend], at),
      why: `${ip} is ${who}'s own address, and no service has port ${port}/${protocol} there`,
      outcome: 'no endpoint',
    }
  }
  const { pod } = end
  const lack = unreadiness(pod)
  const notes = [...(lack === undefined ? [] : [lack]), ...hostPorts(stand.view, pod).map(hostPortText)]
  return {
    ...common,
    kind: 'pod',
    ...listening(pod, judged([backend], at), port, protocol),
    backends: [backend],
    notes,
  }
}

/** Containers need not name their ports; where they name some, another is likely a mistake. */
function listening(pod: Pod, facts: Pick<DestinationFacts, 'outcome' | 'why'>, port: number, protocol: Protocol) {
  const named = pod.detail?.containers.flatMap(({ ports }) => ports) ?? []
  if (facts.outcome !== 'reachable' || port === 0 || named.length === 0) return facts
  if (named.some(own => own.port === port && own.protocol === protocol)) return facts
  const has = named.map(own => `${own.port}/${own.protocol}`).join(', ')
  const why = `no container of pod ${keyOf(pod)} names port ${port}/${protocol} (they name ${has}), and a pod's own address translates no ports`
  return { outcome: 'no endpoint' as const, why }
}

function backendFacts(stand: Standpoint, ip: string, address: string, door: Door, probability: number): BackendFacts {
  const { view, pod, policies } = stand
  const to = endAt(view, ip)
  const connection: Connection = { from: endOfPod(pod, ownIP(pod, ip) ?? ''), to, ...door }
  const target = to.is === 'pod' ? to.pod : undefined
  const hop = target && lastHop(view, pod.nodeName, target, ip)
  const node = to.is === 'pod' ? to.pod.nodeName : to.is === 'node' ? to.node : ''
  return { address, pod: target ? keyOf(target) : '', node, probability, policy: policies.judge(connection), hop }
}

function judged(backends: readonly BackendFacts[], at: string): Pick<DestinationFacts, 'outcome' | 'why'> {
  const open = backends.filter(({ policy }) => policy.allowed)
  if (open.length > 0) {
    const closed = backends.length - open.length
    const some = closed === 0 ? '' : `; ${closed} of ${backends.length} endpoints are denied by network policy`
    const [only] = open as [BackendFacts]
    const direct = at.startsWith(only.address)
    const where = direct
      ? `is pod ${only.pod}`
      : `leads to ${open.length === 1 ? only.address : `${open.length} endpoints`}`
    return { outcome: 'reachable', why: `${at} ${where}${some}` }
  }
  const [first] = backends
  const near = first === undefined ? [] : [...first.policy.egress.nearMisses, ...first.policy.ingress.nearMisses]
  const but = near.length === 0 ? '' : ` (${near[0]!.why})`
  return { outcome: 'denied', why: `${first?.policy.why ?? 'there is no endpoint'}${but}` }
}

function ownIP({ podIPs }: Pod, ip: string): string | undefined {
  return podIPs.find(own => familyOf(own) === familyOf(ip))
}

function nodeText({ node }: Standpoint): string {
  return node.name === '' ? '' : ` on node ${node.name}`
}

export function addressText(ip: string, port: number, protocol: Protocol): string {
  return port === 0 ? ip : `${hostPort(ip, port)}/${protocol}`
}
