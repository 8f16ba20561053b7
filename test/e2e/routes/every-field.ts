/** More than 60 services that together have every field that rules depend on, in every state that their endpoints can be in. */
import type { ApiObject } from '../api-client.ts'
import {
  barelyService,
  type EndpointPlan,
  nodeIPs,
  type ServicePlan,
  serviceObject,
  sliceObjects,
  zones,
} from './plan.ts'

const fading = { ready: false, serving: true, terminating: true }

const states: Readonly<Record<string, readonly (readonly EndpointPlan[])[]>> = {
  none: [],
  'not-ready': [[{ pod: 1, on: 'own', ready: false }]],
  here: [[{ pod: 1, on: 'own' }]],
  elsewhere: [
    [
      { pod: 2, on: 'other' },
      { pod: 3, on: 'other' },
    ],
  ],
  // Ordered as texts: 10 before 2 and 8.
  mixed: [[{ pod: 1, on: 'own' }, { pod: 10, on: 'other' }, { pod: 2 }, { pod: 8, on: 'own', ready: false }]],
  'fading-here': [
    [
      { pod: 1, on: 'own', ...fading },
      { pod: 2, on: 'other' },
    ],
  ],
  fading: [
    [
      { pod: 1, on: 'own', ...fading },
      { pod: 2, on: 'other', ...fading },
      { pod: 3, ...fading, serving: false },
    ],
  ],
}

type Kind = (number: number) => Pick<ServicePlan, 'spec' | 'ingress' | 'ports'>

const nodePorts = (number: number) => [{ port: 80, nodePort: 30_000 + number }]
const local = { externalTrafficPolicy: 'Local' }
const externalIPs = (number: number) => [`192.0.2.${number & 255}`, `fd00:e::${number.toString(16)}`]
const balanced = (number: number) => [{ ip: `203.0.113.${number & 255}` }, { ip: `fd00:b::${number.toString(16)}` }]
const healthCheckNodePort = (number: number) => 31_000 + number

const kinds: Readonly<Record<string, Kind>> = {
  cluster: () => ({}),
  'inner-local': () => ({ spec: { internalTrafficPolicy: 'Local' } }),
  port: number => ({ ports: nodePorts(number), spec: { type: 'NodePort' } }),
  'port-local': number => ({ ports: nodePorts(number), spec: { type: 'NodePort', ...local } }),
  external: number => ({ spec: { externalIPs: externalIPs(number) } }),
  'external-local': number => ({ spec: { externalIPs: externalIPs(number), ...local } }),
  balanced: number => ({
    ports: nodePorts(number),
    spec: { type: 'LoadBalancer', loadBalancerSourceRanges: [' 198.51.100.0/24', '10.1.2.3/8', 'fd00:c::/32'] },
    ingress: balanced(number),
  }),
  'balanced-local': number => ({
    ports: nodePorts(number),
    spec: { type: 'LoadBalancer', ...local, healthCheckNodePort: healthCheckNodePort(number) },
    ingress: balanced(number),
  }),
  'all-local': number => ({
    ports: nodePorts(number),
    spec: {
      type: 'LoadBalancer',
      ...local,
      internalTrafficPolicy: 'Local',
      healthCheckNodePort: healthCheckNodePort(number),
      externalIPs: externalIPs(number),
      sessionAffinity: 'ClientIP',
    },
    ingress: balanced(number),
  }),
}

const balancer = (number: number, ranges?: readonly string[]): Pick<ServicePlan, 'spec' | 'ports'> => ({
  ports: nodePorts(number),
  spec: { type: 'LoadBalancer', ...(ranges && { loadBalancerSourceRanges: ranges }) },
})
const affine = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 42 } } }
const dual = { families: [4, 6] } as const
const pair: readonly EndpointPlan[] = [
  { pod: 5, on: 'own' },
  { pod: 6, on: 'other' },
]
const hinted = (first: Partial<EndpointPlan>, second: Partial<EndpointPlan>) => [
  [
    { ...pair[0]!, ...first },
    { ...pair[1]!, ...second },
  ],
]
const zone = (...forZones: string[]) => ({ forZones })
const long = 'a'.repeat(63)

