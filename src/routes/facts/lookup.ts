/** Where a connection to an address leads, and why: the facts, as programs get them and as texts for people are made from. */
import { chainNames, endpointChain } from '../render/iptables-names.ts'
import type { AddressKind, Backend, Destination } from '../route.ts'
import type { Refusal, Topology } from '../usable.ts'
import { type Asked, type Followed, wayTo } from './asked.ts'
import { type KnownCluster, lackOf } from './cluster.ts'
import type { Question, Said } from './question.ts'

export interface EndpointFacts extends Backend {
  /** How probable it is that a connection arrives here; 0 where it is not used. */
  readonly probability: number
  /** The endpoint's own chain in iptables. */
  readonly chain: string
}

export interface LookupFacts extends Asked {
  readonly kind: AddressKind
  /** `namespace/name`. */
  readonly service: string
  /** Empty for an unnamed port. */
  readonly portName: string
  /** As which node sees it; undefined where none was asked for. */
  readonly node: string | undefined
  /** What of the node is not known, and why; undefined where nothing is missing. */
  readonly lack: string | undefined
  /** The client's address; undefined where none was asked for. */
  readonly source: string | undefined
  readonly action: 'forward' | Refusal['action']
  readonly reason: Refusal['reason'] | undefined
  /** Why it is refused, or why the source is rewritten or not. */
  readonly why: string
  readonly affinitySeconds: number
  readonly internalTrafficPolicy: Destination['internalPolicy']
  readonly externalTrafficPolicy: Destination['externalPolicy']
  readonly sourceRanges: readonly string[]
  readonly topology: Topology | undefined
  /** Whether the endpoint sees the node's address and not the client's. */
  readonly masquerade: boolean | undefined
  /** The endpoint that is the client itself; undefined where none is. */
  readonly hairpin: string | undefined
  /** Those that are used come first. */
  readonly endpoints: readonly EndpointFacts[]
  /** The chains of iptables that the connection passes, the endpoint's left out. */
  readonly chains: readonly string[]
}

/** The answer throws PORTOLAN_ROUTES_NONE where nothing has the address, and says what is near. */
export function lookup(address: string | undefined, said: Said): Question<LookupFacts> {
  const { pods, answer } = wayTo(address, said)
  return { pods, answer: cluster => factsOf(cluster, answer(cluster)) }
}

function factsOf(cluster: KnownCluster, found: Followed): LookupFacts {
  const { asked, route, node, source, path } = found
  const { destination, kind } = route
  const { outcome, usable } = path
  const backends = outcome.action === 'forward' ? outcome.backends : []
  const others = destination.backends.filter(backend => !backends.includes(backend))
  return {
    ...asked,
    kind,
    service: destination.service,
    portName: destination.portName,
    node: node?.name,
    lack: lackOf(cluster, node),
    source,
    action: outcome.action,
    reason: outcome.action === 'forward' ? undefined : outcome.reason,
    why: outcome.why,
    affinitySeconds: destination.affinitySeconds,
    internalTrafficPolicy: destination.internalPolicy,
    externalTrafficPolicy: destination.externalPolicy,
    sourceRanges: destination.sourceRanges,
    topology: usable.topology,
    masquerade: outcome.action === 'forward' ? outcome.masquerade : undefined,
    hairpin: outcome.action === 'forward' ? outcome.hairpin?.address : undefined,
    endpoints: [
      ...backends.map(backend => endpointFacts(destination, backend, 1 / backends.length)),
      ...others.map(backend => endpointFacts(destination, backend, 0)),
    ],
    chains: chainsOf(found),
  }
}

function endpointFacts(destination: Destination, backend: Backend, probability: number): EndpointFacts {
  return { ...backend, probability, chain: endpointChain(destination, backend.address) }
}

function chainsOf({ route, path: { outcome, usable } }: Followed): string[] {
  const { kind, destination } = route
  const { cluster, local, external, firewall } = chainNames(destination)
  const chosen = outcome.action === 'forward' ? [outcome.choice === 'local' ? local : cluster] : []
  if (kind === 'ClusterIP')
    return outcome.action === 'forward' ? ['KUBE-SERVICES', ...chosen] : ['KUBE-SERVICES (filter)']
  if (!usable.anywhere) return ['KUBE-EXTERNAL-SERVICES (filter)']
  const guard = kind === 'LoadBalancer' && destination.sourceRanges.length > 0 ? [firewall] : []
  const first = kind === 'NodePort' ? ['KUBE-SERVICES', 'KUBE-NODEPORTS'] : ['KUBE-SERVICES']
  if (outcome.action === 'forward') return [...first, ...guard, external, ...chosen]
  return outcome.reason === 'source ranges'
    ? [...first, ...guard, 'KUBE-PROXY-FIREWALL (filter)']
    : [...first, external, 'KUBE-EXTERNAL-SERVICES (filter)']
}
