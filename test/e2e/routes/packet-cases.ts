/** What packets are sent to find out what rules do, and what must become of them: the same in each mode, except where it says how not. */
import type { ApiObject } from '../api-client.ts'
import type { Answer, Target } from './connect.ts'
import { type EndpointPlan, nodeIPs, podIPs, type ServicePlan, serviceObject, sliceObjects, zones } from './plan.ts'

export const modes = ['iptables', 'nftables'] as const
export type Mode = (typeof modes)[number]

/** A value for each family: IPv4 first. */
export type Pair<T = string> = readonly [T, T]

/** Machines by the roles that they have: `pod` is no endpoint of anything. */
export type ClientName = 'pod' | 'pod-1' | 'pod-3' | 'pod-4' | 'outside' | 'stranger' | 'node'

export const outsideIPs: Pair = ['198.51.100.2', 'fd00:c::2']
export const strangerIPs: Pair = ['198.51.101.2', 'fd00:d::2']
/** An address that the node has, and its object does not tell. */
export const furtherIPs: Pair = ['192.168.77.11', 'fd00:77::11']
/** What health checks are asked; those that answer say so in their first line. */
const healthQuestion = 'GET /healthz HTTP/1.0\r\n\r\n'

export interface Case {
  readonly what: string
  readonly from: ClientName
  /** More than one: all of them are asked, in this order. */
  readonly to: Target | readonly Target[]
  readonly times?: number
  /** Whether it holds for the mode alone, or for each mode its own. */
  readonly expect: Expectation | Readonly<Record<Mode, Expectation>>
}

/** Judges all answers of a case. */
export interface Expectation {
  (answers: readonly Answer[]): boolean
  /** Silence is what is expected, so nobody has to wait for long. */
  readonly silence?: boolean
  /** Each answer takes its time, so there are few. */
  readonly slow?: boolean
}

/** Rules depend on these beside the cluster, as kube-proxy's flags. */
export interface Flags {
  readonly clusterCIDRs?: boolean
  readonly masqueradeAll?: boolean
}

/** The pods 1 and 2 are on the node, as far as anybody knows; 3 and 4 are on the other one. */
const first: EndpointPlan = { pod: 1, on: 'own' }
const second: EndpointPlan = { pod: 2, on: 'own' }
const far: EndpointPlan = { pod: 3, on: 'other' }
const farther: EndpointPlan = { pod: 4, on: 'other' }
const all = [first, second, far]
const fading = { ready: false, serving: true, terminating: true }

type Spec = Omit<ServicePlan, 'name' | 'number' | 'slices'> & { readonly endpoints: readonly EndpointPlan[] }

const affine = (timeoutSeconds: number) => ({
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds } },
})
const nodePort = { type: 'NodePort' }
const local = { externalTrafficPolicy: 'Local' }
const externalIPs = (number: number): Pair => [`192.0.2.${number}`, `fd00:e::${number}`]
const balancedIPs = (number: number): Pair => [`203.0.113.${number}`, `fd00:b::${number}`]

