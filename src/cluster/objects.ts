/**
 * The Kubernetes objects as we keep them: trimmed to what names and routes are made from. Field names are the Kubernetes API's.
 * Sources build them (`trim.ts` turns API JSON into these) and hand them to the ClusterWriter; after that nobody changes them.
 */

export type Kind = 'Namespace' | 'Service' | 'EndpointSlice' | 'Pod' | 'Node'

export interface Meta {
  readonly name: string
  /** Empty for a Namespace or Node. */
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

export interface Namespace extends Meta {
  readonly kind: 'Namespace'
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface ServicePort {
  /** Empty for an unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** A number, or the name of a container port; absent means `port`. */
  readonly targetPort: number | string
  /** 0 where there is none. */
  readonly nodePort: number
  readonly appProtocol: string
}

export interface Service extends Meta {
  readonly kind: 'Service'
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** Empty for headless and ExternalName services; otherwise one address per family, primary first. */
  readonly clusterIPs: readonly string[]
  /** `clusterIP: None` (and not ExternalName). */
  readonly headless: boolean
  readonly externalName: string
  readonly ports: readonly ServicePort[]
  readonly selector: Readonly<Record<string, string>>
  readonly publishNotReadyAddresses: boolean
  readonly externalIPs: readonly string[]
  readonly loadBalancerIPs: readonly string[]
  /** One and the same object (`USUAL_TRAFFIC`) for all services that ask for nothing special, which are nearly all. */
  readonly traffic: Traffic
}

export type TrafficPolicy = 'Cluster' | 'Local'

/** How connections to a service's addresses are to be treated: what only routes are made from. */
export interface Traffic {
  /** For how many seconds a client keeps its endpoint (`sessionAffinity: ClientIP`); 0 for no affinity. */
  readonly affinitySeconds: number
  readonly internalTrafficPolicy: TrafficPolicy
  readonly externalTrafficPolicy: TrafficPolicy
  /** CIDR ranges as they are written, without blanks around them. */
  readonly loadBalancerSourceRanges: readonly string[]
  /** Those of the `loadBalancerIPs` that the load balancer keeps to itself (`ipMode: Proxy`). */
  readonly proxyModeIPs: readonly string[]
  /** 0 where there is none. */
  readonly healthCheckNodePort: number
  /** Empty where there is none. */
  readonly trafficDistribution: string
}

export const USUAL_TRAFFIC: Traffic = {
  affinitySeconds: 0,
  internalTrafficPolicy: 'Cluster',
  externalTrafficPolicy: 'Cluster',
  loadBalancerSourceRanges: [],
  proxyModeIPs: [],
  healthCheckNodePort: 0,
  trafficDistribution: '',
}

export interface EndpointPort {
  readonly name: string
  readonly protocol: Protocol
  /** Absent (`null` in the API) means all ports; DNS treats it as no port. */
  readonly port: number | undefined
}

export interface Endpoint {
  /** As the API has them; for addressType FQDN they are names. */
  readonly addresses: readonly string[]
  readonly hostname: string
  /** Absent in the API means ready, and so with `serving`. */
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** Name of the object behind the endpoint (of any kind), empty where there is none. */
  readonly targetName: string
  readonly nodeName: string
  readonly zone: string
  readonly hints: EndpointHints
}

/** For whom an endpoint is meant: names of topology zones and of nodes. */
export interface EndpointHints {
  readonly forZones: readonly string[]
  readonly forNodes: readonly string[]
}

export const NO_HINTS: EndpointHints = { forZones: [], forNodes: [] }

export interface EndpointSlice extends Meta {
  readonly kind: 'EndpointSlice'
  /** The `kubernetes.io/service-name` label; empty where the label is missing. */
  readonly serviceName: string
  /**
   * When the change was made that led to this state of the slice, in milliseconds since the epoch
   * (`endpoints.kubernetes.io/last-change-trigger-time`); 0 where the slice does not say.
   */
  readonly lastChangeTriggerTime: number
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  readonly ports: readonly EndpointPort[]
  /** Made anew each time it is read: keep what you get for as long as you need it. */
  readonly endpoints: readonly Endpoint[]
}

export interface Pod extends Meta {
  readonly kind: 'Pod'
  readonly podIPs: readonly string[]
  readonly phase: string
  readonly terminating: boolean
  readonly hostNetwork: boolean
  /** Whether its search list is the cluster's and no other: `dnsPolicy: ClusterFirst` without `dnsConfig.searches`. */
  readonly clusterSearch: boolean
  readonly nodeName: string
}

/** Followed only where somebody asks for it: the ClusterRole that CoreDNS has does not let it see nodes. */
export interface Node extends Meta {
  readonly kind: 'Node'
  /** Addresses of type InternalIP, in their order. */
  readonly internalIPs: readonly string[]
  /** The `topology.kubernetes.io/zone` label; empty where there is none. */
  readonly zone: string
  readonly podCIDRs: readonly string[]
}

export type ClusterObject = Namespace | Service | EndpointSlice | Pod | Node

export type ObjectOf<K extends Kind> = Extract<ClusterObject, { kind: K }>

/** `namespace/name`; for a Namespace or Node the bare name. */
export type Key = string

export function keyOf(object: { namespace: string; name: string }): Key {
  return object.namespace === '' ? object.name : `${object.namespace}/${object.name}`
}
