/**
 * The names of one Service, as pure functions of the object and its EndpointSlices (Kubernetes DNS specification 1.1.0,
 * sections 2.3 to 2.5, as CoreDNS 1.15 reads it). Origins, TTLs and octets come later, in `node.ts`.
 */
import type { Endpoint, EndpointSlice, Service } from '../cluster/objects.ts'
import { Below } from '../table/layout.ts'
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
  /** Empty where there is no such name, although there are names below it. */
  readonly items: readonly Item[]
  /** Which names below it may yet be made when they are asked for: bits of `Below`. */
  readonly below: number
}

export interface NamingOptions {
  /** Endpoints without a hostname are named after their pod. */
  readonly endpointPodNames: boolean
  /** A ClusterIP service without a ready endpoint has no name. */
  readonly ignoreEmptyService: boolean
  /** The endpoints of headless services have names by topology zone. */
  readonly zonal: boolean
}

/** A port or protocol label as it is matched: one leading underscore is optional, and none left matches every port. */
export interface PortFilter {
  readonly port: string
  readonly protocol: string
}

/** What stands for the ports of a service or slice that has none. */
const NO_PORT = { name: '', protocol: '', port: -1 }

/** In front of the service, it makes a name by topology zone: `ZONE.pin._zone.SERVICE`. */
export const ZONAL_LABEL = '_zone'

/** Names too long for a label are ignored, as CoreDNS does. */
const MAX_LABEL = 63

/** The label of an endpoint below its service; empty for a name that is no address. */
export function endpointLabel(
  endpoint: Endpoint,
  address: string,
  { endpointPodNames }: Pick<NamingOptions, 'endpointPodNames'>,
): string {
  if (endpoint.hostname !== '') return endpoint.hostname
  if (endpointPodNames && endpoint.targetName !== '' && endpoint.targetName.length <= MAX_LABEL) {
    return endpoint.targetName
  }
  return /[.:]/.test(address) ? dashed(address) : ''
}

/**
 * The names of a service that are compiled. Others are made when they are asked for: endpoints of a service that has an address
 * of its own (`rareEndpointItems`), ports in wild spellings such as `_._tcp` or `http.tcp` (`portItems`), topology zones
 * (`zonalItems`).
 */
export function serviceNames(
  service: Service,
  slices: readonly EndpointSlice[],
  options: NamingOptions,
): ServiceName[] {
  if (isHidden(service, slices, options)) return []
  const base = [service.name, service.namespace, 'svc']
  if (service.type === 'ExternalName') {
    const items = externalItems(service)
    return items.length > 0 ? [{ labels: base, items, below: Below.ODD_PORTS }] : []
  }
  const { headless } = service
  const zonal = options.zonal && headless
  const items = itemsOf(service, headless ? endpointItems(slices, options) : [])
  const names: ServiceName[] = []
  const below =
    (!headless && hasEndpointNames(slices, options) ? Below.ONE_LABEL : 0) |
    (items.length > 0 ? Below.ODD_PORTS : 0) |
    (zonal ? Below.MORE_LABELS : 0)
  // A headless service without a ready endpoint has no name of its own.
  if (items.length > 0 || below !== Below.CLOSED) names.push({ labels: base, items, below })
  for (const [label, group] of headless ? byEndpoint(items) : []) {
    names.push({ labels: [label, ...base], items: group, below: belowEndpoint(label, zonal) })
  }
  for (const [spelling, group] of Map.groupBy(items, portLabels)) {
    if (spelling !== '') names.push({ labels: [...spelling.split('/'), ...base], items: group, below: Below.CLOSED })
  }
  return names
}

function byEndpoint(items: readonly Item[]): Map<string, Item[]> {
  const groups = Map.groupBy(items, ({ endpoint }) => endpoint.toLowerCase())
  for (const label of groups.keys()) if (!isEndpointLabel(label)) groups.delete(label)
  return groups
}

function hasEndpointNames(slices: readonly EndpointSlice[], options: NamingOptions): boolean {
  return slices.some(slice =>
    slice.endpoints.some(
      endpoint =>
        endpoint.ready && endpoint.addresses.some(host => isEndpointLabel(endpointLabel(endpoint, host, options))),
    ),
  )
}

/** A pod's name may have dots: as one label it cannot be asked for, though SRV targets spell it. */
function isEndpointLabel(label: string): boolean {
  return label !== '' && !label.includes('.')
}

/** An endpoint may be called like a protocol, or like the label of zonal names: its name is then above those. */
function belowEndpoint(label: string, zonal: boolean): number {
  const ports = /^_?(tcp|udp|sctp)$|^_$/.test(label) ? Below.ONE_LABEL : 0
  return ports | (zonal && label === ZONAL_LABEL ? Below.TWO_LABELS | Below.MORE_LABELS : 0)
}

/** What the names of endpoints stand for that are made when they are asked for, by label in lower case. */
export function rareEndpointItems(
  service: Service,
  slices: readonly EndpointSlice[],
  options: NamingOptions,
): ReadonlyMap<string, readonly Item[]> {
  const compiled = service.headless || service.type === 'ExternalName'
  return compiled || isHidden(service, slices, options) ? NONE : byEndpoint(endpointItems(slices, options))
}

const NONE: ReadonlyMap<string, readonly Item[]> = new Map()

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

/** Whether the ports of both are called the same, so that each spelling leads to the same. */
export function samePorts(some: readonly Item[], others: readonly Item[]): boolean {
  const spelling = ({ portName, protocol }: Item) => `${portName}/${protocol}`.toLowerCase()
  return some.length === others.length && some.every((item, i) => spelling(item) === spelling(others[i]!))
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
