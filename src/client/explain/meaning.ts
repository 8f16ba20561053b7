/**
 * What a name of the cluster stands for, and what is missing where it stands for nothing: the layout of the Kubernetes DNS specification
 * 1.1.0 read backwards. It explains an answer that was given already, and never makes one.
 */
import { isIP } from 'node:net'
import type { ClusterView } from '../../cluster/contract.ts'
import { type ClusterObject, keyOf, type Service } from '../../cluster/objects.ts'
import { hint } from '../../corefile/nearest.ts'
import { familyOf } from '../../wire/address.ts'
import type { AddressType } from '../resolver/walk.ts'
import { endpointLack } from './usable-endpoints.ts'

export interface Meaning {
  /** The objects behind the name: `Service shop/web (version 123)`. */
  readonly objects: readonly string[]
  /** Why there is no such name, or no address of the type: a sentence without its full stop; undefined where nothing is missing. */
  readonly lack: string | undefined
  /** The service that is meant. */
  readonly service: Service | undefined
}

/** `name` is absolute, without its last dot. Undefined for a name of none of the zones. */
export function meaningOf(
  view: ClusterView,
  zones: readonly string[],
  name: string,
  type: AddressType,
): Meaning | undefined {
  const lower = name.toLowerCase()
  const zone = zones.find(zone => lower === zone || lower.endsWith(`.${zone}`))
  if (zone === undefined) return undefined
  if (lower === zone) return nothing(`${zone} is the zone itself, which has no address`)
  const labels = lower.slice(0, -zone.length - 1).split('.')
  const kind = labels.pop()
  if (kind === 'pod') return podMeaning(view, labels)
  if (kind !== 'svc') return nothing(`names of services are NAME.NAMESPACE.svc.${zone}`)
  const [namespace, service, ...rest] = labels.toReversed()
  if (namespace === undefined) return nothing(`svc.${zone} alone is no service`)
  if (view.get('Namespace', namespace) === undefined) return nothing(noNamespace(view, namespace))
  if (service === undefined) return nothing(`${namespace} is a namespace: a service's name has to stand before it`)
  const found = view.service(`${namespace}/${service}`)
  if (found === undefined) return nothing(noService(view, namespace, service))
  return { ...serviceMeaning(view, found, rest.toReversed(), type, zones), service: found }
}

function nothing(lack: string): Meaning {
  return { objects: [], lack, service: undefined }
}

function noNamespace(view: ClusterView, namespace: string): string {
  const names = [...view.list('Namespace')].map(({ name }) => name)
  return `there is no namespace ${namespace}${hint(namespace, names)}`
}

function noService(view: ClusterView, namespace: string, name: string): string {
  const services = [...view.list('Service')]
  const elsewhere = services.filter(service => service.name === name).map(({ namespace }) => namespace)
  const near = hint(
    name,
    services.filter(service => service.namespace === namespace).map(({ name }) => name),
  )
  const other = elsewhere.length > 0 ? `; namespace ${elsewhere.slice(0, 3).join(', ')} has one` : ''
  return `there is no service ${name} in namespace ${namespace}${near}${other}`
}

type Part = Omit<Meaning, 'service'>

function serviceMeaning(
  view: ClusterView,
  service: Service,
  below: readonly string[],
  type: AddressType,
  zones: readonly string[],
): Part {
  const objects = [versioned(service)]
  if (service.type === 'ExternalName')
    return { objects, lack: below.length > 0 ? noneBelow(service) : aliasLack(view, service, zones) }
  const slices = view.slices(keyOf(service))
  const all = [...objects, ...slices.map(versioned)]
  const family = type === 'A' ? 'IPv4' : 'IPv6'
  if (service.headless) {
    const some = slices.some(slice => slice.addressType === family && slice.endpoints.some(({ ready }) => ready))
    if (!some) return { objects: all, lack: headlessLack(view, service, family) }
    return { objects: all, lack: below.length === 0 ? undefined : endpointNameLack(service, slices, below) }
  }
  if (below.length > 0) return { objects: all, lack: endpointNameLack(service, slices, below) }
  const has = service.clusterIPs.some(ip => familyOf(ip) === family)
  const families = service.clusterIPs.map(familyOf).join(' and ')
  return {
    objects,
    lack: has
      ? undefined
      : `service ${keyOf(service)} has ${families ? `addresses of ${families} alone` : 'no address yet'}`,
  }
}

