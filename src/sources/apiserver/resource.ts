/** Where the API server keeps each kind, and which of its objects are asked for. */
import type { Kind } from '../../cluster/objects.ts'

export interface Resource {
  readonly kind: Kind
  /** As in paths and RBAC rules. */
  readonly plural: string
  /** API group of an RBAC rule; empty for the core group. */
  readonly group: string
  readonly path: string
  readonly labelSelector: string
  readonly fieldSelector: string
}

export interface Selectors {
  /** Selects Services, EndpointSlices and Pods. */
  readonly labels?: string | undefined
  /** Selects Namespaces. */
  readonly namespaceLabels?: string | undefined
}

const places: Readonly<Record<Kind, Pick<Resource, 'plural' | 'group' | 'path'>>> = {
  Namespace: { plural: 'namespaces', group: '', path: '/api/v1/namespaces' },
  Service: { plural: 'services', group: '', path: '/api/v1/services' },
  EndpointSlice: {
    plural: 'endpointslices',
    group: 'discovery.k8s.io',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
  },
  Pod: { plural: 'pods', group: '', path: '/api/v1/pods' },
  Node: { plural: 'nodes', group: '', path: '/api/v1/nodes' },
}

/** Pods that have ended keep their address in the API, which somebody else may have by then (CoreDNS asks with the same selector). */
const livePods = 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown'

export function resourceOf(kind: Kind, { labels = '', namespaceLabels = '' }: Selectors): Resource {
  const labelSelector = { Namespace: namespaceLabels, Service: labels, EndpointSlice: labels, Pod: labels, Node: '' }[
    kind
  ]
  return {
    kind,
    ...places[kind],
    labelSelector,
    fieldSelector: kind === 'Pod' ? livePods : '',
  }
}

/** The path and query of a request for this resource; empty parameters are left out. */
export function target({ path, labelSelector, fieldSelector }: Resource, parameters: Record<string, string>): string {
  const query = Object.entries({ labelSelector, fieldSelector, ...parameters }).filter(([, value]) => value !== '')
  return query.length === 0 ? path : `${path}?${new URLSearchParams(query)}`
}