/** Each by its number, which its addresses are made of. */
const services: Readonly<Record<string, readonly [number: number, make: (number: number) => Spec]>> = {
  web: [20, number => ({ endpoints: all, spec: { ...nodePort, externalIPs: externalIPs(number) } })],
  self: [21, number => ({ endpoints: [first], spec: { ...nodePort, externalIPs: externalIPs(number) } })],
  local: [
    22,
    number => ({ endpoints: [first, far], spec: { ...nodePort, ...local, externalIPs: externalIPs(number) } }),
  ],
  elsewhere: [23, number => ({ endpoints: [far], spec: { ...nodePort, ...local, externalIPs: externalIPs(number) } })],
  balanced: [
    24,
    () => ({
      endpoints: [first, second],
      spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24', 'fd00:c::/64'] },
    }),
  ],
  'for-nodes': [
    25,
    () => ({
      endpoints: [first, second],
      spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.168.77.0/24', 'fd00:77::/64'] },
    }),
  ],
  sticky: [26, () => ({ endpoints: all, spec: affine(300) })],
  brief: [27, () => ({ endpoints: all, spec: affine(1) })],
  empty: [28, number => ({ endpoints: [], spec: { ...nodePort, externalIPs: externalIPs(number) } })],
  'not-ready': [29, () => ({ endpoints: [{ ...first, ready: false }] })],
  inner: [30, () => ({ endpoints: [first, far], spec: { internalTrafficPolicy: 'Local' } })],
  'inner-elsewhere': [31, () => ({ endpoints: [far], spec: { internalTrafficPolicy: 'Local' } })],
  fading: [
    32,
    () => ({
      endpoints: [
        { ...first, ...fading },
        { ...far, ...fading },
        { ...second, ...fading, serving: false },
      ],
      spec: { ...nodePort, ...local },
    }),
  ],
  'far-alone': [33, number => ({ endpoints: [farther], spec: { ...nodePort, externalIPs: externalIPs(number) } })],
  checked: [
    34,
    () => ({ endpoints: [first, far], spec: { type: 'LoadBalancer', ...local, healthCheckNodePort: HEALTH_PORT } }),
  ],
  'sticky-inside': [
    35,
    () => ({ endpoints: [first, second, far], spec: { ...nodePort, internalTrafficPolicy: 'Local', ...affine(300) } }),
  ],
  zoned: [
    36,
    () => ({
      endpoints: [
        { ...first, forZones: [zones.own] },
        { ...far, forZones: [zones.other] },
      ],
    }),
  ],
  'sticky-self': [38, () => ({ endpoints: [first], spec: affine(300) })],
  'sticky-local': [37, () => ({ endpoints: [first, second, far], spec: { ...nodePort, ...local, ...affine(300) } })],
}

/** Where the node tells how many endpoints of a service it has. */
export const HEALTH_PORT = 32_700

function planOf(name: string): ServicePlan {
  const [number, make] = services[name]!
  const { endpoints, spec = {}, ...rest } = make(number)
  const ofNode = spec['type'] !== undefined
  return {
    name,
    number,
    families: [4, 6],
    ports: [
      { name: 'http', port: 80, ...(ofNode && { nodePort: 30_000 + number }) },
      { name: 'dns', port: 53, protocol: 'UDP', ...(ofNode && { nodePort: 31_000 + number }) },
    ],
    spec,
    ...(spec['type'] === 'LoadBalancer' && { ingress: balancedIPs(number).map(ip => ({ ip })) }),
    slices: [endpoints],
    ...rest,
  }
}

/** What the packets meet, as the API has it. */
export function packetObjects(): ApiObject[] {
  return Object.keys(services).flatMap(name => {
    const plan = planOf(name)
    return [serviceObject(plan), ...sliceObjects(plan)]
  })
}

function overUdp(target: Target): Target {
  return { ...target, port: 53, protocol: 'UDP' }
}

const every = (wanted: Answer) => (answers: readonly Answer[]) => answers.every(answer => answer === wanted)
const silent: Expectation = Object.assign(every('timeout'), { silence: true, slow: true })
// Most refusals come while the client still sends, go unnoticed, and come again a second later.
const refused: Expectation = Object.assign(every('ECONNREFUSED'), { slow: true })
const both = (...expectations: readonly Expectation[]): Expectation => {
  return answers => expectations.every(expectation => expectation(answers))
}
/** Pearson's chi-square of equal shares for three pods stays below what one run in ten thousand passes. */
const evenly: Expectation = answers => {
  const counts = [...Map.groupBy(answers, answer => answer).values()].map(({ length }) => length)
  const expected = answers.length / 3
  return counts.length === 3 && counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) < 18.4
}
const onePod: Expectation = answers => new Set(answers.map(podOf)).size === 1
const podOf = (answer: Answer) => answer.split(' ')[0]

/** `pod-N SOURCE` of one of these pods, and nothing else. */
function by(source: string, ...pods: readonly number[]): Expectation {
  const allowed = pods.map(pod => `pod-${pod} ${source}`)
  return answers => answers.every(answer => allowed.includes(answer))
}

/** Where a service is, for family 0 (IPv4) or 1. */
class Places {
  readonly family: 0 | 1

  constructor(family: 0 | 1) {
    this.family = family
  }

  cluster(name: keyof typeof services, port = 80): Target {
    const number = this.#number(name)
    return this.#at(this.family === 0 ? `10.96.0.${number}` : `fd00:96::${number.toString(16)}`, port)
  }

  external(name: keyof typeof services): Target {
    return this.#at(externalIPs(this.#number(name))[this.family], 80)
  }

