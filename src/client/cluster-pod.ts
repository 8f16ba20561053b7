/** A pod by its name, and the DNS server that its kubelet was told of: what a pod's side of a cluster begins with. */
import { isIP } from 'node:net'
import type { ClusterView } from '../cluster/contract.ts'
import { keyOf, type Pod, type Service } from '../cluster/objects.ts'
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'

/** Throws PORTOLAN_USAGE for what is no `namespace/name`. */
export function podKey(text: string | undefined): string {
  if (text === undefined) throw new PortolanError('PORTOLAN_USAGE', 'from where? give from NAMESPACE/POD')
  if (/^[^/\s]+\/[^/\s]+$/.test(text)) return text
  throw new PortolanError('PORTOLAN_USAGE', `from is NAMESPACE/POD, got "${text}"`)
}

/** Throws PORTOLAN_NO_POD, and says which pods are near. */
export function podNamed(view: ClusterView, key: string): Pod {
  const pod = view.get('Pod', key)
  if (pod !== undefined) return pod
  const [namespace] = key.split('/')
  const all = [...view.list('Pod')].map(keyOf)
  const near = all.find(other => other.startsWith(key))
  const own = all.filter(other => other.startsWith(`${namespace}/`)).slice(0, 5)
  const guess = near === undefined ? hint(key, all) : `: did you mean "${near}"?`
  const there =
    own.length > 0 ? `; namespace ${namespace} has ${own.join(', ')}` : `; namespace ${namespace} has no pods`
  throw new PortolanError('PORTOLAN_NO_POD', `there is no pod ${key}${guess || there}`)
}

/** The services that clusters have their DNS server behind, by usual names. */
const usualNames = ['kube-system/kube-dns', 'kube-system/coredns', 'kube-system/portolan']

/**
 * `clusterDNS` of kubelets, which no object says: what was given, else the first address of the cluster's DNS service, as kubeadm has it;
 * empty where there is none. Throws PORTOLAN_USAGE for what is given and no address.
 */
export function clusterDns(view: ClusterView, given: string | undefined): readonly string[] {
  if (given !== undefined) return given.split(',').map(text => addressOf(text.trim()))
  return dnsService(view)?.clusterIPs.slice(0, 1) ?? []
}

/** The service that the DNS server of a cluster is behind, by its usual names and its label; rather one that has an address. */
export function dnsService(view: ClusterView): Service | undefined {
  const labelled = [...view.list('Service')].filter(
    ({ namespace, labels }) => namespace === 'kube-system' && labels['k8s-app'] === 'kube-dns',
  )
  const services = [...usualNames.flatMap(key => view.service(key) ?? []), ...labelled]
  return services.find(({ clusterIPs }) => clusterIPs.length > 0) ?? services[0]
}

function addressOf(text: string): string {
  if (isIP(text) !== 0) return text
  throw new PortolanError('PORTOLAN_USAGE', `cluster-dns: "${text}" is no address`)
}
