/** Manifests to the objects of a cluster: what a control plane would make of them once everything has settled. */
import {
  type ClusterObject,
  type EndpointSlice,
  type Key,
  type Kind,
  keyOf,
  type Namespace,
} from '../../cluster/objects.ts'
import type { PortolanError } from '../../errors.ts'
import type { Pool } from './allocate.ts'
import { SelectablePods, slicesFromEndpoints, slicesFromPods } from './endpoints.ts'
import { expand } from './expand.ts'
import { addressPods, type PodPlan, readPod } from './pods.ts'
import { Problems, trimOrThrow } from './problems.ts'
import type { Manifest } from './read.ts'
import { type Item, type ItemKind, ofKind, select } from './select.ts'
import { addressServices, readService, type ServicePlan } from './services.ts'

/** Where addresses come from; the first pool of each list is the primary family. */
export interface Pools {
  readonly service: readonly Pool[]
  readonly pod: readonly Pool[]
}

export interface Compiled {
  readonly objects: readonly ClusterObject[]
  /** Objects with problems are left out. */
  readonly problems: readonly PortolanError[]
}

export interface Wanted {
  /** What of the kinds in `byRequest` to read: a mistake in another is nobody's concern. */
  readonly kinds: readonly Kind[]
  /** Whether to keep what only explanations need. */
  readonly detail: boolean
}

/** What names and routes are not made from. */
const byRequest = ['NetworkPolicy', 'Ingress', 'IngressClass', 'Secret'] as const

/** The same manifests always give the same objects. Throws a PortolanError where an address range is too small. */
export function compile(manifests: Iterable<Manifest>, pools: Pools, { kinds, detail }: Wanted): Compiled {
  const problems = new Problems()
  const items = select(manifests, problems)
  const each = <T>(items: readonly Item[], step: (item: Item) => T): T[] =>
    items.flatMap(item => problems.attempt(item, () => [step(item)]) ?? [])

  const all = <K extends Kind & ItemKind>(kind: K) =>
    each(ofKind(items, kind), ({ fields }) => trimOrThrow(kind, fields.json, detail))
  const nodes = new Map(all('Node').map(node => [node.name, node]))
  const planned = each(expand(items, problems), item => readPod(item, nodes, detail))
  const pods = addressPods(planned, pools.pod)
  const supported = pools.service.map(({ family }) => family)
  const services = addressServices(
    each(ofKind(items, 'Service'), item => readService(item, supported, detail)),
    pools.service,
  )
  const slices = all('EndpointSlice')
  const mirrors = each(ofKind(items, 'Endpoints'), item => [keyOf(item), slicesFromEndpoints(item)] as const)
  const objects = [
    ...services.map(({ service }) => service),
    ...slices,
    ...missingSlices(services, slices, new Map(mirrors), pods),
    ...pods.map(({ pod }) => pod),
    ...nodes.values(),
    ...byRequest.filter(kind => kinds.includes(kind)).flatMap(all),
  ]
  return { objects: [...withImplied(all('Namespace'), objects), ...objects], problems: problems.found }
}

/** For each service without a slice in the folder: its Endpoints object mirrored, else what its selector finds. */
function missingSlices(
  services: readonly ServicePlan[],
  slices: readonly EndpointSlice[],
  mirrors: ReadonlyMap<Key, EndpointSlice[]>,
  pods: readonly PodPlan[],
): EndpointSlice[] {
  const served = new Set(slices.map(({ namespace, serviceName }) => keyOf({ namespace, name: serviceName })))
  const selectable = new SelectablePods(pods)
  return services
    .filter(({ service }) => !served.has(keyOf(service)) && service.type !== 'ExternalName')
    .flatMap(plan => mirrors.get(keyOf(plan.service)) ?? slicesFromPods(plan, selectable))
}

/** The given namespaces, those that must exist because something is in them, and those that every cluster has. */
function withImplied(namespaces: readonly Namespace[], objects: readonly ClusterObject[]): Namespace[] {
  const given = new Map(namespaces.map(namespace => [namespace.name, namespace]))
  const names = new Set([
    ...given.keys(),
    'default',
    'kube-system',
    ...objects.flatMap(({ namespace }) => namespace || []),
  ])
  return [...names].map(name => {
    const { labels, ...rest } = given.get(name) ?? ({ kind: 'Namespace', name, namespace: '' } as const)
    // The API server puts this label on every namespace.
    return { ...rest, labels: { ...labels, 'kubernetes.io/metadata.name': name } }
  })
}
