/** Real packets through the rules of both renderers: who answers, whom it sees, and who is turned away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables, TABLE } from '../../../src/routes/render/nftables.ts'
import type { RenderOptions } from '../../../src/routes/setting.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import type { Family } from '../../../src/wire/address.ts'
import { cluster, type ServiceSpec, service, slice } from '../../helpers/cluster.ts'
import type { Answer, Target } from './connect.ts'
import { type Client, Machine, makeNode, ownNode } from './lab.ts'
import { run, tools } from './namespace.ts'
import { nodeIPs, podRanges } from './plan.ts'

const families = ['IPv4', 'IPv6'] as const
const pods = [1, 2, 3] as const
const podIPs = (pod: number): [string, string] => [`10.244.1.${pod}`, `fd00:244::${pod}`]
const outsideIPs: [string, string] = ['198.51.100.2', 'fd00:c::2']
const strangerIPs: [string, string] = ['198.51.101.2', 'fd00:d::2']
const externalIPs: [string, string] = ['192.0.2.1', 'fd00:e::1']
const balancedIPs: [string, string] = ['203.0.113.1', 'fd00:b::1']

/** The pods 1 and 2 are on the node, as far as anybody knows; 3 is on another one. */
function table(): RouteTable {
  const made = new RouteTable()
  const all = Object.entries(services).flatMap(([name, { number, endpoints, ...spec }]) => [
    service(`a/${name}`, {
      ip: [`10.96.0.${number}`, `fd00:96::${number}`],
      ports: [`http:80@${30_000 + number}`, 'dns:53/UDP'],
      ...spec,
    }),
    ...[0, 1].map(i =>
      slice(
        `a/${name}`,
        endpoints.map(pod => ({ ip: podIPs(pod)[i]!, node: pod === 3 ? 'other' : 'own' })),
        { ports: ['http:8080', 'dns:8053/UDP'], addressType: families[i]! },
      ),
    ),
  ])
  cluster(...all).follow(made)
  return made
}

const services: Readonly<Record<string, ServiceSpec & { number: number; endpoints: readonly number[] }>> = {
  web: { number: 1, endpoints: pods, type: 'NodePort', externalIPs },
  self: { number: 2, endpoints: [1] },
  local: { number: 3, endpoints: [1, 3], type: 'NodePort', externalTrafficPolicy: 'Local' },
  elsewhere: { number: 4, endpoints: [3], type: 'NodePort', externalTrafficPolicy: 'Local' },
  balanced: {
    number: 5,
    endpoints: [1, 2],
    type: 'LoadBalancer',
    loadBalancerIPs: balancedIPs,
    loadBalancerSourceRanges: ['198.51.100.0/24', 'fd00:c::/64'],
  },
  sticky: { number: 6, endpoints: pods, affinitySeconds: 1 },
  empty: { number: 7, endpoints: [], type: 'NodePort', externalIPs: ['192.0.2.7', 'fd00:e::7'] },
  inner: { number: 8, endpoints: [1, 3], internalTrafficPolicy: 'Local' },
  'inner-elsewhere': { number: 9, endpoints: [3], internalTrafficPolicy: 'Local' },
}

interface Renderer {
  readonly name: string
  load(family: Family): void
  unload(family: Family): void
}

function renderers(): Renderer[] {
  const routes = table()
  const options = (family: Family): RenderOptions => {
    return { family, node: { name: 'own', zone: '', internalIPs: nodeIPs }, clusterCIDRs: podRanges }
  }
  return [
    {
      name: 'iptables',
      load: family => void run(`${tools[family]}-restore`, ['--noflush'], renderIptables(routes, options(family))),
      unload(family) {
        for (const name of ['filter', 'nat']) for (const what of ['-F', '-X']) run(tools[family], ['-t', name, what])
      },
    },
    {
      name: 'nftables',
      load: family => void run('nft', ['-f', '-'], renderNftables(routes, options(family))),
      unload: family => void run('nft', ['delete', 'table', family === 'IPv4' ? 'ip' : 'ip6', TABLE]),
    },
  ]
}

/** Runs all cases for each renderer and family; `check` is told of each. */
export async function checkPackets(check: (what: string, wrong: string | undefined) => void): Promise<void> {
  makeNode()
  await using stack = new AsyncDisposableStack()
  const machine = async (name: string, addresses: [string, string]) => stack.use(await Machine.start(name, addresses))
  const machines = [
    await machine('pod-1', podIPs(1)),
    await machine('pod-2', podIPs(2)),
    await machine('pod-3', podIPs(3)),
  ] as const
  for (const [i, pod] of machines.entries()) await pod.serve(`pod-${i + 1}`, [8080, 8053])
  const clients = {
    pod: await machine('pod-9', podIPs(9)),
    'pod-1': machines[0],
    outside: await machine('outside', outsideIPs),
    stranger: await machine('stranger', strangerIPs),
    node: ownNode,
  }
  for (const renderer of renderers()) {
    for (const [i, family] of families.entries()) {
      renderer.load(family)
      for (const { what, from, to, times = 5, expect } of cases(i)) {
        const patience = expect === dropped ? { patienceMs: 600 } : {}
        const answers = await clients[from].connect({ ...to, ...patience }, times)
        check(`${renderer.name} ${family} ${what}`, expect(answers) ? undefined : [...new Set(answers)].join(', '))
      }
      check(`${renderer.name} ${family} affinity ends`, await outlastsAffinity(clients.pod, serviceAt(6, i)))
      renderer.unload(family)
    }
  }
}

