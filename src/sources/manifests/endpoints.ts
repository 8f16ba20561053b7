/**
 * Endpoint slices for services that have none in the folder: mirrored from an Endpoints object, else made from the pods that the
 * service selects, as the controllers of a cluster do.
 */
import { isIPv4 } from 'node:net'
import type { Fields } from '../../cluster/fields.ts'
import { type Labels, matchesLabels } from '../../cluster/labels.ts'
import {
  type Endpoint,
  type EndpointHints,
  type EndpointPort,
  type EndpointSlice,
  NO_HINTS,
  type Service,
} from '../../cluster/objects.ts'
import { PackedSlice } from '../../cluster/packed-slice.ts'
import type { Family } from '../../wire/address.ts'
import { suffixes } from './allocate.ts'
import { addressesOf, type PodPlan } from './pods.ts'
import { trimOrThrow } from './problems.ts'
import type { Item } from './select.ts'
import type { ServicePlan } from './services.ts'

/** Pods by each of their labels, so that a selector need not look at all of them. Pods that have ended are left out. */
export class SelectablePods {
  readonly #byLabel = new Map<string, PodPlan[]>()

  constructor(plans: readonly PodPlan[]) {
    for (const plan of plans) {
      const { namespace, labels, phase } = plan.pod
      if (phase === 'Succeeded' || phase === 'Failed') continue
      for (const [key, value] of Object.entries(labels)) {
        const place = `${namespace} ${key}=${value}`
        const others = this.#byLabel.get(place)
        if (others) others.push(plan)
        else this.#byLabel.set(place, [plan])
      }
    }
  }

  /** None for a service without a selector: its endpoints are somebody else's work. */
  selected({ namespace, selector }: Service): PodPlan[] {
    const [first] = Object.entries(selector)
    if (!first) return []
    const candidates = this.#byLabel.get(`${namespace} ${first[0]}=${first[1]}`) ?? []
    return candidates.filter(({ pod }) => matchesLabels(selector, pod.labels))
  }
}

/** One slice for each family and each set of ports that the selected pods resolve the service's ports to. */
export function slicesFromPods({ service, families }: ServicePlan, pods: SelectablePods): EndpointSlice[] {
  const groups = [...Map.groupBy(pods.selected(service), pod => JSON.stringify(portsOf(service, pod))).values()]
  return families.flatMap(family =>
    groups.flatMap(members => {
      const endpoints = members.flatMap(member => endpointOf(service, member, family))
      return endpoints.length > 0 ? [sliceOf(service, family, portsOf(service, members[0]!), endpoints)] : []
    }),
  )
}

/** A port whose target no container names is left out. */
function portsOf({ ports }: Service, pod: PodPlan): EndpointPort[] {
  return ports.flatMap(({ name, protocol, targetPort }) => {
    const named = pod.ports.find(port => port.name === targetPort && port.protocol === protocol)
    const port = typeof targetPort === 'number' ? targetPort : named?.port
    return port === undefined ? [] : [{ name, protocol, port }]
  })
}

function endpointOf(service: Service, plan: PodPlan, family: Family): Endpoint[] {
  const { pod, ready, hostname, subdomain, zone } = plan
  const addresses = addressesOf(pod, family)
  if (addresses.length === 0) return []
  return [
    {
      addresses,
      hostname: subdomain === service.name ? hostname : '',
      ready: service.publishNotReadyAddresses || (ready && !pod.terminating),
      serving: ready,
      terminating: pod.terminating,
      targetName: pod.name,
      nodeName: pod.nodeName,
      zone,
      hints: hintsOf(service, zone, pod.nodeName),
    },
  ]
}

const zonal = ['PreferClose', 'PreferSameZone', 'PreferSameNode']

/** What the controller writes for a `trafficDistribution`: an endpoint is meant for its own zone, or for its own node. */
function hintsOf({ traffic: { trafficDistribution } }: Service, zone: string, node: string): EndpointHints {
  if (!zonal.includes(trafficDistribution)) return NO_HINTS
  const forNodes = trafficDistribution === 'PreferSameNode' && node !== '' ? [node] : []
  return { forZones: zone === '' ? [] : [zone], forNodes }
}

function sliceOf(
  service: Service,
  family: Family,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
): EndpointSlice {
  return new PackedSlice({
    name: sliceName(service.name, `${family} ${JSON.stringify(ports)}`),
    namespace: service.namespace,
    labels: sliceLabels(service.name, service.labels),
    serviceName: service.name,
    lastChangeTriggerTime: 0,
    addressType: family,
    ports,
    endpoints,
  })
}

/** The slices that mirror an Endpoints object: one for each subset and family. */
export function slicesFromEndpoints({ fields, namespace, name }: Item): EndpointSlice[] {
  const labels = sliceLabels(name, fields.child('metadata').map('labels'))
  return fields.children('subsets').flatMap((subset, index) => {
    const endpoints = [
      ...subset.children('addresses').map(address => mirrored(address, true)),
      ...subset.children('notReadyAddresses').map(address => mirrored(address, false)),
    ]
    const byFamily = Map.groupBy(endpoints, ({ addresses: [ip] }) => (isIPv4(ip) ? 'IPv4' : 'IPv6'))
    return [...byFamily].map(([addressType, endpoints]) =>
      trimOrThrow('EndpointSlice', {
        metadata: { namespace, name: sliceName(name, `${addressType} ${index}`), labels },
        addressType,
        ports: subset.json['ports'],
        endpoints,
      }),
    )
  })
}

function mirrored(address: Fields, ready: boolean): { addresses: [string] } & Readonly<Record<string, unknown>> {
  const { hostname, nodeName, targetRef } = address.json
  return {
    addresses: [address.text('ip') ?? address.refuse('ip', 'an IP address')],
    hostname,
    nodeName,
    targetRef,
    conditions: { ready },
  }
}

/** The controllers copy the labels of the Service or Endpoints, which the kubernetes plugin's `labels` option relies on. */
function sliceLabels(serviceName: string, labels: Labels): Labels {
  return { ...labels, 'kubernetes.io/service-name': serviceName }
}

function sliceName(serviceName: string, distinction: string): string {
  const key = `${serviceName} ${distinction}`
  return `${serviceName}-${suffixes([key]).get(key)}`
}
