/** The cluster's DNS server as objects describe it: its service, the pods behind it, and where each is asked. */
import type { ClusterView } from '../../cluster/contract.ts'
import { keyOf, type Pod, type Protocol, type Service } from '../../cluster/objects.ts'
import { dnsService } from '../cluster-pod.ts'

export interface DnsServer {
  readonly service: Service | undefined
  /** Those that its selector selects; those that are usually labelled so where there is no service. */
  readonly pods: readonly Pod[]
  readonly endpoints: readonly DnsEndpoint[]
}

export interface DnsEndpoint {
  readonly ip: string
  readonly ready: boolean
  /** `namespace/name`; its address where no pod is behind it. */
  readonly who: string
  /** Where it is asked; undefined where its slice has no such port. */
  readonly ports: { readonly [P in Exclude<Protocol, 'SCTP'>]: number | undefined }
}

const usualLabels = { 'k8s-app': 'kube-dns' }

export function dnsServerOf(view: ClusterView): DnsServer {
  const service = dnsService(view)
  const selector = service === undefined ? usualLabels : service.selector
  return {
    service,
    pods: podsOf(view, selector, service?.namespace ?? 'kube-system'),
    endpoints: endpointsOf(view, service),
  }
}

function podsOf(view: ClusterView, selector: Readonly<Record<string, string>>, namespace: string): Pod[] {
  const wanted = Object.entries(selector)
  if (wanted.length === 0) return []
  return [...view.list('Pod')].filter(
    pod => pod.namespace === namespace && wanted.every(([key, value]) => pod.labels[key] === value),
  )
}

function endpointsOf(view: ClusterView, service: Service | undefined): DnsEndpoint[] {
  if (service === undefined) return []
  const nameAt53 = (protocol: Protocol) => service.ports.find(own => own.port === 53 && own.protocol === protocol)?.name
  const names = { UDP: nameAt53('UDP'), TCP: nameAt53('TCP') }
  return view.slices(keyOf(service)).flatMap(({ ports, endpoints }) => {
    const portOf = (protocol: 'UDP' | 'TCP') =>
      ports.find(own => own.name === names[protocol] && own.protocol === protocol)?.port
    const at = { UDP: portOf('UDP'), TCP: portOf('TCP') }
    return endpoints.map(({ addresses: [ip = ''], ready, targetName }) => {
      const who = targetName === '' ? ip : `${service.namespace}/${targetName}`
      return { ip, ready, who, ports: at }
    })
  })
}
