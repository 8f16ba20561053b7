/** Checks of the objects behind the cluster's DNS server: its service and its pods. */
import { keyOf } from '../../cluster/objects.ts'
import { endpointLack } from '../explain/usable-endpoints.ts'
import { unreadiness } from '../readiness.ts'
import { type Check, type CheckName, counted, type Finding, fault, kubectl, note, warning } from './check.ts'
import type { World } from './world.ts'

/** What fails where nobody answers. */
const queries: readonly CheckName[] = ['direct query', 'virtual address', 'upstream']

export const dnsServiceCheck: Check = {
  name: 'dns service',
  examine({ view, dns: { service, endpoints } }) {
    if (service === undefined) {
      const seen = 'there is no service kube-system/kube-dns, and none in kube-system with the label k8s-app=kube-dns'
      const next = ['kubectl -n kube-system get services', 'kubectl apply -f config/deploy']
      return { summary: '', findings: [fault(seen, 'pods ask an address that leads nowhere', next, queries)] }
    }
    const key = keyOf(service)
    const findings: Finding[] = []
    if (service.clusterIPs.length === 0) {
      const seen = `service ${key} has no cluster address${service.headless ? ' (clusterIP: None)' : ''}`
      const means = "the kubelet's clusterDNS needs an address that stays"
      findings.push(fault(seen, means, [kubectl('get service -o yaml', key)], queries))
    }
    for (const protocol of ['UDP', 'TCP'] as const) {
      if (service.ports.some(own => own.port === 53 && own.protocol === protocol)) continue
      const seen = `service ${key} has no port 53/${protocol}`
      const next = [kubectl('edit service', key)]
      if (protocol === 'UDP') findings.push(fault(seen, 'nearly all queries are sent over UDP', next, queries))
      else findings.push(warning(seen, 'answers that are too long for UDP cannot be had', next))
    }
    const ready = endpoints.filter(endpoint => endpoint.ready).length
    const lack = endpointLack(view, service)
    if (lack !== undefined || ready === 0) {
      const seen = `service ${key} has no ready endpoint: ${lack?.why ?? 'its slices have none'}`
      const slices = `kubectl -n ${service.namespace} get endpointslices -l kubernetes.io/service-name=${service.name}`
      findings.push(
        fault(seen, 'every query of every pod is refused', [slices, kubectl('describe service', key)], queries),
      )
    }
    const summary = `${key} at ${service.clusterIPs.join(', ')}, ${ready} of ${counted(endpoints.length, 'endpoint')} ready`
    return { summary, findings }
  },
}

export const dnsPodsCheck: Check = {
  name: 'dns pods',
  examine({ dns: { service, pods } }: World) {
    if (pods.length === 0)
      return { missing: service === undefined ? 'no pod is labelled k8s-app=kube-dns' : 'the service selects no pod' }
    const findings: Finding[] = []
    const ready = pods.filter(pod => unreadiness(pod) === undefined).length
    for (const pod of pods) {
      const why = unreadiness(pod)
      if (why === undefined) continue
      const key = keyOf(pod)
      const means = ready === 0 ? 'no query of any pod is answered' : `${ready} of ${pods.length} pods do its work`
      const next = [kubectl('describe pod', key), kubectl('logs', key), `${kubectl('logs', key)} --previous`]
      findings.push(fault(why, means, next, ['dns service', ...queries]))
    }
    const nodes = new Set(pods.map(({ nodeName }) => nodeName))
    if (pods.length === 1) findings.push(note('there is one pod: while it is replaced nobody answers'))
    else if (nodes.size === 1 && !nodes.has(''))
      findings.push(note(`all of them are on node ${pods[0]!.nodeName}: they fail together`))
    return { summary: `${ready} of ${pods.length} ready: ${pods.map(({ name }) => name).join(', ')}`, findings }
  },
}
