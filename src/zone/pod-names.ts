/**
 * Names of pods (`10-244-0-1.shop.pod.cluster.local`), read when they are asked: with `pods insecure` there is no end of them.
 */
import type { ClusterView } from '../cluster/contract.ts'
import type { Pod } from '../cluster/objects.ts'
import { addressOctets } from '../wire/address.ts'
import { undashed } from './address.ts'
import type { Item } from './service-names.ts'

export type PodMode = 'disabled' | 'insecure' | 'verified'

/** Whether a pod counts. */
export type PodFilter = (pod: Pod) => boolean

/**
 * What a pod name stands for: its address, once for each pod that has it; empty where there is no such name. `labels` are
 * relative to the origin, and end in the namespace and `pod`; one or two labels more are passed over, as CoreDNS does.
 */
export function podItems(labels: readonly string[], mode: PodMode, view: ClusterView, counts: PodFilter): Item[] {
  if (mode === 'disabled' || labels.length < 3 || labels.length > 5) return []
  const [label, namespace] = labels.slice(-3) as [string, string]
  const host = undashed(label)
  if (addressOctets(host) === undefined) return []
  const item: Item = { host, port: 0, portName: '', protocol: '', endpoint: '' }
  if (mode === 'insecure') return [item]
  return view
    .pods(host)
    .filter(pod => pod.namespace === namespace && counts(pod))
    .map(() => item)
}
