/**
 * The names of one Service, as pure functions of the object and its EndpointSlices (Kubernetes DNS specification 1.1.0,
 * sections 2.3 to 2.5, as CoreDNS 1.15 reads it). Origins, TTLs and octets come later, in `node.ts`.
 */
import type { Endpoint, EndpointSlice, Service } from '../cluster/objects.ts'
import { addressOctets } from '../wire/address.ts'
import { dashed } from './address.ts'

/** An address (or, for FQDN slices and ExternalName, a name) that stands behind a name, at a port. */
export interface Item {
  /** Address or name, as the object has it. */
  readonly host: string
  /** -1 where there is no port: then there is no SRV record. */
  readonly port: number
  readonly portName: string
  readonly protocol: string
  /** What the SRV target has in front of the service's (or pod's) own name; empty for that name itself. May hold dots. */
  readonly endpoint: string
}

/** A name relative to the origin, and what stands behind it. The last three labels are the service's (or pod's) own name. */
export interface ServiceName {
  readonly labels: readonly string[]
  readonly items: readonly Item[]
}

export interface NamingOptions {
  /** Endpoints without a hostname are named after their pod. */
  readonly endpointPodNames: boolean
  /** A ClusterIP service without a ready endpoint has no name. */
  readonly ignoreEmptyService: boolean
}

/** A port or protocol label as it is matched: one leading underscore is optional, and none left matches every port. */
export interface PortFilter {
  readonly port: string
  readonly protocol: string
}

/** What stands for the ports of a service or slice that has none. */
const NO_PORT = { name: '', protocol: '', port: -1 }

/** Names too long for a label are ignored, as CoreDNS does. */
const MAX_LABEL = 63

/** The label of an endpoint below its service; empty for a name that is no address. */
export function endpointLabel(endpoint: Endpoint, address: string, { endpointPodNames }: NamingOptions): string {
  if (endpoint.hostname !== '') return endpoint.hostname
  if (endpointPodNames && endpoint.targetName !== '' && endpoint.targetName.length <= MAX_LABEL) {
    return endpoint.targetName
  }
  return /[.:]/.test(address) ? dashed(address) : ''
}

/** All names of a service but those with a port in a wild spelling (`_._tcp`), which `portItems` gives. */
export function serviceNames(
  service: Service,
  slices: readonly EndpointSlice[],
  options: NamingOptions,
): ServiceName[] {
  const base = [service.name, service.namespace, 'svc']
  if (isHidden(service, slices, options)) return []
  if (service.type === 'ExternalName') {
    const items = externalItems(service)
    return items.length > 0 ? [{ labels: base, items }] : []
  }
  const endpoints = endpointItems(slices, options)
  const items = itemsOf(service, endpoints)
  const names: ServiceName[] = []
  // A headless service without a ready endpoint has no name of its own.
  if (items.length > 0) names.push({ labels: base, items })
  for (const [label, group] of Map.groupBy(endpoints, ({ endpoint }) => endpoint.toLowerCase())) {
    // A pod's name may have dots: as one label it cannot be asked for, though SRV targets spell it.
    if (label !== '' && !label.includes('.')) names.push({ labels: [label, ...base], items: group })
  }
  for (const [spelling, group] of Map.groupBy(items, portLabels)) {
    if (spelling !== '') names.push({ labels: [...spelling.split('/'), ...base], items: group })
  }
  return names
}

/** What a name with a port and a protocol stands for, in any spelling that CoreDNS takes; empty where nothing matches. */
export function portItems(
  service: Service,
  slices: readonly EndpointSlice[],
  options: NamingOptions,
  filter: PortFilter,
): Item[] {
  if (isHidden(service, slices, options)) return []
  if (service.type === 'ExternalName') {
    // Where neither port nor protocol is asked for it is as if the service's own name were.
    return filter.port === '' && filter.protocol === '' ? externalItems(service) : []
  }
  return itemsOf(service, service.headless ? endpointItems(slices, options) : []).filter(
    ({ portName, protocol }) => matches(filter.port, portName) && matches(filter.protocol, protocol),
  )
}

/** The ready endpoints of a topology zone, or of all of them: what `ZONE.pin._zone.SERVICE` stands for. */
export function zonalItems(slices: readonly EndpointSlice[], options: NamingOptions, zone: string | undefined): Item[] {
  const inZone = slices.map(slice => ({
    ...slice,
    endpoints: slice.endpoints.filter(endpoint => zone === undefined || endpoint.zone.toLowerCase() === zone),
  }))
  return endpointItems(inZone, options)
}

/** Whether two lists stand for the same answers. */
export function sameItems(some: readonly Item[], others: readonly Item[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ host, port, endpoint }, i) => {
      const other = others[i]!
      return host === other.host && port === other.port && endpoint === other.endpoint
    })
  )
}

function matches(wanted: string, actual: string): boolean {
  return wanted === '' || wanted === actual.toLowerCase()
}

function portLabels({ portName, protocol }: Item): string {
  return portName === '' || protocol === '' ? '' : `_${portName.toLowerCase()}/_${protocol.toLowerCase()}`
}

/** An address is no name: CoreDNS leaves a service that has one out altogether. */
function externalItems({ externalName }: Service): Item[] {
  if (addressOctets(externalName) !== undefined) return []
  return [{ host: externalName, port: -1, portName: '', protocol: '', endpoint: '' }]
}

function isHidden(service: Service, slices: readonly EndpointSlice[], options: NamingOptions): boolean {
  if (!options.ignoreEmptyService || service.headless || service.type === 'ExternalName') return false
  return !slices.some(slice => slice.endpoints.some(endpoint => endpoint.ready && endpoint.addresses.length > 0))
}

/** The items of the service's own name: of its ports and cluster addresses, or where it is headless of its endpoints. */
function itemsOf(service: Service, endpoints: readonly Item[]): readonly Item[] {
  if (service.headless) return endpoints
  const ports = service.ports.length > 0 ? service.ports : [NO_PORT]
  return ports.flatMap(({ name, protocol, port }) =>
    service.clusterIPs.map(host => ({ host, port, portName: name, protocol, endpoint: '' })),
  )
}

function endpointItems(slices: readonly EndpointSlice[], options: NamingOptions): Item[] {
  const items: Item[] = []
  for (const slice of slices) {
    const ports = slice.ports.length > 0 ? slice.ports : [NO_PORT]
    for (const endpoint of slice.endpoints) {
      if (!endpoint.ready) continue
      for (const host of endpoint.addresses) {
        const label = endpointLabel(endpoint, host, options)
        for (const { name, protocol, port } of ports) {
          items.push({ host, port: port ?? -1, portName: name, protocol, endpoint: label })
        }
      }
    }
  }
  return items
}
