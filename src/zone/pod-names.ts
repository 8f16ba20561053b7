/**
 * Names of pods (`10-244-0-1.shop.pod.cluster.local`), read when they are asked: with `pods insecure` there is no end of them.
 */
import type { ClusterView } from '../cluster/contract.ts'
import { octetsOf, undashed } from './address.ts'
import type { Item } from './service-names.ts'

export type PodMode = 'disabled' | 'insecure' | 'verified'

/**
 * The address that a pod name stands for, or undefined where there is no such name. `labels` are relative to the origin, and
 * end in the namespace and `pod`; one or two labels more are passed over, as CoreDNS does.
 */
export function podItem(labels: readonly string[], mode: PodMode, view: ClusterView, has: PodFilter): Item | undefined {
  if (mode === 'disabled' || labels.length < 3 || labels.length > 5) return undefined
  const [label, namespace] = labels.slice(-3) as [string, string]
  const host = undashed(label)
  const octets = octetsOf(host)
  if (octets === undefined) return undefined
  if (mode === 'verified' && !view.pods(host).some(pod => pod.namespace === namespace && has(pod))) return undefined
  return { host, octets, port: 0, target: [label, namespace, 'pod'] }
}

/** Whether a pod counts. */
export type PodFilter = (pod: ReturnType<ClusterView['pods']>[number]) => boolean
