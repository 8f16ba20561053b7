/** Ports of a pod that are open on its node's own address, and who else wants them there. */
import type { ClusterView } from '../cluster/contract.ts'
import { type Key, keyOf, type Pod, type Protocol } from '../cluster/objects.ts'

export interface HostPort {
  readonly node: string
  /** Empty for all addresses of the node. */
  readonly ip: string
  readonly protocol: Protocol
  /** On the node. */
  readonly port: number
  /** In the pod. */
  readonly containerPort: number
  /** Other pods of the node that want the same: only one of them gets the traffic, or can start at all. */
  readonly conflicts: readonly Key[]
}

/** None where the pod is on no node, or its details are not known. */
export function hostPorts(view: ClusterView, pod: Pod): HostPort[] {
  const ports = pod.nodeName === '' ? [] : wanted(pod)
  // By far the most pods want none, and a cluster has many pods.
  if (ports.length === 0) return []
  const others = [...view.list('Pod')].filter(
    other => other.nodeName === pod.nodeName && keyOf(other) !== keyOf(pod) && isAlive(other),
  )
  return ports.map(port => ({
    node: pod.nodeName,
    ...port,
    conflicts: others.filter(other => wanted(other).some(theirs => overlap(port, theirs))).map(keyOf),
  }))
}

function isAlive({ phase }: Pod): boolean {
  return phase !== 'Succeeded' && phase !== 'Failed'
}

type Wanted = Omit<HostPort, 'node' | 'conflicts'>

/** On the network of the node, every port is the node's, as the API server fills in. */
function wanted({ detail, hostNetwork }: Pod): Wanted[] {
  const ports = detail?.containers.flatMap(({ ports }) => ports) ?? []
  return ports
    .map(({ protocol, port, hostPort, hostIP }) => ({
      ip: hostIP === '0.0.0.0' || hostIP === '::' ? '' : hostIP,
      protocol,
      port: hostNetwork ? port : hostPort,
      containerPort: port,
    }))
    .filter(({ port }) => port > 0)
}

function overlap(a: Wanted, b: Wanted): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === '' || b.ip === '')
}

/** A sentence without its full stop. */
export function hostPortText({ node, ip, protocol, port, containerPort, conflicts }: HostPort): string {
  const at = ip === '' ? `node ${node}` : `${ip} of node ${node}`
  const clash = conflicts.length === 0 ? '' : `, which ${conflicts.join(', ')} wants too`
  return `${protocol} port ${containerPort} is also reached at ${at}, port ${port}${clash}`
}
