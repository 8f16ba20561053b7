/** Where the API server keeps each kind, and which of its objects are asked for. */
import type { Kind } from '../../cluster/objects.ts'

export interface Resource extends Collection {
  readonly kind: Kind
}

/** Objects of one kind as requests name them. */
export interface Collection {
  /** As in paths and RBAC rules. */
  readonly plural: string
  /** API group of an RBAC rule; empty for the core group. */
  readonly group: string
  readonly path: string
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly accept: Forms
}

/** The forms in which something is asked for, as an Accept header has them. */
export interface Forms {
  readonly list: string
  readonly watch: string
  /** Of a list of which only names and versions are read. */
  readonly versions: string
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
  NetworkPolicy: networking('networkpolicies'),
  Ingress: networking('ingresses'),
  IngressClass: networking('ingressclasses'),
  Secret: { plural: 'secrets', group: '', path: '/api/v1/secrets' },
}

function networking(plural: string) {
  return { plural, group: 'networking.k8s.io', path: `/apis/networking.k8s.io/v1/${plural}` }
}

/** Pods that have ended keep their address in the API, which somebody else may have by then (CoreDNS asks with the same selector). */
const livePods = 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown'
/** Those that an Ingress may name. A cluster has many others. */
const certificates = 'type=kubernetes.io/tls'

const fieldSelectors: { readonly [K in Kind]?: string } = { Pod: livePods, Secret: certificates }

const json = 'application/json'
const partialList = `${json};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`

/** The forms that a list of metadata alone is asked for in. */
export const metadataList = partialList

/** Servers that do not know the form of metadata alone send the objects in full, which holds the same. */
const whole: Forms = { list: json, watch: json, versions: `${partialList},${json}` }
/** Metadata alone or nothing: what is in a secret shall not even come here. */
const metadata: Forms = {
  list: partialList,
  watch: `${json};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`,
  versions: partialList,
}

export function resourceOf(kind: Kind, { labels = '', namespaceLabels = '' }: Selectors): Resource {
  const labelSelectors: { readonly [K in Kind]?: string } = {
    Namespace: namespaceLabels,
    Service: labels,
    EndpointSlice: labels,
    Pod: labels,
  }
  return {
    kind,
    ...places[kind],
    labelSelector: labelSelectors[kind] ?? '',
    fieldSelector: fieldSelectors[kind] ?? '',
    accept: kind === 'Secret' ? metadata : whole,
  }
}

/** The path and query of a request for this resource; empty parameters are left out. */
export function target({ path, labelSelector, fieldSelector }: Collection, parameters: Record<string, string>): string {
  const query = Object.entries({ labelSelector, fieldSelector, ...parameters }).filter(([, value]) => value !== '')
  return query.length === 0 ? path : `${path}?${new URLSearchParams(query)}`
}
