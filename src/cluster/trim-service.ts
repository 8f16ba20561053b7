/** Services: addresses, ports, and what routes ask of them. */
import { unpadded } from '../wire/address.ts'
import { parseRange } from '../wire/range.ts'
import type { Fields } from './fields.ts'
import { intern } from './intern.ts'
import { type Service, type ServicePort, type Traffic, type TrafficPolicy, USUAL_TRAFFIC } from './objects.ts'
import { same } from './same.ts'
import { isAddress, label, protocols, trimAddress, trimMeta } from './trim-parts.ts'

const serviceTypes = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const

/** Throws a PortolanError that names the field for what is no service. */
export function trimService(json: Fields): Service {
  const spec = json.child('spec')
  const type = spec.oneOf('type', serviceTypes, 'ClusterIP')
  const external = type === 'ExternalName'
  const given = spec.texts('clusterIPs')
  const clusterIPs = (given.length > 0 ? given : [spec.text('clusterIP', '')]).map(unpadded)
  const headless = !external && clusterIPs[0] === 'None'
  const addresses = external || headless ? [] : clusterIPs.filter(ip => ip !== '')
  if (!addresses.every(isAddress)) spec.refuse(given.length > 0 ? 'clusterIPs' : 'clusterIP', 'IP addresses or None')
  const externalIPs = spec.texts('externalIPs').map(unpadded)
  if (!externalIPs.every(isAddress)) spec.refuse('externalIPs', 'IP addresses')
  const ingress = json.child('status').child('loadBalancer').children('ingress').flatMap(trimIngress)
  if (external && !spec.text('externalName')) spec.refuse('externalName', 'a domain name')
  return {
    kind: 'Service',
    ...trimMeta(json, label),
    type,
    clusterIPs: addresses,
    headless,
    externalName: external ? spec.text('externalName', '') : '',
    ports: spec.children('ports').map(trimServicePort),
    selector: spec.map('selector'),
    publishNotReadyAddresses: spec.flag('publishNotReadyAddresses') ?? false,
    externalIPs,
    loadBalancerIPs: ingress.map(({ ip }) => ip),
    traffic: trimTraffic(
      spec,
      ingress.flatMap(({ ip, proxied }) => (proxied ? ip : [])),
    ),
  }
}

/** The entries of a load balancer that have an address; others have a hostname. */
function trimIngress(json: Fields): { readonly ip: string; readonly proxied: boolean }[] {
  const ip = trimAddress(json, 'ip')
  return ip === '' ? [] : [{ ip, proxied: json.text('ipMode', 'VIP') !== 'VIP' }]
}

const threeHours = 10_800
const oneDay = 86_400

/** A policy that a later API has and we do not know counts as the usual one, as with kube-proxy: names must not suffer from it. */
function trimTraffic(spec: Fields, proxyModeIPs: readonly string[]): Traffic {
  const sticky = spec.text('sessionAffinity') === 'ClientIP'
  const clientIP = spec.child('sessionAffinityConfig').child('clientIP')
  const ranges = spec.texts('loadBalancerSourceRanges').map(range => range.trim())
  if (!ranges.every(parseRange)) spec.refuse('loadBalancerSourceRanges', 'CIDR ranges')
  const traffic: Traffic = {
    affinitySeconds: sticky ? (clientIP.integer('timeoutSeconds', 1, oneDay) ?? threeHours) : 0,
    internalTrafficPolicy: policyOf(spec, 'internalTrafficPolicy'),
    externalTrafficPolicy: policyOf(spec, 'externalTrafficPolicy'),
    loadBalancerSourceRanges: ranges,
    proxyModeIPs,
    healthCheckNodePort: spec.integer('healthCheckNodePort', 0, 65535) ?? 0,
    trafficDistribution: spec.text('trafficDistribution', ''),
  }
  return same(traffic, USUAL_TRAFFIC) ? USUAL_TRAFFIC : traffic
}

function policyOf(spec: Fields, field: string): TrafficPolicy {
  return spec.text(field) === 'Local' ? 'Local' : 'Cluster'
}

function trimServicePort(json: Fields): ServicePort {
  const port = json.integer('port', 1, 65535) ?? json.refuse('port', 'a port number')
  return {
    name: intern(json.text('name', '')),
    protocol: json.oneOf('protocol', protocols, 'TCP'),
    port,
    // The API server takes 0 and '' for absent.
    targetPort: json.integerOrText('targetPort', 0, 65535) || port,
    nodePort: json.integer('nodePort', 0, 65535) ?? 0,
    appProtocol: intern(json.text('appProtocol', '')),
  }
}
