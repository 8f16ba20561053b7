/** Kubernetes objects in one line each, as the API takes them. Which objects a cluster consists of is left to cluster.ts. */
import { isIPv6 } from 'node:net'
import type { ApiObject } from './api-client.ts'

type Labels = Readonly<Record<string, string>>

export function namespace(name: string, labels: Labels = {}): ApiObject {
  return { kind: 'Namespace', metadata: { name, labels } }
}

export interface ServiceOptions {
  readonly labels?: Labels
  /** Goes into `spec` as it is. */
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: unknown
}

/** A service by `namespace/name`, its cluster addresses (`None`: headless) and its ports. */
export function service(
  key: string,
  addresses: string | readonly string[],
  ports: readonly string[],
  options: ServiceOptions = {},
): ApiObject {
  const clusterIPs = [addresses].flat()
  const families = clusterIPs.map(address => (isIPv6(address) ? 'IPv6' : 'IPv4'))
  const { labels = {}, spec, status } = options
  return {
    kind: 'Service',
    metadata: { ...split(key), labels },
    spec: {
      clusterIPs,
      clusterIP: clusterIPs[0],
      ...(clusterIPs[0] === 'None'
        ? {}
        : {
            ipFamilies: families,
            ipFamilyPolicy: families.length > 1 ? 'RequireDualStack' : 'SingleStack',
          }),
      ports: ports.map(portOf),
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  }
}

export function externalName(key: string, target: string, ports: readonly string[] = []): ApiObject {
  return {
    kind: 'Service',
    metadata: split(key),
    spec: { type: 'ExternalName', externalName: target, ...(ports.length > 0 ? { ports: ports.map(portOf) } : {}) },
  }
}

/** One endpoint: its address, or addresses, and what else is known of it. */
export type Endpoint =
  | string
  | {
      readonly at: string | readonly string[]
      readonly hostname?: string
      readonly pod?: string
      readonly node?: string
      readonly zone?: string
      readonly conditions?: Readonly<Record<string, boolean>>
    }

export interface SliceOptions {
  readonly name?: string
  readonly addressType?: 'IPv4' | 'IPv6' | 'FQDN'
  readonly labels?: Labels
  /** Leaves out the label that names the service. */
  readonly unlabelled?: boolean
}

/** A slice of the service with this key. Its address type is that of the first endpoint unless given. */
export function slice(
  key: string,
  endpoints: readonly Endpoint[],
  ports: readonly string[],
  options: SliceOptions = {},
): ApiObject {
  const { namespace, name } = split(key)
  const first = endpoints[0]
  const firstAddress = typeof first === 'object' ? [first.at].flat()[0] : first
  const { addressType = isIPv6(firstAddress ?? '') ? 'IPv6' : 'IPv4' } = options
  return {
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      name: `${name}-${options.name ?? addressType.toLowerCase()}`,
      labels: { ...options.labels, ...(options.unlabelled ? {} : { 'kubernetes.io/service-name': name }) },
    },
    addressType,
    ports: ports.map(sliceProtocol),
    endpoints: endpoints.map(endpointOf),
  }
}

export interface PodOptions {
  readonly phase?: string
  readonly labels?: Labels
  readonly hostNetwork?: boolean
  /** Goes into `spec` as it is. */
  readonly spec?: Readonly<Record<string, unknown>>
  /** Keeps the pod in existence when it is deleted. */
  readonly finalizers?: readonly string[]
}

/** A pod by `namespace/name` with these addresses, Running unless another phase is given. */
export function pod(key: string, addresses: readonly string[], options: PodOptions = {}): ApiObject {
  const { phase = 'Running', labels = {}, hostNetwork = false, spec, finalizers = [] } = options
  return {
    kind: 'Pod',
    metadata: { ...split(key), labels, finalizers },
    spec: { containers: [{ name: 'main', image: 'none' }], hostNetwork, ...spec },
    status: {
      phase,
      ...(addresses.length > 0 ? { podIP: addresses[0], podIPs: addresses.map(ip => ({ ip })) } : {}),
      ...(hostNetwork ? { hostIP: addresses[0], hostIPs: [{ ip: addresses[0] }] } : {}),
    },
  }
}

/** The first addresses of a block of 65,536, without its very first: `10.3` gives `10.3.0.1` and so on. */
export function addressesIn(block: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${block}.${(n + 1) >> 8}.${(n + 1) & 255}`)
}

function split(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

// [name:]port[/PROTOCOL]
function portOf(text: string): { name?: string; port: number; protocol: string } {
  const [, name, port, protocol = 'TCP'] = /^(?:([^:]+):)?(\d+)(?:\/(\w+))?$/.exec(text) ?? []
  return { ...(name === undefined ? {} : { name }), port: Number(port), protocol }
}

function sliceProtocol(text: string): unknown {
  return { name: '', ...portOf(text) }
}

function endpointOf(endpoint: Endpoint): unknown {
  if (typeof endpoint === 'string') return { addresses: [endpoint] }
  const { at, hostname, pod: target, node, zone, conditions } = endpoint
  return {
    addresses: [at].flat(),
    hostname,
    nodeName: node,
    zone,
    conditions,
    targetRef: target === undefined ? undefined : { kind: 'Pod', name: target },
  }
}