  balanced(name: keyof typeof services): Target {
    return this.#at(balancedIPs(this.#number(name))[this.family], 80)
  }

  nodePort(name: keyof typeof services, host: string = nodeIPs[this.family]): Target {
    return this.#at(host, 30_000 + this.#number(name))
  }

  nodePortUdp(name: keyof typeof services): Target {
    return { ...this.#at(nodeIPs[this.family], 31_000 + this.#number(name)), protocol: 'UDP' }
  }

  health(): Target {
    return { ...this.#at(nodeIPs[this.family], HEALTH_PORT), say: healthQuestion }
  }

  #at(host: string, port: number): Target {
    return { host, port, protocol: 'TCP' }
  }

  #number(name: string): number {
    return services[name]![0]
  }
}

/** How long the affinity of `brief` lasts, after which another endpoint may come. */
export const briefSeconds = 1

/** Where affinity is brief, over each protocol. */
export function briefTargets(family: 0 | 1): readonly Target[] {
  const target = new Places(family).cluster('brief')
  return [target, overUdp(target)]
}

/** With the pods' ranges known, as most clusters have it. */
export function usualCases(family: 0 | 1): Case[] {
  const at = new Places(family)
  const [node, pod, outside, far] = [nodeIPs[family], podIPs(9)[family], outsideIPs[family], podIPs(3)[family]]
  return [
    ...spreadCases(at, pod, node),
    { what: 'cluster address from outside', from: 'outside', to: at.cluster('web'), expect: by(node, 1, 2, 3) },
    { what: 'the same over UDP', from: 'outside', to: overUdp(at.cluster('web')), expect: by(node, 1, 2, 3) },
    { what: 'cluster address from the node', from: 'node', to: at.cluster('web'), expect: by(node, 1, 2, 3) },
    { what: 'the same over UDP', from: 'node', to: overUdp(at.cluster('web')), expect: by(node, 1, 2, 3) },
    { what: 'node port from the node', from: 'node', to: at.nodePort('web'), expect: by(node, 1, 2, 3) },
    { what: 'node port from a pod', from: 'pod', to: at.nodePort('web'), expect: by(node, 1, 2, 3) },
    { what: 'node port over UDP', from: 'outside', to: at.nodePortUdp('web'), expect: by(node, 1, 2, 3) },
    { what: 'external address from the node', from: 'node', to: at.external('web'), expect: by(node, 1, 2, 3) },
    { what: 'external address from a pod', from: 'pod', to: at.external('web'), expect: by(node, 1, 2, 3) },
    {
      what: 'external address over UDP',
      from: 'outside',
      to: overUdp(at.external('web')),
      expect: by(node, 1, 2, 3),
    },
    {
      what: 'node port at a further address of the node',
      from: 'outside',
      to: at.nodePort('web', furtherIPs[family]),
      expect: { iptables: by(node, 1, 2, 3), nftables: refused },
    },
    {
      what: 'node port at the loopback address',
      from: 'node',
      to: at.nodePort('web', family === 0 ? '127.0.0.1' : '::1'),
      expect: { iptables: family === 0 ? by(node, 1, 2, 3) : refused, nftables: refused },
    },
    {
      what: 'unknown port of a cluster address',
      from: 'pod',
      to: at.cluster('web', 81),
      expect: { iptables: silent, nftables: refused },
    },
    {
      what: 'the same from the node',
      from: 'node',
      to: at.cluster('web', 81),
      expect: { iptables: silent, nftables: refused },
    },
    { what: 'hairpin', from: 'pod-1', to: at.cluster('self'), expect: by(node, 1) },
    { what: 'hairpin over UDP', from: 'pod-1', to: overUdp(at.cluster('self')), expect: by(node, 1) },
    { what: 'hairpin by the external address', from: 'pod-1', to: at.external('self'), expect: by(node, 1) },
    { what: 'hairpin by the node port', from: 'pod-1', to: at.nodePort('self'), expect: by(node, 1) },
    { what: 'hairpin with affinity', from: 'pod-1', to: at.cluster('sticky-self'), expect: by(node, 1) },
    { what: 'hairpin of a pod of another node', from: 'pod-4', to: at.cluster('far-alone'), expect: by(node, 4) },
    { what: 'the same by the external address', from: 'pod-4', to: at.external('far-alone'), expect: by(node, 4) },
    {
      what: 'the same by a node port of policy Local',
      from: 'pod-3',
      to: at.nodePort('elsewhere'),
      expect: by(node, 3),
    },
    { what: 'no hairpin of a pod of another node', from: 'pod-3', to: at.cluster('self'), expect: by(far, 1) },
    ...localCases(at, pod, node, outside),
    ...rangeCases(at, node),
    ...affinityCases(at, pod, node),
    ...emptyCases(at),
    {
      what: 'terminating endpoints, where none is ready',
      from: 'pod',
      to: at.cluster('fading'),
      times: 30,
      expect: by(pod, 1, 3),
    },
    { what: 'the same with policy Local', from: 'outside', to: at.nodePort('fading'), expect: by(outside, 1) },
    { what: 'endpoints of the own zone', from: 'pod', to: at.cluster('zoned'), times: 20, expect: by(pod, 1) },
    { what: 'internal Local', from: 'pod', to: at.cluster('inner'), times: 20, expect: by(pod, 1) },
    { what: 'internal Local from the node', from: 'node', to: at.cluster('inner'), times: 20, expect: by(node, 1) },
    { what: 'internal Local over UDP', from: 'pod', to: overUdp(at.cluster('inner')), expect: by(pod, 1) },
    { what: 'internal Local without endpoints here', from: 'pod', to: at.cluster('inner-elsewhere'), expect: silent },
    { what: 'the same from the node', from: 'node', to: at.cluster('inner-elsewhere'), expect: silent },
    {
      what: 'health checks pass a firewall',
      from: 'outside',
      to: at.health(),
      // nftables has no way to let in what another table drops.
      expect: { iptables: answers => answers.every(answer => answer.startsWith('HTTP/1.')), nftables: silent },
    },
  ]
}

