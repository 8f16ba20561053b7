/** Manifests to the objects of a cluster: what a control plane would make of them once everything has settled. */
import { type ClusterObject, type EndpointSlice, type Key, keyOf, type Namespace } from '../../cluster/objects.ts'
import type { PortolanError } from '../../errors.ts'
import type { Pool } from './allocate.ts'
import { SelectablePods, slicesFromEndpoints, slicesFromPods } from './endpoints.ts'
import { expand } from './expand.ts'
import { addressPods, type PodPlan, readPod } from './pods.ts'
import { Problems, trimOrThrow } from './problems.ts'
import type { Manifest } from './read.ts'
import { type Item, ofKind, select } from './select.ts'
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

/** The same manifests always give the same objects. Throws a PortolanError where an address range is too small. */
export function compile(manifests: Iterable<Manifest>, pools: Pools): Compiled {
  const problems = new Problems()
  const items = select(manifests, problems)
  const each = <T>(items: readonly Item[], step: (item: Item) => T): T[] =>
    items.flatMap(item => problems.attempt(item, () => [step(item)]) ?? [])

  const nodes = new Map(each(ofKind(items, 'Node'), ({ name, fields }) => [name, trimOrThrow('Node', fields.json)]))
  const planned = each(expand(items, problems), item => readPod(item, nodes))
  const pods = addressPods(planned, pools.pod)
  const supported = pools.service.map(({ family }) => family)
  const services = addressServices(
    each(ofKind(items, 'Service'), item => readService(item, supported)),
    pools.service,
  )
  const slices = each(ofKind(items, 'EndpointSlice'), ({ fields }) => trimOrThrow('EndpointSlice', fields.json))
  const mirrors = each(ofKind(items, 'Endpoints'), item => [keyOf(item), slicesFromEndpoints(item)] as const)
  const objects = [
    ...services.map(({ service }) => service),
    ...slices,
    ...missingSlices(services, slices, new Map(mirrors), pods),
    ...pods.map(({ pod }) => pod),
    ...nodes.values(),
  ]
  const namespaces = each(ofKind(items, 'Namespace'), ({ fields }) => trimOrThrow('Namespace', fields.json))
  return { objects: [...withImplied(namespaces, objects), ...objects], problems: problems.found }
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
    const { labels } = given.get(name) ?? {}
    // The API server puts this label on every namespace.
    return { kind: 'Namespace', name, namespace: '', labels: { ...labels, 'kubernetes.io/metadata.name': name } }
  })
}
