/**
 * What routes are: virtual addresses, and what they lead to. The words and rules are those of kube-proxy 1.34, in whose place (or
 * beside which) a node may use them. How they are found is left to the table, which endpoints a node uses to `usable.ts`.
 */

import type { EndpointHints, Key, Protocol, TrafficPolicy } from '../cluster/objects.ts'
import type { Family } from '../wire/address.ts'

export type AddressKind = 'ClusterIP' | 'ExternalIP' | 'LoadBalancer' | 'NodePort'

/** An address of no machine, which a node takes connections to. */
export interface VirtualAddress {
  readonly kind: AddressKind
  /** In its one spelling (RFC 5952). For a NodePort, which is at each address of a node: `0.0.0.0` or `::`. */
  readonly ip: string
  readonly port: number
}

/** One endpoint of a service port. */
export interface Backend {
  /** In its one spelling. */
  readonly ip: string
  readonly port: number
  /** `10.0.0.1:80` or `[fd00::1]:80`; backends are ordered by this text. */
  readonly address: string
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName: string
  readonly zone: string
  /** Name of the pod, or of another object behind it; empty where there is none. */
  readonly targetName: string
  readonly hints: EndpointHints
}

/** A port of a service in one family: what all of its virtual addresses lead to. */
export interface Destination {
  readonly service: Key
  /** Empty for an unnamed port. */
  readonly portName: string
  readonly protocol: Protocol
  readonly family: Family
  /** The cluster address first, then external addresses, then those of load balancers, then the node port. */
  readonly addresses: readonly VirtualAddress[]
  /**
   * All endpoints, also those that nobody may use now, ordered. Two may be at one address where slices overlap (which of them
   * counts depends on the node).
   */
  readonly backends: readonly Backend[]
  /** For how many seconds a client keeps its endpoint; 0 for no affinity. */
  readonly affinitySeconds: number
  readonly internalPolicy: TrafficPolicy
  /** For external addresses, load balancers and node ports; Cluster where the service has none of these. */
  readonly externalPolicy: TrafficPolicy
  /** Who may use the load balancer's addresses: ranges of this family in their one spelling; empty for everybody. */
  readonly sourceRanges: readonly string[]
  /** 0 where there is none. */
  readonly healthCheckNodePort: number
}

/** One virtual address and what it leads to. */
export interface Route extends VirtualAddress {
  readonly protocol: Protocol
  readonly destination: Destination
}

/** Why a service has no routes; `text` is a whole sentence without its full stop. */
export interface Routeless {
  readonly reason: 'ExternalName' | 'headless' | 'no address' | 'no ports' | 'other proxy'
  readonly text: string
}

/** How kube-proxy names a service port, also in comments: `shop/web:http`, or `shop/web` for an unnamed port. */
export function nameOf({ service, portName }: Pick<Destination, 'service' | 'portName'>): string {
  return portName === '' ? service : `${service}:${portName}`
}

/** Whether anything but the cluster address leads to it. */
export function isExternal({ addresses }: Destination): boolean {
  return addresses.length > 1
}
