/**
 * Which endpoints of a destination a node uses, and what it does where there are none: readiness, traffic policies and topology, as
 * kube-proxy 1.34 has them.
 */
import { type Backend, type Destination, isExternal } from './route.ts'

/** What of a node the choice of endpoints depends on. */
export interface Place {
  /** Empty for a node that nobody knows: no endpoint is on it. */
  readonly node: string
  /** Its topology zone; empty where it is in none. */
  readonly zone: string
}

/** Where traffic comes from: for the cluster address, or for the addresses that the outside uses too. */
export type Side = 'internal' | 'external'

export type Topology = 'PreferSameNode' | 'PreferSameZone'

export interface Usable {
  /** For the traffic policy Cluster; empty where nothing of the destination follows it. Ordered. */
  readonly cluster: readonly Backend[]
  /** For the traffic policy Local; empty where nothing of the destination follows it. Ordered. */
  readonly local: readonly Backend[]
  /** All that may be reached from this node: both together, ordered. */
  readonly reachable: readonly Backend[]
  /** Whether there are usable endpoints anywhere in the cluster. */
  readonly anywhere: boolean
  /** By which hints `cluster` was narrowed; undefined where it was not. */
  readonly topology: Topology | undefined
}

/** What becomes of a connection. */
export type Verdict = { readonly action: 'forward'; readonly backends: readonly Backend[] } | Refusal

export interface Refusal {
  readonly action: 'REJECT' | 'DROP'
  readonly reason: 'no endpoints' | 'no local endpoints' | 'source ranges'
  /** Part of a sentence: `there are no endpoints`. */
  readonly why: string
}

/** The endpoints that the node uses. */
export function usable(destination: Destination, { node, zone }: Place): Usable {
  const backends = distinct(destination.backends, node)
  const external = isExternal(destination)
  const usesCluster = destination.internalPolicy === 'Cluster' || external
  const usesLocal = destination.internalPolicy === 'Local' || (destination.externalPolicy === 'Local' && external)
  const ready = backends.filter(isReady)
  const fading = backends.filter(isFading)
  const topology = usesCluster ? topologyOf(ready, node, zone) : undefined
  const near = topology === undefined ? ready : ready.filter(hintedFor(topology, node, zone))
  const cluster = !usesCluster ? [] : near.length > 0 ? near : fading
  const isHere = ({ nodeName }: Backend) => node !== '' && nodeName === node
  const localReady = ready.filter(isHere)
  const localAny = localReady.length > 0 ? localReady : fading.filter(isHere)
  const local = usesLocal ? localAny : []
  return { cluster, local, reachable: union(cluster, local), anywhere: ready.length + fading.length > 0, topology }
}

/** What the node does with a connection; `side` says which of its addresses it goes to. */
export function verdict(destination: Destination, { cluster, local, anywhere }: Usable, side: Side): Verdict {
  if (!anywhere) return { action: 'REJECT', reason: 'no endpoints', why: lack(destination) }
  const policy = side === 'internal' ? destination.internalPolicy : destination.externalPolicy
  const backends = policy === 'Local' ? local : cluster
  if (backends.length > 0) return { action: 'forward', backends }
  const why = `${side}TrafficPolicy is Local, and no usable endpoint is on this node`
  return { action: 'DROP', reason: 'no local endpoints', why }
}

function lack({ backends }: Destination): string {
  if (backends.length === 0) return 'there are no endpoints'
  return backends.length === 1 ? 'its one endpoint is not ready' : `none of ${backends.length} endpoints is ready`
}

function isReady({ ready }: Backend): boolean {
  return ready
}

/** On its way out, and still able to serve: used where nothing is ready. */
function isFading({ ready, serving, terminating }: Backend): boolean {
  return !ready && serving && terminating
}

/**
 * One backend for each address: the last that is on this node, else the first (of slices that contradict each other kube-proxy
 * believes any).
 */
function distinct(backends: readonly Backend[], node: string): readonly Backend[] {
  const repeats = backends.some((backend, i) => backend.address === backends[i - 1]?.address)
  if (!repeats) return backends
  const found = new Map<string, Backend>()
  for (const backend of backends) {
    if (!found.has(backend.address) || backend.nodeName === node) found.set(backend.address, backend)
  }
  return [...found.values()]
}

/** Hints count where each ready endpoint has some and one of them is meant for here; those for nodes come first. */
function topologyOf(ready: readonly Backend[], node: string, zone: string): Topology | undefined {
  const applies = (topology: Topology) =>
    ready.every(({ hints }) => hints[hintsOf[topology]].length > 0) && ready.some(hintedFor(topology, node, zone))
  if (applies('PreferSameNode')) return 'PreferSameNode'
  return applies('PreferSameZone') ? 'PreferSameZone' : undefined
}

const hintsOf = { PreferSameNode: 'forNodes', PreferSameZone: 'forZones' } as const

function hintedFor(topology: Topology, node: string, zone: string): (backend: Backend) => boolean {
  const here = topology === 'PreferSameNode' ? node : zone
  return ({ hints }) => hints[hintsOf[topology]].includes(here)
}

function union(cluster: readonly Backend[], local: readonly Backend[]): readonly Backend[] {
  if (local.length === 0) return cluster
  if (cluster.length === 0) return local
  const all = new Set([...cluster, ...local])
  if (all.size === cluster.length) return cluster
  return [...all].sort((a, b) => (a.address < b.address ? -1 : 1))
}
