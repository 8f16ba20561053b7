/**
 * The cluster that is measured: any size, and the same at each run. What is asked of it is left to questions.ts, who holds it, an API
 * server or a file, to cluster.ts.
 */
import type { ApiObject } from '../e2e/api-client.ts'
import { externalName, namespace, type ServiceOptions, service, slice } from '../e2e/objects.ts'
import { chance } from '../wire/random.ts'

const seed = 7
export const namespaces = 20
/** The most endpoints that Kubernetes puts into one slice. */
const sliceSize = 100

export interface Size {
  /** At most 60,000: cluster addresses are from ranges that large. */
  readonly services: number
  /** For each service that has any. */
  readonly endpoints: number
}

export type Kind = 'ClusterIP' | 'headless' | 'ExternalName' | 'NodePort' | 'idle'

/** A service with all that belongs to it. */
export interface Entry {
  /** `name.namespace`. */
  readonly name: string
  readonly kind: Kind
  readonly clusterIPs: readonly string[]
  /** Of an external name. */
  readonly target?: string
  readonly ports: readonly Port[]
  readonly members: readonly Member[]
  /** Each as the API takes it, the service first, then its slices, those of IPv4 before the others. */
  readonly objects: readonly ApiObject[]
}

export interface Port {
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly number: number
  /** At the endpoints. */
  readonly target: number
}

export interface Member {
  /** One of IPv4; with dual stack one of IPv6 behind it. */
  readonly addresses: readonly string[]
  readonly hostname: string | undefined
  /** Whether names lead to it. */
  readonly ready: boolean
}

/**
 * Of the services 70 % have a cluster address, 15 % are headless with a hostname for every second endpoint, 5 % are external names,
 * 5 % node ports, and 5 % have no endpoints. Every tenth is dual-stack, every third has a second port, and every seventh endpoint
 * is not ready.
 */
export function clusterOf({ services, endpoints }: Size): Entry[] {
  const { below } = chance(seed)
  return Array.from({ length: services }, (_, n) => entryOf(n, kindOf(below(100)), endpoints))
}

/** All that is posted, namespaces first. */
export function objectsOf(entries: readonly Entry[]): ApiObject[] {
  return [
    ...Array.from({ length: namespaces }, (_, n) => namespace(`ns${n}`)),
    ...entries.flatMap(({ objects }) => objects),
  ]
}

/** A question that shows whether a server knows the whole cluster. */
export interface Probe {
  readonly name: string
  /** The A records of the right answer. */
  readonly addresses: readonly string[]
}

/** The entries that the probes are about: the last that have a cluster address and endpoints. */
export function probed(entries: readonly Entry[]): Entry[] {
  return [
    entries.findLast(({ clusterIPs }) => clusterIPs.length > 0),
    entries.findLast(({ kind, members }) => kind === 'headless' && members.length > 0),
  ].filter(entry => entry !== undefined)
}

export function probesOf(entries: readonly Entry[]): Probe[] {
  return probed(entries).map(({ name, clusterIPs, members }) => ({
    name: `${name}.svc.cluster.local`,
    addresses:
      clusterIPs.length > 0
        ? clusterIPs.slice(0, 1)
        : members.filter(({ ready }) => ready).map(({ addresses }) => addresses[0]!),
  }))
}

function kindOf(percent: number): Kind {
  if (percent < 70) return 'ClusterIP'
  if (percent < 85) return 'headless'
  if (percent < 90) return 'ExternalName'
  return percent < 95 ? 'NodePort' : 'idle'
}

function entryOf(n: number, kind: Kind, endpoints: number): Entry {
  const id = `svc-${n}`
  const key = `ns${n % namespaces}/${id}`
  const name = `${id}.ns${n % namespaces}`
  const ports: Port[] = [
    { name: 'http', protocol: 'tcp', number: 80, target: 8080 },
    ...(n % 3 === 0 ? [{ name: 'dns', protocol: 'udp', number: 53, target: 5353 } as const] : []),
  ]
  const written = (number: 'number' | 'target') =>
    ports.map(port => `${port.name}:${port[number]}/${port.protocol.toUpperCase()}`)
  if (kind === 'ExternalName') {
    const target = `ext${n}.example.com`
    const objects = [externalName(key, target, written('number'))]
    return { kind, name, clusterIPs: [], target, ports, members: [], objects }
  }
  const dual = n % 10 === 3
  const headless = kind === 'headless'
  const both = [`10.97.${(n + 512) >> 8}.${n & 255}`, ...(dual ? [`fd00:96::${(n + 512).toString(16)}`] : [])]
  const clusterIPs = headless ? [] : both
  const spec: ServiceOptions['spec'] = {
    ...(kind === 'NodePort' ? { type: 'NodePort' } : {}),
    ...(dual ? { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] } : {}),
    // For the controllers that make slices: what DNS shows is what the slices say.
    ...(headless && n % 23 === 0 ? { publishNotReadyAddresses: true } : {}),
  }
  const members = Array.from({ length: kind === 'idle' ? 0 : endpoints }, (_, e) => ({
    pod: `${id}-${e}`,
    node: `node${e % 5}`,
    zone: `zone${e % 3}`,
    ready: e % 7 !== 6,
    hostname: headless && e % 2 === 0 ? `${id}-${e}` : undefined,
    addresses: [podAddress(n * endpoints + e), ...(dual ? [podAddress6(n * endpoints + e)] : [])],
  }))
  const slices = (family: 0 | 1) =>
    Array.from({ length: Math.ceil(members.length / sliceSize) }, (_, part) =>
      slice(
        key,
        members
          .slice(part * sliceSize, (part + 1) * sliceSize)
          .map(({ pod, node, zone, ready, hostname, addresses }) => ({
            pod,
            node,
            zone,
            ...(hostname === undefined ? {} : { hostname }),
            at: addresses[family]!,
            conditions: { ready, serving: ready },
          })),
        written('target'),
        { name: `${family === 0 ? 'ipv4' : 'ipv6'}-${part}` },
      ),
    )
  return {
    kind,
    name,
    clusterIPs,
    ports,
    members,
    objects: [
      service(key, headless ? 'None' : clusterIPs, written('number'), { spec }),
      ...slices(0),
      ...(dual ? slices(1) : []),
    ],
  }
}

function podAddress(n: number): string {
  return `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`
}

function podAddress6(n: number): string {
  return `fd00:10::${(1 + (n >> 16)).toString(16)}:${(n & 0xffff).toString(16)}`
}
