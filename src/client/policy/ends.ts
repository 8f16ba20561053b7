/** The ends of a connection, as network policies see them: pods, nodes, and addresses of which nobody knows more. */
import type { ClusterView } from '../../cluster/contract.ts'
import { keyOf, type Pod } from '../../cluster/objects.ts'
import { canonicalAddress } from '../../wire/address.ts'

export type End = PodEnd | NodeEnd | OtherEnd

/** A pod with an address of its own. */
export interface PodEnd {
  readonly is: 'pod'
  readonly ip: string
  readonly pod: Pod
}

/** A node, or a pod that uses the network of one: on the wire they are the same. */
export interface NodeEnd {
  readonly is: 'node'
  readonly ip: string
  /** Empty where it is not known which. */
  readonly node: string
  /** The pod that is meant; undefined for the node itself. */
  readonly pod: Pod | undefined
}

export interface OtherEnd {
  readonly is: 'address'
  readonly ip: string
  readonly pod?: never
}

/** `ip` is one of the pod's addresses. */
export function endOfPod(pod: Pod, ip: string): End {
  return pod.hostNetwork ? { is: 'node', ip, node: pod.nodeName, pod } : { is: 'pod', ip, pod }
}

/** Who has this address. Pods that have ended no longer have theirs. */
export function endAt(view: ClusterView, address: string): End {
  const ip = canonicalAddress(address)
  const pods = view.pods(ip).filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed')
  const pod = pods.find(({ hostNetwork }) => !hostNetwork)
  if (pod) return { is: 'pod', ip, pod }
  for (const node of view.list('Node')) {
    if (node.internalIPs.some(internal => canonicalAddress(internal) === ip))
      return { is: 'node', ip, node: node.name, pod: undefined }
  }
  return pods[0] ? { is: 'node', ip, node: pods[0].nodeName, pod: undefined } : { is: 'address', ip }
}

/** Part of a sentence: `pod shop/web-1`, `node n1`, `192.0.2.1`. */
export function endText(end: End): string {
  if (end.is === 'pod') return `pod ${keyOf(end.pod)}`
  if (end.is === 'address') return end.ip
  const node = end.node === '' ? `the node at ${end.ip}` : `node ${end.node}`
  return end.pod ? `pod ${keyOf(end.pod)} (on the network of ${node})` : node
}
