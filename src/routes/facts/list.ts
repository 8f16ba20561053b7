/** Every virtual address, what it leads to, and the services that have none: the facts. */
import type { Node } from '../../cluster/objects.ts'
import type { Family } from '../../wire/address.ts'
import { nameOf, type Route, type Routeless } from '../route.ts'
import { type Place, type Refusal, usable, verdict } from '../usable.ts'
import { type KnownCluster, lackOf, nodeOf } from './cluster.ts'
import { familiesOf, type Question, type Said } from './question.ts'

export interface RouteFacts {
  readonly address: string
  readonly port: number
  readonly protocol: string
  readonly kind: Route['kind']
  /** `namespace/name:port`. */
  readonly service: string
  /** What becomes of a connection from outside the cluster; without a node, what does not depend on one. */
  readonly action: 'forward' | Refusal['action']
  readonly why: string | undefined
  readonly usable: number
  readonly endpoints: number
  readonly notes: readonly string[]
}

export interface ListFacts {
  readonly node: string | undefined
  /** What of the node is not known, and why; undefined where nothing is missing. */
  readonly lack: string | undefined
  readonly routes: readonly RouteFacts[]
  /** The services without routes. */
  readonly without: readonly (Routeless & { readonly service: string })[]
}

export function list(said: Said): Question<ListFacts> {
  const families = familiesOf(said)
  return { pods: false, answer: cluster => factsOf(cluster, nodeOf(said.text('node'), cluster.state), families) }
}

function factsOf(cluster: KnownCluster, node: Node | undefined, families: readonly Family[]): ListFacts {
  const { table } = cluster
  const place = node && { node: node.name, zone: node.zone }
  const routes = [...table.all()]
    .filter(({ destination }) => families.includes(destination.family))
    .map(route => routeFacts(route, place, table.find(route.ip, route.protocol, route.port)))
  const without = [...table.routeless()].map(([service, { reason, text }]) => ({ service, reason, text }))
  return { node: node?.name, lack: lackOf(cluster, node), routes, without }
}

function routeFacts(route: Route, place: Place | undefined, owner: Route | undefined): RouteFacts {
  const { destination, kind, ip, port, protocol } = route
  const found = usable(destination, place ?? { node: '', zone: '' })
  const side = kind === 'ClusterIP' ? 'internal' : 'external'
  const said = verdict(destination, found, side)
  const policy = side === 'internal' ? destination.internalPolicy : destination.externalPolicy
  // Without a node nobody knows which endpoints are local: those that some node may use are counted.
  const open = place === undefined && policy === 'Local' && found.anywhere
  const backends = open
    ? destination.backends.filter(({ ready }) => ready)
    : said.action === 'forward'
      ? said.backends
      : []
  const notes = [
    ...(owner?.destination !== destination ? [`not used: ${nameOf(owner!.destination)} has this address`] : []),
    ...(policy === 'Local' ? [`${side}TrafficPolicy Local`] : []),
    ...(destination.affinitySeconds > 0 ? [`affinity ${destination.affinitySeconds} s`] : []),
    ...(found.topology === undefined ? [] : [found.topology]),
    ...(kind === 'LoadBalancer' && destination.sourceRanges.length > 0
      ? [`from ${destination.sourceRanges.join(', ')}`]
      : []),
  ]
  return {
    address: ip,
    port,
    protocol,
    kind,
    service: nameOf(destination),
    action: open ? 'forward' : said.action,
    why: open || said.action === 'forward' ? undefined : said.why,
    usable: backends.length,
    endpoints: destination.backends.length,
    notes,
  }
}