function spreadCases(at: Places, pod: string, node: string): Case[] {
  const even = (source: string) => both(by(source, 1, 2, 3), evenly)
  return [
    { what: 'spread', from: 'pod', to: at.cluster('web'), times: 300, expect: even(pod) },
    { what: 'spread over UDP', from: 'pod', to: overUdp(at.cluster('web')), times: 300, expect: even(pod) },
    { what: 'spread of a node port', from: 'outside', to: at.nodePort('web'), times: 300, expect: even(node) },
    { what: 'spread of an external address', from: 'outside', to: at.external('web'), times: 300, expect: even(node) },
  ]
}

function localCases(at: Places, pod: string, node: string, outside: string): Case[] {
  return [
    { what: 'Local keeps the source', from: 'outside', to: at.nodePort('local'), times: 20, expect: by(outside, 1) },
    { what: 'Local, external address', from: 'outside', to: at.external('local'), times: 20, expect: by(outside, 1) },
    { what: 'Local, load balancer', from: 'outside', to: at.balanced('checked'), times: 20, expect: by(outside, 1) },
    { what: 'Local over UDP', from: 'outside', to: at.nodePortUdp('local'), times: 20, expect: by(outside, 1) },
    { what: 'Local from a pod', from: 'pod', to: at.nodePort('local'), times: 30, expect: by(pod, 1, 3) },
    { what: 'Local from the node', from: 'node', to: at.nodePort('local'), times: 30, expect: by(node, 1, 3) },
    { what: 'Local is not for the cluster address', from: 'pod', to: at.cluster('elsewhere'), expect: by(pod, 3) },
    { what: 'Local without endpoints here', from: 'outside', to: at.nodePort('elsewhere'), expect: silent },
    { what: 'the same, external address', from: 'outside', to: at.external('elsewhere'), expect: silent },
    { what: 'the same from a pod', from: 'pod', to: at.nodePort('elsewhere'), expect: by(pod, 3) },
    { what: 'the same from the node', from: 'node', to: at.nodePort('elsewhere'), expect: by(node, 3) },
  ]
}

function rangeCases(at: Places, node: string): Case[] {
  return [
    { what: 'in a source range', from: 'outside', to: at.balanced('balanced'), expect: by(node, 1, 2) },
    { what: 'in no source range', from: 'stranger', to: at.balanced('balanced'), expect: silent },
    { what: 'the same from a pod', from: 'pod', to: at.balanced('balanced'), expect: silent },
    { what: 'the same from the node', from: 'node', to: at.balanced('balanced'), expect: silent },
    { what: 'the node in a source range', from: 'node', to: at.balanced('for-nodes'), expect: by(node, 1, 2) },
    {
      what: 'source ranges are not for node ports',
      from: 'stranger',
      to: at.nodePort('balanced'),
      expect: by(node, 1, 2),
    },
  ]
}

