/** Which workload a client is of: the name of its pod without what Kubernetes adds to tell pods apart. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Pod } from '../../cluster/objects.ts'
import { hasEnded } from '../../zone/selection.ts'

/** `namespace/name` of the workload at an address; undefined where there is none, or where several share it, as on a host. */
export function workloadAt(cluster: ClusterView, address: string): string | undefined {
  const found = new Set<string>()
  for (const pod of cluster.pods(address)) {
    if (pod.hostNetwork) return undefined
    if (!hasEnded(pod)) found.add(`${pod.namespace}/${workloadName(pod)}`)
  }
  const [name, ...others] = found
  return others.length === 0 ? name : undefined
}

/** The labels say who made a pod, and so what stands behind its maker's name. */
function workloadName({ name, labels }: Pod): string {
  const hash = labels['pod-template-hash']
  if (hash !== undefined) return name.replace(new RegExp(`-${hash}-[^-]+$`), '')
  if (labels['statefulset.kubernetes.io/pod-name'] !== undefined) return name.replace(/-\d+$/, '')
  const isMade = labels['controller-revision-hash'] ?? labels['batch.kubernetes.io/job-name']
  return isMade === undefined ? name : name.replace(/-[^-]+$/, '')
}