function headlessLack(view: ClusterView, service: Service, family: string): string {
  const lack = endpointLack(view, service)?.why
  if (lack === undefined) return `no endpoint of headless service ${keyOf(service)} has an ${family} address`
  const advice =
    /ready/.test(lack) && !service.publishNotReadyAddresses
      ? '; publishNotReadyAddresses would name them all the same'
      : ''
  return `service ${keyOf(service)} is headless, so its name exists only while an endpoint is ready: ${lack}${advice}`
}

function endpointNameLack(
  service: Service,
  slices: ReturnType<ClusterView['slices']>,
  below: readonly string[],
): string | undefined {
  const [label = ''] = below
  const endpoints = slices.flatMap(slice => slice.endpoints)
  const own = endpoints.filter(
    ({ hostname, addresses }) =>
      hostname.toLowerCase() === label || addresses.some(ip => ip.replace(/[.:]/g, '-') === label),
  )
  if (below.length === 1 && own.some(({ ready }) => ready)) return undefined
  if (below.length === 2 && below.every(part => part.startsWith('_'))) return undefined
  if (own.length > 0) return `endpoint ${label} of service ${keyOf(service)} is not ready`
  const hostnames = [...new Set(endpoints.flatMap(({ hostname }) => hostname || []))]
  const has =
    hostnames.length > 0
      ? `: it has ${hostnames.slice(0, 5).join(', ')}`
      : ': a pod has such a name where its hostname and subdomain are set'
  return `service ${keyOf(service)} has no endpoint called ${below.join('.')}${has}`
}

function noneBelow(service: Service): string {
  return `service ${keyOf(service)} is an ExternalName: there are no names below it`
}

/** What is wrong with what an ExternalName stands for, as far as the cluster knows. */
function aliasLack(view: ClusterView, service: Service, zones: readonly string[]): string | undefined {
  const target = service.externalName.replace(/\.$/, '')
  if (isIP(target) !== 0)
    return `service ${keyOf(service)} is an ExternalName that holds an address, ${target}: it must hold a name, so use a Service without a selector and an EndpointSlice`
  const inner = meaningOf(view, zones, target, 'A')
  return inner?.lack && `service ${keyOf(service)} is an ExternalName of ${target}: ${inner.lack}`
}

function podMeaning(view: ClusterView, labels: readonly string[]): Meaning {
  const [namespace, label = ''] = labels.toReversed()
  if (namespace === undefined) return nothing('pod names are ADDRESS.NAMESPACE.pod, with dashes in the address')
  if (view.get('Namespace', namespace) === undefined) return nothing(noNamespace(view, namespace))
  const ip = /^\d+-\d+-\d+-\d+$/.test(label) ? label.replaceAll('-', '.') : label.replaceAll('-', ':')
  const pods = view.pods(ip).filter(pod => pod.namespace === namespace)
  if (isIP(ip) === 0) return nothing(`${label} is no address with dashes: a pod's own name has no record`)
  return {
    objects: pods.map(versioned),
    lack: pods.length > 0 ? undefined : `no pod of namespace ${namespace} has the address ${ip}`,
    service: undefined,
  }
}

/** `Service shop/web (version 123)`. */
export function versioned(object: ClusterObject): string {
  const version = object.detail?.resourceVersion ?? ''
  return `${object.kind} ${keyOf(object)}${version && ` (version ${version})`}`
}