function affinityCases(at: Places, pod: string, node: string): Case[] {
  const [sticky, inside, outer] = [at.cluster('sticky'), at.cluster('sticky-inside'), at.nodePort('sticky-inside')]
  return [
    { what: 'affinity', from: 'pod', to: sticky, times: 30, expect: both(onePod, by(pod, 1, 2, 3)) },
    { what: 'affinity over UDP', from: 'pod', to: overUdp(sticky), times: 30, expect: both(onePod, by(pod, 1, 2, 3)) },
    { what: 'affinity from the node', from: 'node', to: sticky, times: 30, expect: both(onePod, by(node, 1, 2, 3)) },
    {
      what: 'one affinity for all addresses',
      from: 'pod',
      to: [inside, ...Array<Target>(20).fill(outer)],
      expect: onePod,
    },
    {
      what: 'affinity with policy Local',
      from: 'outside',
      to: at.nodePort('sticky-local'),
      times: 30,
      expect: both(onePod, answers => podOf(answers[0]!) !== 'pod-3'),
    },
  ]
}

function emptyCases(at: Places): Case[] {
  return [
    { what: 'no endpoints', from: 'pod', to: at.cluster('empty'), expect: refused },
    { what: 'no endpoints over UDP', from: 'pod', to: overUdp(at.cluster('empty')), expect: refused },
    { what: 'no endpoints, external address', from: 'outside', to: at.external('empty'), expect: refused },
    { what: 'no endpoints, from the node', from: 'node', to: at.cluster('empty'), expect: refused },
    { what: 'no endpoints, node port', from: 'outside', to: at.nodePort('empty'), expect: refused },
    { what: 'no endpoints, node port over UDP', from: 'outside', to: at.nodePortUdp('empty'), expect: refused },
    { what: 'no endpoint is ready', from: 'pod', to: at.cluster('not-ready'), expect: refused },
  ]
}

/** With `--masquerade-all`: what goes to cluster addresses seems to come from the node, and nothing else changes. */
export function masqueradeAllCases(family: 0 | 1): Case[] {
  const at = new Places(family)
  const [node, outside] = [nodeIPs[family], outsideIPs[family]]
  return [
    { what: 'from a pod', from: 'pod', to: at.cluster('web'), times: 20, expect: by(node, 1, 2, 3) },
    { what: 'from a pod over UDP', from: 'pod', to: overUdp(at.cluster('web')), times: 20, expect: by(node, 1, 2, 3) },
    { what: 'from outside', from: 'outside', to: at.cluster('web'), expect: by(node, 1, 2, 3) },
    { what: 'internal Local', from: 'pod', to: at.cluster('inner'), expect: by(node, 1) },
    { what: 'Local keeps the source', from: 'outside', to: at.nodePort('local'), expect: by(outside, 1) },
    { what: 'affinity', from: 'pod', to: at.cluster('sticky'), times: 20, expect: both(onePod, by(node, 1, 2, 3)) },
  ]
}

/** Nobody knows which sources are pods. */
export function noRangeCases(family: 0 | 1): Case[] {
  const at = new Places(family)
  const [node, pod, outside] = [nodeIPs[family], podIPs(9)[family], outsideIPs[family]]
  return [
    { what: 'from a pod', from: 'pod', to: at.cluster('web'), expect: by(pod, 1, 2, 3) },
    { what: 'from outside', from: 'outside', to: at.cluster('web'), expect: by(outside, 1, 2, 3) },
    { what: 'hairpin', from: 'pod-1', to: at.cluster('self'), expect: by(node, 1) },
    { what: 'Local from a pod', from: 'pod', to: at.nodePort('local'), times: 20, expect: by(pod, 1) },
    { what: 'Local from a pod, none here', from: 'pod', to: at.nodePort('elsewhere'), expect: silent },
    { what: 'Local from the node, none here', from: 'node', to: at.nodePort('elsewhere'), expect: by(node, 3) },
  ]
}
