/** Whether a connection fits a rule of a network policy: its peers, and its ports. */
import { selects } from '../../cluster/label-selector.ts'
import type { Labels } from '../../cluster/labels.ts'
import type { PodPeer, PolicyPeer, PolicyPort, PolicyRule } from '../../cluster/network-policy.ts'
import type { Protocol } from '../../cluster/objects.ts'
import { holds, parseRange } from '../../wire/range.ts'
import type { End } from './ends.ts'

/** `ingress` is looked at where the destination is a pod, `egress` where the source is. */
export type Direction = 'ingress' | 'egress'

export interface Connection {
  readonly from: End
  readonly to: End
  readonly protocol: Protocol
  /** At the destination, once a service's address is rewritten. */
  readonly port: number
}

/** The labels of a namespace, by its name. */
export type NamespaceLabels = (namespace: string) => Labels

/** What a rule is looked at with. */
export interface Look {
  readonly connection: Connection
  /** The end that is no business of the rule's `podSelector`. */
  readonly peer: End
  /** The namespace of the policy. */
  readonly namespace: string
  readonly labelsOf: NamespaceLabels
}

/** The place of what fits in a list of peers or ports; `any` where the list is empty, undefined where nothing fits. */
export type Fit = number | 'any' | undefined

export function peerFit({ peers }: PolicyRule, look: Look): Fit {
  return fitOf(peers, peer => fitsPeer(peer, look))
}

export function portFit({ ports }: PolicyRule, { connection }: Look): Fit {
  return fitOf(ports, port => fitsPort(port, connection))
}

function fitOf<T>(list: readonly T[], fits: (item: T) => boolean): Fit {
  if (list.length === 0) return 'any'
  const found = list.findIndex(fits)
  return found < 0 ? undefined : found
}

function fitsPeer(peer: PolicyPeer, look: Look): boolean {
  if (peer.block)
    return inRange(peer.block.cidr, look.peer.ip) && !peer.block.except.some(range => inRange(range, look.peer.ip))
  return fitsNamespace(peer, look) && fitsLabels(peer, look)
}

/** Pods on the network of their node are no pods here: nothing on the wire tells them from it. */
export function fitsNamespace({ namespaceSelector }: PodPeer, { peer, namespace, labelsOf }: Look): boolean {
  if (peer.is !== 'pod') return false
  return namespaceSelector ? selects(namespaceSelector, labelsOf(peer.pod.namespace)) : peer.pod.namespace === namespace
}

export function fitsLabels({ podSelector }: PodPeer, { peer }: Look): boolean {
  return peer.is === 'pod' && (podSelector === undefined || selects(podSelector, peer.pod.labels))
}

function inRange(cidr: string, ip: string): boolean {
  const range = parseRange(cidr)
  return range !== undefined && holds(range.text, ip)
}

function fitsPort({ protocol, port, endPort = 0 }: PolicyPort, connection: Connection): boolean {
  if (protocol !== connection.protocol) return false
  if (port === undefined) return true
  if (typeof port === 'string') return namedPorts(port, connection).includes(connection.port)
  return port <= connection.port && connection.port <= endPort
}

/** The numbers that the destination's containers give a name, for the protocol of the connection; none where it is no pod. */
export function namedPorts(name: string, { to, protocol }: Connection): number[] {
  if (to.is !== 'pod') return []
  const ports = to.pod.detail?.containers.flatMap(({ ports }) => ports) ?? []
  return ports.filter(port => port.name === name && port.protocol === protocol).map(({ port }) => port)
}