/** What no combination of the above has; numbers are given in order. */
const specials: Readonly<Record<string, (number: number) => Partial<ServicePlan>>> = {
  [long]: number => ({
    ports: [{ name: 'b'.repeat(15), port: 80, nodePort: 30_000 + number }],
    spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24'], ...affine },
    ingress: balanced(number),
  }),
  affinity: () => ({ ...dual, spec: affine }),
  'affinity-many': () => ({ slices: [Array.from({ length: 12 }, (_, i) => ({ pod: 100 + i }))], spec: affine }),
  ports: number => ({
    ...dual,
    ports: [
      { name: 'http', port: 80, nodePort: 30_000 + number },
      { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30_500 + number },
      { name: 'dns-tcp', port: 53, nodePort: 30_500 + number },
      { name: 'sctp', port: 90, protocol: 'SCTP' },
    ],
    spec: { type: 'NodePort' },
  }),
  'only-six': number => ({
    families: [6],
    ports: nodePorts(number),
    spec: { type: 'NodePort', externalIPs: externalIPs(number) },
  }),
  'six-first': () => ({ families: [6, 4] }),
  'targets-differ': () => ({ slices: [[{ pod: 5 }], [{ pod: 6 }]], targets: [8080, 9090] }),
  overlapping: () => ({ slices: [[{ pod: 5, on: 'other' }], [{ pod: 5, on: 'own', ready: false }, { pod: 6 }]] }),
  'overlapping-local': () => ({
    slices: [
      [
        { pod: 5, on: 'own' },
        { pod: 5, on: 'own' },
      ],
    ],
    spec: { internalTrafficPolicy: 'Local' },
  }),
  publishes: () => ({ slices: [[{ pod: 5, ready: false }]], spec: { publishNotReadyAddresses: true } }),
  'unknown-serving': () => ({ slices: [[{ pod: 5, ready: false, terminating: true }]] }),
  'proxy-mode': number => ({
    ...balancer(number),
    ingress: [{ ip: '203.0.113.250', ipMode: 'Proxy' }, ...balanced(number)],
  }),
  'lb-by-name': number => ({ ...balancer(number), ingress: [{ hostname: 'lb.example.com' }] }),
  'no-node-ports': number => ({
    spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
    ingress: balanced(number),
  }),
  'range-holds-node': number => ({
    ...dual,
    ...balancer(number, ['192.168.77.0/24', `${nodeIPs[1]}/128`]),
    ingress: balanced(number),
  }),
  'range-everybody': number => ({
    ...dual,
    ...balancer(number, ['198.51.100.0/24', '0.0.0.0/0']),
    ingress: balanced(number),
  }),
  'range-other-family': number => ({ ...dual, ...balancer(number, ['198.51.100.0/24']), ingress: balanced(number) }),
  'range-no-endpoints': number => ({ ...balancer(number, ['198.51.100.0/24']), ingress: balanced(number), slices: [] }),
  'zone-hints': () => ({
    slices: hinted(zone(zones.own), zone(zones.other)),
    spec: { trafficDistribution: 'PreferClose' },
  }),
  'zone-hints-alone': () => ({ slices: hinted(zone(zones.other), zone(zones.own, zones.other)) }),
  'zone-hint-missing': () => ({ slices: hinted(zone(zones.own), {}) }),
  'zone-hints-elsewhere': () => ({ slices: hinted(zone(zones.other), zone(zones.other)) }),
  'node-hints': () => ({
    slices: hinted({ ...zone(zones.own), forNodes: ['lab-node'] }, { ...zone(zones.own), forNodes: ['other-node'] }),
    spec: { trafficDistribution: 'PreferSameNode' },
  }),
  'node-hints-elsewhere': () => ({
    slices: hinted({ ...zone(zones.own), forNodes: ['x'] }, { ...zone(zones.other), forNodes: ['y'] }),
  }),
  'hints-and-local': number => ({
    ...kinds['port-local']!(number),
    slices: hinted(zone(zones.other), zone(zones.own)),
  }),
  'hints-and-inner-local': () => ({
    spec: { internalTrafficPolicy: 'Local' },
    slices: hinted(zone(zones.other), zone(zones.own)),
  }),
  'not-ready-lacks-hint': () => ({ slices: hinted(zone(zones.own), { ready: false }) }),
  'other-proxy': () => ({ labels: { 'service.kubernetes.io/service-proxy-name': 'other' } }),
  'headless-label': () => ({ labels: { 'service.kubernetes.io/headless': '' } }),
}

export function everyField(): { readonly services: number; readonly objects: readonly ApiObject[] } {
  const combined = Object.entries(kinds).flatMap(([kind, make]) =>
    Object.entries(states).map(([state, slices]) => ({ name: `${kind}-${state}`, make, slices })),
  )
  const others = Object.entries(specials).map(([name, make]) => ({ name, make, slices: [pair] }))
  const plans = [...combined, ...others].map(({ name, make, slices }, i): ServicePlan => {
    const number = i + 20
    return { name, number, slices, families: i % 3 === 0 ? [4, 6] : [4], ...make(number) }
  })
  const bare = [
    barelyService('headless', { clusterIP: 'None' }),
    barelyService('alias', { type: 'ExternalName', externalName: 'www.test' }),
  ]
  return {
    services: plans.length + bare.length,
    objects: [...plans.flatMap(plan => [serviceObject(plan), ...sliceObjects(plan)]), ...bare],
  }
}
