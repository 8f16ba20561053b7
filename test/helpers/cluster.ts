/**
 * Builds cluster objects in one line each, and a synced cluster out of them. Everything passes through `trim`, so a test's objects
 * are as a source would give them.
 */
import { isIPv4, isIPv6 } from 'node:net'
import type { Inclusion, SharedCluster } from '../../src/cluster/contract.ts'
import {
  type ClusterObject,
  type EndpointSlice,
  type Kind,
  keyOf,
  type Namespace,
  type Node,
  type ObjectOf,
  type Pod,
  type Service,
  type TrafficPolicy,
} from '../../src/cluster/objects.ts'
import { ClusterState } from '../../src/cluster/state.ts'
import { describe, trim } from '../../src/cluster/trim.ts'

export type Labels = Readonly<Record<string, string>>

export const kinds: readonly Kind[] = [
  'Namespace',
  'Service',
  'EndpointSlice',
  'Pod',
  'Node',
  'NetworkPolicy',
  'Ingress',
  'IngressClass',
  'Secret',
]

export interface ServiceSpec {
  /** Cluster addresses, or 'None' for a headless service. */
  readonly ip?: string | readonly string[]
  /** `[name:]port[->target][@nodePort][/PROTOCOL]`, for example `http:80->8080@30080/TCP`. */
  readonly ports?: readonly string[]
  readonly type?: Service['type']
  /** Makes it an ExternalName service. */
  readonly externalName?: string
  readonly selector?: Labels
  readonly labels?: Labels
  readonly publishNotReadyAddresses?: boolean
  readonly externalIPs?: readonly string[]
  readonly loadBalancerIPs?: readonly string[]
  /** Those of them with `ipMode: Proxy`. */
  readonly proxyModeIPs?: readonly string[]
  /** Gives `sessionAffinity: ClientIP`. */
  readonly affinitySeconds?: number
  readonly internalTrafficPolicy?: TrafficPolicy
  readonly externalTrafficPolicy?: TrafficPolicy
  readonly loadBalancerSourceRanges?: readonly string[]
  readonly healthCheckNodePort?: number
  readonly trafficDistribution?: string
}

export function service(key: string, spec: ServiceSpec = {}): Service {
  const {
    ip,
    ports = [],
    labels,
    loadBalancerIPs = [],
    proxyModeIPs = [],
    externalName,
    affinitySeconds,
    ...rest
  } = spec
  return trimmed('Service', {
    metadata: { ...named(key), labels },
    spec: {
      ...(externalName === undefined ? {} : { type: 'ExternalName', externalName }),
      ...(typeof ip === 'string' ? { clusterIP: ip } : { clusterIPs: ip }),
      ports: ports.map(portOf),
      ...(affinitySeconds && {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } },
      }),
      ...rest,
    },
    status: {
      loadBalancer: {
        ingress: loadBalancerIPs.map(ip => ({ ip, ipMode: proxyModeIPs.includes(ip) ? 'Proxy' : undefined })),
      },
    },
  })
}

/** One endpoint: its address alone, or with what else is known. */
export type EndpointSpec =
  | string
  | {
      readonly ip: string | readonly string[]
      readonly hostname?: string
      /** Name of the object behind it. */
      readonly target?: string
      readonly ready?: boolean
      readonly serving?: boolean
      readonly terminating?: boolean
      readonly node?: string
      readonly zone?: string
      readonly forZones?: readonly string[]
      readonly forNodes?: readonly string[]
    }

export interface SliceSpec {
  /** `[name:]port[/PROTOCOL]`; the port `*` stands for all ports. */
  readonly ports?: readonly string[]
  /** Default: the service's name and the address type, `web-ipv4`. */
  readonly name?: string
  /** Default: the type of the first address, IPv4 where there is none. */
  readonly addressType?: EndpointSlice['addressType']
  /** When the change was made that led to it, in milliseconds since the epoch. */
  readonly changedAt?: number
  readonly labels?: Labels
  /** True leaves the service-name label out. */
  readonly unlabelled?: boolean
}

/** A slice of the service with this key, which need not exist. */
export function slice(
  serviceKey: string,
  endpoints: readonly EndpointSpec[] = [],
  spec: SliceSpec = {},
): EndpointSlice {
  const { namespace, name } = named(serviceKey)
  const { addressType = addressTypeOf(endpoints[0]) } = spec
  return trimmed('EndpointSlice', {
    metadata: {
      namespace,
      name: spec.name ?? `${name}-${addressType.toLowerCase()}`,
      labels: { ...spec.labels, ...(spec.unlabelled ? {} : { 'kubernetes.io/service-name': name }) },
      annotations: spec.changedAt && {
        'endpoints.kubernetes.io/last-change-trigger-time': new Date(spec.changedAt).toISOString(),
      },
    },
    addressType,
    ports: spec.ports?.map(portOf),
    endpoints: endpoints.map(endpointOf),
  })
}

