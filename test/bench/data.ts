/**
 * The cluster that is measured, and what is asked of it: any size, and the same at each run. Who holds the cluster, an API server
 * or a file, is left to cluster.ts.
 */
import type { ApiObject } from '../oracle/api-client.ts'
import { externalName, namespace, type ServiceOptions, service, slice } from '../oracle/objects.ts'
import { chance } from '../wire/random.ts'

const seed = 7
const namespaces = 20
/** The most endpoints that Kubernetes puts into one slice. */
const sliceSize = 100

export interface Size {
  /** At most 60,000: cluster addresses are from ranges that large. */
  readonly services: number
  /** For each service that has any. */
  readonly endpoints: number
}

export const cases = ['a', 'mix', 'nx'] as const
export type Case = (typeof cases)[number]

/** A question that shows whether a server knows the whole cluster. */
export interface Probe {
  readonly name: string
  /** The A records of the right answer. */
  readonly addresses: readonly string[]
}

export interface DataSet {
  /** Namespaces first. */
  readonly objects: readonly ApiObject[]
  /** `name TYPE`, as dnsperf reads them. */
  readonly questions: Readonly<Record<Case, readonly string[]>>
  readonly probes: readonly Probe[]
}

interface Entry {
  readonly objects: readonly ApiObject[]
  /** `name.namespace`. */
  readonly name: string
  readonly kind: Kind
  readonly clusterIP?: string
  readonly ready: readonly string[]
}

type Kind = 'ClusterIP' | 'headless' | 'ExternalName' | 'NodePort' | 'idle'

/**
 * Of the services 70 % have a cluster address, 15 % are headless with a hostname for every second endpoint, 5 % are external names,
 * 5 % node ports, and 5 % have no endpoints. Every tenth is dual-stack, every third has a second port, and every seventh endpoint
 * is not ready.
 */
export function dataSet({ services, endpoints }: Size): DataSet {
  const { below } = chance(seed)
  const entries = Array.from({ length: services }, (_, n) => entryOf(n, kindOf(below(100)), endpoints))
  const known = entries.filter(({ kind }) => kind !== 'ExternalName')
  return {
    objects: [
      ...Array.from({ length: namespaces }, (_, n) => namespace(`ns${n}`)),
      ...entries.flatMap(({ objects }) => objects),
    ],
    questions: {
      a: shuffled(
        known.map(({ name }) => `${name}.svc.cluster.local A`),
        below,
      ),
      mix: shuffled(
        entries.flatMap(entry => mixOf(entry, below)),
        below,
      ),
      nx: Array.from(
        { length: 200_000 },
        () => `${below(2 ** 32).toString(16)}.ns${below(namespaces)}.svc.cluster.local A`,
      ),
    },
    probes: [
      known.findLast(({ clusterIP }) => clusterIP !== undefined),
      known.findLast(({ kind }) => kind === 'headless'),
    ]
      .filter(entry => entry !== undefined)
      .map(({ name, clusterIP, ready }) => ({
        name: `${name}.svc.cluster.local`,
        addresses: clusterIP === undefined ? ready : [clusterIP],
      })),
  }
}

function kindOf(percent: number): Kind {
  if (percent < 70) return 'ClusterIP'
  if (percent < 85) return 'headless'
  if (percent < 90) return 'ExternalName'
  return percent < 95 ? 'NodePort' : 'idle'
}

function entryOf(n: number, kind: Kind, endpoints: number): Entry {
  const name = `svc-${n}`
  const key = `ns${n % namespaces}/${name}`
  const fullName = `${name}.ns${n % namespaces}`
  const second = n % 3 === 0
  const ports = ['http:80', ...(second ? ['dns:53/UDP'] : [])]
  if (kind === 'ExternalName') {
    return { kind, name: fullName, ready: [], objects: [externalName(key, `ext${n}.example.com`, ports)] }
  }
  const dual = n % 10 === 3
  const headless = kind === 'headless'
  const clusterIP = `10.97.${(n + 512) >> 8}.${n & 255}`
  const clusterIPs = [clusterIP, ...(dual ? [`fd00:96::${(n + 512).toString(16)}`] : [])]
  const spec: ServiceOptions['spec'] = {
    ...(kind === 'NodePort' ? { type: 'NodePort' } : {}),
    ...(dual ? { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] } : {}),
  }
  const targetPorts = ['http:8080', ...(second ? ['dns:5353/UDP'] : [])]
  const members = Array.from({ length: kind === 'idle' ? 0 : endpoints }, (_, e) => ({
    number: n * endpoints + e,
    pod: `${name}-${e}`,
    node: `node${e % 5}`,
    zone: `zone${e % 3}`,
    ready: e % 7 !== 6,
    ...(headless && e % 2 === 0 ? { hostname: `${name}-${e}` } : {}),
  }))
  const slices = (addressOf: (n: number) => string, family: string) =>
    Array.from({ length: Math.ceil(members.length / sliceSize) }, (_, part) =>
      slice(
        key,
        members.slice(part * sliceSize, (part + 1) * sliceSize).map(({ number, ready, ...rest }) => ({
          ...rest,
          at: addressOf(number),
          conditions: { ready, serving: ready },
        })),
        targetPorts,
        { name: `${family}-${part}` },
      ),
    )
  return {
    kind,
    name: fullName,
    ...(headless ? {} : { clusterIP }),
    ready: members.filter(({ ready }) => ready).map(({ number }) => podAddress(number)),
    objects: [
      service(key, headless ? 'None' : clusterIPs, ports, { spec }),
      ...slices(podAddress, 'ipv4'),
      ...(dual ? slices(podAddress6, 'ipv6') : []),
    ],
  }
}

function podAddress(n: number): string {
  return `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`
}

function podAddress6(n: number): string {
  return `fd00:10::${(1 + (n >> 16)).toString(16)}:${(n & 0xffff).toString(16)}`
}

/** What clients ask for one service: its own name, and what their search path makes of it. */
function mixOf({ name, kind, clusterIP }: Entry, below: (end: number) => number): string[] {
  const [own, srv, miss, reverse] = [kind !== 'ExternalName', below(100) < 30, below(100) < 50, below(100) < 20]
  const full = `${name}.svc.cluster.local`
  return [
    ...(own ? [`${full} A`, `${full} AAAA`] : []),
    ...(own && srv ? [`_http._tcp.${full} SRV`] : []),
    ...(miss ? [`${name}.default.svc.cluster.local A`] : []),
    ...(clusterIP !== undefined && reverse ? [`${clusterIP.split('.').reverse().join('.')}.in-addr.arpa PTR`] : []),
  ]
}

function shuffled<T>(items: T[], below: (end: number) => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const chosen = below(i + 1)
    const item = items[i]!
    items[i] = items[chosen]!
    items[chosen] = item
  }
  return items
}
