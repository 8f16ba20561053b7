/**
 * Names of pods (`10-244-0-1.shop.pod.cluster.local`), read when they are asked: with `pods insecure` there is no end of them.
 */
import { addressOctets } from '../wire/address.ts'
import { undashed } from './address.ts'
import type { Selection } from './selection.ts'
import type { Item } from './service-names.ts'

export type PodMode = 'disabled' | 'insecure' | 'verified'

/**
 * What a pod name stands for: its address, once for each pod that has it; empty where there is no such name. `labels` are
 * relative to the origin, and end in the namespace and `pod`; one or two labels more are passed over, as CoreDNS does.
 */
export function podItems(labels: readonly string[], mode: PodMode, selection: Selection): Item[] {
  if (mode === 'disabled' || labels.length < 3 || labels.length > 5) return []
  const [label, namespace] = labels.slice(-3) as [string, string]
  const host = undashed(label)
  if (!selection.exposes(namespace) || addressOctets(host) === undefined) return []
  const item: Item = { host, port: 0, portName: '', protocol: '', endpoint: '' }
  if (mode === 'insecure') return [item]
  return selection.pods(host, namespace).map(() => item)
}
