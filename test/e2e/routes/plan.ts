/** Services and their endpoints in a few words, and the objects of the API that they stand for. */
import type { ClusterObject, Kind } from '../../../src/cluster/objects.ts'
import { describe, trim } from '../../../src/cluster/trim.ts'
import { PortolanError } from '../../../src/errors.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster } from '../../helpers/cluster.ts'
import type { ApiObject } from '../api-client.ts'

export const nodes = { own: 'lab-node', other: 'other-node' } as const
export const zones = { own: 'zone-a', other: 'zone-b' } as const
/** The addresses of the node that kube-proxy runs on. */
export const nodeIPs = ['192.168.77.10', 'fd00:77::10'] as const
export const podRanges = ['10.244.0.0/16', 'fd00:244::/48'] as const

/** The addresses of a pod, by its number. */
export function podIPs(pod: number): readonly [v4: string, v6: string] {
  return [`10.244.${1 + (pod >> 8)}.${pod & 255}`, `fd00:244::${pod.toString(16)}`]
}

export interface PortPlan {
  readonly name?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly nodePort?: number
}

export interface EndpointPlan {
  /** Which pod: the last number of its address. */
  readonly pod: number
  /** On the node itself, or on the other one; nowhere unless given. */
  readonly on?: keyof typeof nodes
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
  readonly forZones?: readonly string[]
  readonly forNodes?: readonly string[]
}

export interface ServicePlan {
  readonly name: string
  /** Makes its addresses, and the ports and health check port that it does not share with others. */
  readonly number: number
  readonly families?: readonly (4 | 6)[]
  readonly ports?: readonly PortPlan[]
  /** Further fields of `spec`; `type` for one. */
  readonly spec?: Readonly<Record<string, unknown>>
  readonly ingress?: readonly Readonly<Record<string, unknown>>[]
  readonly labels?: Readonly<Record<string, string>>
  /** The endpoints of each slice, of which there is one for each family. */
  readonly slices?: readonly (readonly EndpointPlan[])[]
  /** The port of the pods in each slice; each of the service's ports is so much above it as it is above its first. None: a port is unknown. */
  readonly targets?: readonly (number | undefined)[]
  /** The `spec` of a service without addresses: a headless one, or an ExternalName. */
  readonly bare?: Readonly<Record<string, unknown>>
}

const namespace = 'routes'
const http: readonly PortPlan[] = [{ port: 80 }]

export function namespaceObject(): ApiObject {
  return { kind: 'Namespace', metadata: { name: namespace } }
}

export function serviceObject({
  name,
  number,
  families = [4],
  ports = http,
  spec,
  ingress,
  labels,
  bare,
}: ServicePlan): ApiObject {
  if (bare !== undefined) return { ...barelyService(name, bare), spec: { ports, ...bare } }
  const clusterIPs = families.map(family =>
    family === 4 ? `10.96.${number >> 8}.${number & 255}` : `fd00:96::${number.toString(16)}`,
  )
  return {
    kind: 'Service',
    metadata: { namespace, name, ...(labels && { labels }) },
    spec: {
      clusterIP: clusterIPs[0],
      clusterIPs,
      ipFamilies: families.map(family => `IPv${family}`),
      ipFamilyPolicy: families.length > 1 ? 'RequireDualStack' : 'SingleStack',
      ports,
      ...spec,
    },
    ...(ingress && { status: { loadBalancer: { ingress } } }),
  }
}

/** The node that rules are for; `zone` and `addresses` are its usual ones unless given. */
export function ownNodeObject(zone: string = zones.own, addresses: readonly string[] = nodeIPs): ApiObject {
  const metadata = { name: nodes.own, labels: { 'topology.kubernetes.io/zone': zone } }
  return {
    kind: 'Node',
    metadata,
    status: { addresses: addresses.map(address => ({ type: 'InternalIP', address })) },
  }
}

/** An ExternalName or a headless service, which has no addresses. */
export function barelyService(name: string, spec: Readonly<Record<string, unknown>>): ApiObject {
  return { kind: 'Service', metadata: { namespace, name }, spec: { ports: http, ...spec } }
}

export function sliceObjects(plan: ServicePlan): ApiObject[] {
  const { families = [4], slices = [] } = plan
  return families.flatMap(family => slices.map((endpoints, i) => sliceObject(plan, family, i, endpoints)))
}

function sliceObject(plan: ServicePlan, family: 4 | 6, i: number, endpoints: readonly EndpointPlan[]): ApiObject {
  const { name, ports = http, labels, targets = [] } = plan
  const first = ports[0]?.port ?? 0
  const target = targets.length > 0 ? targets[i] : 8080
  return {
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-${family}-${i}`, labels: { ...labels, 'kubernetes.io/service-name': name } },
    addressType: `IPv${family}`,
    ports: ports.map(({ name = '', port, protocol = 'TCP' }) => ({
      name,
      protocol,
      ...(target !== undefined && { port: target + port - first }),
    })),
    endpoints: endpoints.map(endpoint => endpointObject(endpoint, family)),
  }
}

function endpointObject(
  { pod, on, ready, serving, terminating, forZones, forNodes }: EndpointPlan,
  family: 4 | 6,
): unknown {
  const named = (names: readonly string[]) => names.map(name => ({ name }))
  return {
    addresses: [podIPs(pod)[family === 4 ? 0 : 1]],
    conditions: { ready, serving, terminating },
    ...(on && { nodeName: nodes[on], zone: zones[on] }),
    ...((forZones || forNodes) && {
      hints: { ...(forZones && { forZones: named(forZones) }), ...(forNodes && { forNodes: named(forNodes) }) },
    }),
  }
}

/** The routes that services and slices make, without an API server in between. */
export function routesOf(objects: readonly ApiObject[]): RouteTable {
  const table = new RouteTable()
  cluster(...objects.map(trimmed)).follow(table)
  return table
}

function trimmed(json: ApiObject): ClusterObject {
  const { object, problem } = trim(json.kind as Kind, json)
  if (problem) throw new PortolanError('PORTOLAN_E2E_OBJECT', describe(problem))
  return object
}
