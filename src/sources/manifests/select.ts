/** Picks the manifests of the kinds that we know, and gives each its namespace and name. */
import { Fields } from '../../cluster/fields.ts'
import { keyOf } from '../../cluster/objects.ts'
import type { Problems } from './problems.ts'
import type { Manifest } from './read.ts'

/** The kinds that we use, with their API groups; the same kinds of other groups are something else (Knative's Service). */
const groups = {
  Namespace: '',
  Node: '',
  Service: '',
  Endpoints: '',
  EndpointSlice: 'discovery.k8s.io',
  Pod: '',
  Deployment: 'apps',
  ReplicaSet: 'apps',
  StatefulSet: 'apps',
  DaemonSet: 'apps',
  NetworkPolicy: 'networking.k8s.io',
  Ingress: 'networking.k8s.io',
  IngressClass: 'networking.k8s.io',
  Secret: '',
} as const

export type ItemKind = keyof typeof groups

const clusterWide: readonly ItemKind[] = ['Namespace', 'Node', 'IngressClass']

export interface Item extends Manifest {
  readonly kind: ItemKind
  /** Empty for what is in no namespace. */
  readonly namespace: string
  readonly name: string
}

/** The items among the manifests. As with `kubectl apply`, a missing namespace is `default`, and of two with one name the later counts. */
export function select(manifests: Iterable<Manifest>, problems: Problems): Item[] {
  const items = new Map<string, Item>()
  for (const manifest of manifests) {
    const { kind } = manifest
    if (!isUsed(kind) || groupOf(manifest) !== groups[kind]) continue
    const item = problems.attempt(manifest, () => itemOf(manifest, kind))
    if (item) items.set(`${kind} ${keyOf(item)}`, item)
  }
  return [...items.values()]
}

export function ofKind(items: readonly Item[], ...kinds: readonly ItemKind[]): Item[] {
  return items.filter(({ kind }) => kinds.includes(kind))
}

function isUsed(kind: string): kind is ItemKind {
  return Object.hasOwn(groups, kind)
}

function groupOf({ apiVersion }: Manifest): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

function itemOf(manifest: Manifest, kind: ItemKind): Item {
  const metadata = manifest.fields.child('metadata')
  const name = metadata.text('name') || metadata.refuse('name', 'the name of the object')
  if (clusterWide.includes(kind)) return { ...manifest, kind, namespace: '', name }
  const namespace = metadata.text('namespace') || 'default'
  const fields = new Fields({ ...manifest.fields.json, metadata: { ...metadata.json, namespace } })
  return { ...manifest, kind, fields, namespace, name }
}