interface Case {
  readonly what: string
  readonly from: 'pod' | 'pod-1' | 'outside' | 'stranger' | 'node'
  readonly to: Target
  readonly times?: number
  expect(answers: readonly Answer[]): boolean
}

function serviceAt(number: number, i: number): Target {
  return { host: i === 0 ? `10.96.0.${number}` : `fd00:96::${number}`, port: 80, protocol: 'TCP' }
}

const only = (answer: Answer) => (answers: readonly Answer[]) => answers.every(other => other === answer)
const [refused, dropped] = [only('ECONNREFUSED'), only('timeout')]

function cases(i: number): Case[] {
  const at = (number: number) => serviceAt(number, i)
  const dns = { ...at(1), port: 53, protocol: 'UDP' } as const
  const external = (ips: readonly string[]): Target => ({ host: ips[i]!, port: 80, protocol: 'TCP' })
  const nodePort = (number: number): Target => ({ host: nodeIPs[i]!, port: 30_000 + number, protocol: 'TCP' })
  const [node, pod, outside] = [nodeIPs[i]!, podIPs(9)[i]!, outsideIPs[i]!]
  const by = (source: string, ...names: number[]) => {
    const allowed = names.map(name => `pod-${name} ${source}`)
    return (answers: readonly Answer[]) => answers.every(answer => allowed.includes(answer))
  }
  return [
    {
      what: 'spread',
      from: 'pod',
      to: at(1),
      times: 300,
      expect: answers => by(pod, 1, 2, 3)(answers) && isUniform(answers),
    },
    {
      what: 'spread over UDP',
      from: 'pod',
      to: dns,
      times: 300,
      expect: answers => by(pod, 1, 2, 3)(answers) && isUniform(answers),
    },
    { what: 'cluster address from outside', from: 'outside', to: at(1), expect: by(node, 1, 2, 3) },
    { what: 'cluster address from the node', from: 'node', to: at(1), expect: by(node, 1, 2, 3) },
    { what: 'hairpin', from: 'pod-1', to: at(2), expect: by(node, 1) },
    { what: 'node port', from: 'outside', to: nodePort(1), expect: by(node, 1, 2, 3) },
    { what: 'node port from the node', from: 'node', to: nodePort(1), expect: by(node, 1, 2, 3) },
    { what: 'external address', from: 'outside', to: external(externalIPs), expect: by(node, 1, 2, 3) },
    { what: 'Local keeps the source', from: 'outside', to: nodePort(3), expect: by(outside, 1) },
    { what: 'Local from a pod', from: 'pod', to: nodePort(3), times: 30, expect: by(pod, 1, 3) },
    { what: 'Local from the node', from: 'node', to: nodePort(3), times: 30, expect: by(node, 1, 3) },
    { what: 'Local without endpoints here', from: 'outside', to: nodePort(4), times: 2, expect: dropped },
    { what: 'the same from a pod', from: 'pod', to: nodePort(4), expect: by(pod, 3) },
    { what: 'the same from the node', from: 'node', to: nodePort(4), expect: by(node, 3) },
    { what: 'in a source range', from: 'outside', to: external(balancedIPs), expect: by(node, 1, 2) },
    { what: 'in no source range', from: 'stranger', to: external(balancedIPs), times: 2, expect: dropped },
    { what: 'source ranges are not for node ports', from: 'stranger', to: nodePort(5), expect: by(node, 1, 2) },
    {
      what: 'affinity',
      from: 'pod',
      to: at(6),
      times: 30,
      expect: answers => new Set(answers).size === 1 && by(pod, 1, 2, 3)(answers),
    },
    { what: 'no endpoints', from: 'pod', to: at(7), times: 3, expect: refused },
    {
      what: 'no endpoints, from outside',
      from: 'outside',
      to: external(['192.0.2.7', 'fd00:e::7']),
      times: 3,
      expect: refused,
    },
    { what: 'no endpoints, from the node', from: 'node', to: at(7), times: 3, expect: refused },
    { what: 'no endpoints, node port', from: 'outside', to: nodePort(7), times: 3, expect: refused },
    { what: 'internal Local', from: 'pod', to: at(8), expect: by(pod, 1) },
    { what: 'internal Local without endpoints here', from: 'pod', to: at(9), times: 2, expect: dropped },
  ]
}

/** Pearson's chi-square of three equal shares stays below what one run in ten thousand passes. */
function isUniform(answers: readonly Answer[]): boolean {
  const counts = [...Map.groupBy(answers, answer => answer).values()].map(({ length }) => length)
  const expected = answers.length / 3
  return counts.length === 3 && counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) < 18.4
}

/** Each time that the time-out of one second has passed the client may get another pod: in twenty rounds it does. */
async function outlastsAffinity(client: Client, target: Target): Promise<string | undefined> {
  const [first] = await client.connect(target, 1)
  for (let round = 0; round < 20; round++) {
    await sleep(2100)
    const [next] = await client.connect(target, 1)
    if (next !== first) return undefined
  }
  return `${first} to the end`
}