export interface PodSpec {
  /** Default: Running. */
  readonly phase?: string
  readonly terminating?: boolean
  readonly hostNetwork?: boolean
  readonly dnsPolicy?: string
  /** Search domains of its own (`dnsConfig`). */
  readonly searches?: readonly string[]
  readonly node?: string
  readonly labels?: Labels
}

export function pod(key: string, ip: string | readonly string[], spec: PodSpec = {}): Pod {
  const { phase = 'Running', terminating = false, hostNetwork, dnsPolicy, searches, node, labels } = spec
  return trimmed('Pod', {
    metadata: {
      ...named(key),
      labels,
      deletionTimestamp: terminating ? '2026-01-01T00:00:00Z' : undefined,
    },
    spec: { hostNetwork, dnsPolicy, dnsConfig: searches && { searches }, nodeName: node },
    status: { phase, podIPs: [ip].flat().map(ip => ({ ip })) },
  })
}

export function node(name: string, internalIPs: readonly string[] = [], zone?: string): Node {
  return trimmed('Node', {
    metadata: { name, labels: zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone } },
    status: { addresses: internalIPs.map(address => ({ type: 'InternalIP', address })) },
  })
}

export function namespace(name: string, labels: Labels = {}): Namespace {
  return trimmed('Namespace', { metadata: { name, labels } })
}

/** An object of the kinds that only explanations need, from its key and the rest of its JSON; with its detail. */
export function object<K extends Kind>(kind: K, key: string, { metadata, ...rest }: Json = {}): ObjectOf<K> {
  const [name, namespace] = key.split('/').reverse()
  return trimmed(kind, { metadata: { name, namespace, ...(metadata as object) }, ...rest }, true)
}

/** API JSON of an object, without its name. */
export type Json = Readonly<Record<string, unknown>>

/** A synced cluster of these objects. The namespaces of all objects exist, as they do in a real one. */
export function cluster(...objects: readonly ClusterObject[]): ClusterState {
  const state = new ClusterState({ kinds })
  const implied = [...new Set(objects.map(object => object.namespace))]
    .filter(name => name !== '')
    .map(name => namespace(name))
  for (const kind of kinds) {
    const replacement = state.replace(kind)
    for (const object of [...implied, ...objects]) if (object.kind === kind) state.upsert(object)
    // There was nothing before, so there is nothing to remove and to wait for.
    void replacement.done()
  }
  return state
}

/** A cluster that has all kinds from the start, as plugins share it. */
export function sharedCluster(state: ClusterState, synced = Promise.resolve()): SharedCluster {
  const included: Inclusion = { synced, status: () => undefined, end: () => undefined }
  return { key: 'test', kinds, state, synced, include: () => included }
}

/** Everything in the cluster by kind and key, to compare whole states. */
export function contents(view: ClusterState): Record<string, ClusterObject> {
  const all = kinds.flatMap(kind => [...view.list(kind)].map(object => [`${kind} ${keyOf(object)}`, object] as const))
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function trimmed<K extends Kind>(kind: K, json: unknown, detail = false): ObjectOf<K> {
  const { object, problem } = trim(kind, json, detail)
  if (problem) throw new Error(describe(problem))
  return object
}

function named(key: string): { namespace: string; name: string } {
  const [namespace, name, ...rest] = key.split('/')
  if (!namespace || !name || rest.length > 0) throw new Error(`a key is namespace/name, got ${key}`)
  return { namespace, name }
}

function portOf(text: string): Record<string, unknown> {
  const match = /^(?:([^:]*):)?(\d+|\*)(?:->([^@/]+))?(?:@(\d+))?(?:\/(\w+))?$/.exec(text)
  if (!match) throw new Error(`a port is [name:]port[->target][@nodePort][/PROTOCOL], got ${text}`)
  const [, name, port, target, nodePort, protocol] = match
  return {
    name,
    port: port === '*' ? undefined : Number(port),
    targetPort: target !== undefined && /^\d+$/.test(target) ? Number(target) : target,
    nodePort: nodePort === undefined ? undefined : Number(nodePort),
    protocol,
  }
}

function addressTypeOf(endpoint: EndpointSpec | undefined): EndpointSlice['addressType'] {
  const ip = typeof endpoint === 'object' ? [endpoint.ip].flat()[0] : endpoint
  if (ip === undefined || isIPv4(ip)) return 'IPv4'
  return isIPv6(ip) ? 'IPv6' : 'FQDN'
}

function endpointOf(spec: EndpointSpec): Record<string, unknown> {
  const { ip, hostname, target, ready, serving, terminating, node, zone, forZones, forNodes } =
    typeof spec === 'string' ? { ip: spec } : spec
  return {
    addresses: [ip].flat(),
    hostname,
    conditions: { ready, serving, terminating },
    targetRef: target === undefined ? undefined : { kind: 'Pod', name: target },
    nodeName: node,
    zone,
    hints:
      forZones || forNodes
        ? { forZones: forZones?.map(name => ({ name })), forNodes: forNodes?.map(name => ({ name })) }
        : undefined,
  }
}
