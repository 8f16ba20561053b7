/** Reads pods as far as endpoints need them, and gives pods without an address one of the pod range. */
import { type ContainerPort, lastingContainers, trimContainerPort } from '../../cluster/detail.ts'
import { keyOf, type Node, type Pod } from '../../cluster/objects.ts'
import { canonicalAddress, type Family, familyOf } from '../../wire/address.ts'
import { allocate, type Pool } from './allocate.ts'
import { trimOrThrow } from './problems.ts'
import type { Item } from './select.ts'

export interface PodPlan {
  /** Without addresses where `addressPods` has yet to give it some. */
  readonly pod: Pod
  readonly ready: boolean
  readonly hostname: string
  readonly subdomain: string
  readonly ports: readonly ContainerPort[]
  readonly zone: string
}

/** What a status leaves out counts as running and ready; what it says is kept. */
export function readPod({ fields }: Item, nodes: ReadonlyMap<string, Node>, detail: boolean): PodPlan {
  const spec = fields.child('spec')
  const status = fields.child('status')
  const phase = status.text('phase', 'Running')
  const condition = status.children('conditions').find(entry => entry.text('type') === 'Ready')
  const given = trimOrThrow('Pod', { ...fields.json, status: { ...status.json, phase } }, detail)
  const node = nodes.get(given.nodeName)
  const onHost = given.hostNetwork && given.podIPs.length === 0
  return {
    pod: onHost && node ? { ...given, podIPs: node.internalIPs } : given,
    ready: condition ? condition.text('status') === 'True' : phase === 'Running',
    hostname: spec.text('hostname', ''),
    subdomain: spec.text('subdomain', ''),
    ports: lastingContainers(spec).flatMap(container => container.children('ports').map(trimContainerPort)),
    zone: node?.zone ?? '',
  }
}

/** Gives each running pod without an address one of each pool. Throws where a pool is too small. */
export function addressPods(plans: readonly PodPlan[], pools: readonly Pool[]): PodPlan[] {
  const taken = new Set(plans.flatMap(({ pod }) => pod.podIPs.map(canonicalAddress)))
  const bare = plans
    .filter(({ pod }) => pod.podIPs.length === 0 && pod.phase === 'Running')
    .map(({ pod }) => keyOf(pod))
  const given = pools.map(pool => allocate(pool, bare, taken))
  return plans.map(plan => {
    const key = keyOf(plan.pod)
    const podIPs = given.flatMap(addresses => addresses.get(key) ?? [])
    return podIPs.length > 0 ? { ...plan, pod: { ...plan.pod, podIPs } } : plan
  })
}

export function addressesOf({ podIPs }: Pod, family: Family): string[] {
  return podIPs.filter(ip => familyOf(ip) === family)
}
