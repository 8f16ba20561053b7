/** A Service and its slices to what its virtual addresses lead to: pure functions, the same whatever node asks. */
import type { Endpoint, EndpointSlice, Service, ServicePort } from '../cluster/objects.ts'
import { keyOf } from '../cluster/objects.ts'
import { hostPort } from '../corefile/addresses.ts'
import { canonicalAddress, type Family, familyOf } from '../wire/address.ts'
import { everybody, parseRange } from '../wire/range.ts'
import type { Backend, Destination, Routeless, VirtualAddress } from './route.ts'

/** Labels that say whose business an object is; both stand on services and on their slices. */
const proxyName = 'service.kubernetes.io/service-proxy-name'
const headlessLabel = 'service.kubernetes.io/headless'

/** What a service's addresses lead to: one destination for each family and port, or why there are none. */
export function compileService(service: Service, slices: readonly EndpointSlice[]): readonly Destination[] | Routeless {
  const routeless = routelessness(service)
  if (routeless !== undefined) return routeless
  const counted = slices.filter(({ labels }) => !isForOthers(labels))
  return service.clusterIPs.flatMap(clusterIP => {
    const ip = canonicalAddress(clusterIP)
    const family = familyOf(ip)
    const own = counted.filter(({ addressType }) => addressType === family)
    const unpacked = own.map(({ ports, endpoints }) => ({ ports, endpoints }))
    return service.ports.map(port => destination(service, port, ip, unpacked))
  })
}

function isForOthers(labels: Service['labels']): boolean {
  return Object.hasOwn(labels, proxyName) || Object.hasOwn(labels, headlessLabel)
}

function routelessness({ type, externalName, headless, clusterIPs, ports, labels }: Service): Routeless | undefined {
  if (type === 'ExternalName')
    return {
      reason: 'ExternalName',
      text: `ExternalName: the name is an alias of ${externalName}, there is no address`,
    }
  if (headless)
    return {
      reason: 'headless',
      text: 'headless (clusterIP: None): DNS gives the addresses of the endpoints themselves',
    }
  if (Object.hasOwn(labels, proxyName))
    return { reason: 'other proxy', text: `its label ${proxyName} leaves it to "${labels[proxyName]}"` }
  if (Object.hasOwn(labels, headlessLabel))
    return { reason: 'headless', text: `its label ${headlessLabel} has it left alone, as if it were headless` }
  if (clusterIPs.length === 0) return { reason: 'no address', text: 'it has no clusterIP yet' }
  return ports.length === 0 ? { reason: 'no ports', text: 'it has no ports' } : undefined
}

type Unpacked = Pick<EndpointSlice, 'ports' | 'endpoints'>

function destination(service: Service, port: ServicePort, clusterIP: string, slices: readonly Unpacked[]): Destination {
  const { type, traffic, externalIPs } = service
  const family = familyOf(clusterIP)
  // A service port may be reached from outside without the service being meant for it: a status that is left over, for one.
  const meantForOutside = type !== 'ClusterIP' || externalIPs.length > 0
  const externalPolicy = meantForOutside ? traffic.externalTrafficPolicy : 'Cluster'
  return {
    service: keyOf(service),
    portName: port.name,
    protocol: port.protocol,
    family,
    addresses: addresses(service, port, clusterIP),
    backends: backends(port, slices),
    affinitySeconds: traffic.affinitySeconds,
    internalPolicy: traffic.internalTrafficPolicy,
    externalPolicy,
    sourceRanges: sourceRanges(traffic.loadBalancerSourceRanges, family),
    healthCheckNodePort: type === 'LoadBalancer' && externalPolicy === 'Local' ? traffic.healthCheckNodePort : 0,
  }
}

function addresses(service: Service, { port, nodePort }: ServicePort, clusterIP: string): VirtualAddress[] {
  const { externalIPs, loadBalancerIPs, traffic } = service
  const family = familyOf(clusterIP)
  const own = (ips: readonly string[]) => ips.map(canonicalAddress).filter(ip => familyOf(ip) === family)
  const virtual = loadBalancerIPs.filter(ip => !traffic.proxyModeIPs.includes(ip))
  const made: VirtualAddress[] = [{ kind: 'ClusterIP', ip: clusterIP, port }]
  for (const ip of own(externalIPs)) made.push({ kind: 'ExternalIP', ip, port })
  for (const ip of own(virtual)) made.push({ kind: 'LoadBalancer', ip, port })
  if (nodePort !== 0) made.push({ kind: 'NodePort', ip: anyAddress[family], port: nodePort })
  return made
}

/** Where node ports are. */
export const anyAddress: Readonly<Record<Family, string>> = { IPv4: '0.0.0.0', IPv6: '::' }

/** The service's port is the slices' port of the same name and protocol: they have resolved its target, each for its pods. */
function backends({ name, protocol }: ServicePort, slices: readonly Unpacked[]): Backend[] {
  const found: Backend[] = []
  for (const { ports, endpoints } of slices) {
    for (const port of ports) {
      if (port.name !== name || port.protocol !== protocol || port.port === undefined) continue
      for (const endpoint of endpoints) if (endpoint.addresses.length > 0) found.push(backend(endpoint, port.port))
    }
  }
  return found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
}

/** Of an endpoint's addresses the first counts; the API has no meaning for others. */
function backend(endpoint: Endpoint, port: number): Backend {
  const ip = canonicalAddress(endpoint.addresses[0]!)
  const { ready, serving, terminating, nodeName, zone, targetName, hints } = endpoint
  return { ip, port, address: hostPort(ip, port), ready, serving, terminating, nodeName, zone, targetName, hints }
}

/** A range that holds every address is as good as none. */
function sourceRanges(texts: readonly string[], family: Family): string[] {
  const ranges = texts.flatMap(text => parseRange(text) ?? []).filter(range => range.family === family)
  return ranges.some(everybody) ? [] : ranges.map(({ text }) => text)
}
