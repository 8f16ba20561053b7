/**
 * Has `portolan routes apply -watch` follow a real kube-apiserver in a network namespace of its own, and after each change compares the
 * kernel with what it should have: while calls fail, a service is refused, and others empty the tables. Run by `npm run test:apply`, as
 * root; `--help` tells the options.
 */
import { createSocket } from 'node:dgram'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Node } from '../../../../src/cluster/objects.ts'
import type { ClusterState } from '../../../../src/cluster/state.ts'
import type { RouteTable } from '../../../../src/routes/table.ts'
import { chance } from '../../../wire/random.ts'
import type { ApiObject } from '../../api-client.ts'
import { type ControlPlane, startControlPlane } from '../../control-plane.ts'
import { runNamespaced, say, type Totals } from '../../namespaced-suite.ts'
import { findPeers, type Peers } from '../../peers.ts'
import { followCluster } from '../followed-cluster.ts'
import { missing, run } from '../namespace.ts'
import {
  namespaceObject,
  nodeIPs,
  nodes,
  podRanges,
  type ServicePlan,
  serviceObject,
  sliceObjects,
  zones,
} from '../plan.ts'
import { markerPlan, RandomCluster, sees } from '../random-cluster.ts'
import { actual, expected, type Form } from './expected.ts'
import { portolanRoutes, Subject } from './subject.ts'

const usage = `usage: npm run test:apply -- [options]
  --changes N     how many random changes for each form (default 100)
  --seed N        makes the same changes again
  --form FORM     iptables or nftables alone
`

const programs = ['etcd', 'apiserver'] as const
/** How soon the kernel must have what it is to have, failures of calls included. */
const patienceMs = 60_000

const { values: given } = parseArgs({
  options: {
    changes: { type: 'string', default: '100' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    form: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const totals = { passed: 0, failed: 0 }

await runNamespaced({
  help: given.help ? usage : undefined,
  async obstacle() {
    const found = missing() ?? (await findPeers(programs, say))
    return typeof found === 'string' ? found : undefined
  },
  test: testAll,
})

function check(what: string, wrong: string | undefined): void {
  say(`${what.padEnd(70)} ${wrong === undefined ? 'ok' : `not ok: ${wrong}`}`)
  totals[wrong === undefined ? 'passed' : 'failed']++
}

async function testAll(): Promise<Totals> {
  const peers = await findPeers(programs, say)
  if (typeof peers === 'string') throw new Error('this was found before')
  makeNode()
  for (const form of ['nftables', 'iptables'] as const) {
    if (given.form === undefined || given.form === form) await testForm(form, peers)
  }
  return totals
}

/** The node's addresses, a way to pods, and rules that somebody else has made. */
function makeNode(): void {
  run('ip', ['link', 'set', 'lo', 'up'])
  run('ip', ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer'])
  const [four, six] = nodeIPs
  run('ip', ['addr', 'add', `${four}/24`, 'dev', 'eth0'])
  run('ip', ['addr', 'add', `${six}/64`, 'dev', 'eth0', 'nodad'])
  for (const name of ['eth0-peer', 'eth0']) run('ip', ['link', 'set', name, 'up'])
  for (const range of [podRanges[0], '10.96.0.0/12']) run('ip', ['route', 'add', range, 'dev', 'eth0'])
  // Nobody is there; that packets go out is all that counts.
  for (const pod of [31, 32])
    run('ip', ['neigh', 'replace', `10.244.1.${pod}`, 'lladdr', '02:00:00:00:00:01', 'dev', 'eth0', 'nud', 'permanent'])
  makeOthers()
}

function kernelChains(): string {
  return `*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
COMMIT
`
}

/** Rules that are not ours. */
function makeOthers(): void {
  for (const tool of ['iptables', 'ip6tables']) {
    // Which chains of the kernel's there are is not told apart: iptables makes them as it is used.
    run(`${tool}-restore`, ['--noflush'], kernelChains())
    run(tool, ['-t', 'nat', '-N', 'MINE'])
    run(tool, ['-t', 'nat', '-A', 'POSTROUTING', '-p', 'tcp', '-j', 'MINE'])
    run(tool, ['-A', 'INPUT', '-p', 'tcp', '--dport', '22', '-j', 'ACCEPT'])
  }
}

/** All rules of this namespace, without counters, chain by chain: which of them was made first means nothing. */
function everything(): string {
  const saved = ['iptables', 'ip6tables'].flatMap(tool => {
    const tables = run(`${tool}-save`, [])
      .replace(/^#.*\n/gm, '')
      .split(/^(?=\*)/m)
    return tables.map(table => `${tool} ${table}`)
  })
  const listed = run('nft', ['list', 'ruleset']).split(/^(?=table )/m)
  const chains = listed.flatMap(table => {
    const [name = '', ...blocks] = table.split(/^(?=\tchain )/m)
    return blocks.map(block => name + block.replace(/\n(\n|\}\n)$/, ''))
  })
  return [...saved, ...chains]
    .map(text => text.replace(/counter packets \d+ bytes \d+|\[\d+:\d+\]/g, ''))
    .sort()
    .join('')
}

async function testForm(form: Form, peers: Peers<(typeof programs)[number]>): Promise<void> {
  const before = everything()
  {
    await using plane = await startControlPlane(peers)
    await plane.client.create(ownNode(zones.own))
    await plane.client.create(namespaceObject())
    const stop = new AbortController()
    const cluster = await followCluster(plane.kubeconfig, stop.signal, say)
    const { kubeconfig, folder } = plane
    await using subject = new Subject({ form, kubeconfig, folder, flags: ['-check', '1s'] })
    const lab: Lab = { form, plane, subject, ...cluster, round: 0 }
    await equalAfter(lab, 'nothing')
    await testRandomChanges(lab)
    await testRefusal(lab)
    await testOthers(lab)
    await testNode(lab)
    await testFlows(lab)
    await testHealthChecks(lab)
    stop.abort()
  }
  check(`${form}: the rules stay when it ends`, actual(form, 'IPv4').length > 1000 ? undefined : 'they are gone')
  portolanRoutes('cleanup', form)
  check(`${form}: cleanup leaves everything as it was`, firstDifference(before, everything()))
}

interface Lab {
  readonly form: Form
  readonly plane: ControlPlane
  readonly subject: Subject
  readonly state: ClusterState
  readonly table: RouteTable
  /** How often the marker was changed. */
  round: number
}

/** Changes the marker, and waits until it was seen here: what is compared from then on has all that was changed before. */
async function arrive(lab: Lab): Promise<void> {
  const round = ++lab.round
  const plan = markerPlan(round)
  for (const object of [serviceObject(plan), ...sliceObjects(plan)]) {
    const { kind, metadata, ...rest } = object
    if (round === 1) await lab.plane.client.create(object)
    else await lab.plane.client.merge({ kind, metadata }, rest)
  }
  if (!(await within(() => sees(lab.state, round)))) throw new Error('changes did not arrive')
}

/** 100 changes, of which some are made while one call in four fails. */
async function testRandomChanges(lab: Lab): Promise<void> {
  const { form, plane, subject } = lab
  const changes = Number(given.changes)
  say(`${form}: ${changes} changes, seed ${given.seed}`)
  const cluster = new RandomCluster(plane.client, chance(Number(given.seed)))
  let wrong = 0
  let slowest = 0
  for (let i = 1; i <= changes; i++) {
    subject.failOneIn(i % 10 >= 7 ? 4 : 0)
    await cluster.changeServices()
    await arrive(lab)
    const began = performance.now()
    const difference = await unequal(lab)
    slowest = Math.max(slowest, performance.now() - began)
    if (difference === undefined) continue
    wrong++
    say(`  change ${i}: ${difference}`)
  }
  subject.failOneIn(0)
  const retries = subject.log.match(/not loaded, it is tried again/g)?.length ?? 0
  check(
    `${form}: equal after each of ${changes} changes (slowest ${Math.round(slowest)} ms, ${retries} retries)`,
    count(wrong),
  )
  check(`${form}: no service was blamed`, count(subject.log.match(/is left out/g)?.length ?? 0))
}

function plain(number: number, pod: number, more: Partial<ServicePlan> = {}): ServicePlan {
  return { name: `plain-${number}`, number, slices: [[{ pod }]], ...more }
}

async function create(lab: Lab, plan: ServicePlan): Promise<void> {
  for (const object of [serviceObject(plan), ...sliceObjects(plan)]) await lab.plane.client.create(object)
  await arrive(lab)
}

async function replaceSlices(lab: Lab, plan: ServicePlan): Promise<void> {
  for (const { kind, metadata, ...rest } of sliceObjects(plan)) await lab.plane.client.merge({ kind, metadata }, rest)
  await arrive(lab)
}

/** One service that the tool refuses, among others that come with it. */
async function testRefusal(lab: Lab): Promise<void> {
  const { form, subject } = lab
  subject.refuse('10\\.244\\.1\\.199')
  for (const number of [60_001, 60_002, 60_003]) await create(lab, plain(number, number === 60_002 ? 199 : 9))
  const found = await within(() => {
    const text = actual(form, 'IPv4')
    const others = [60_001, 60_003].every(number => text.includes(addressOf(number)))
    return others && !text.includes('10.244.1.199') && /plain-60002 is left out/.test(subject.log)
  })
  check(`${form}: one service that is refused keeps none of the others`, found ? undefined : subject.log.slice(-1000))
  subject.refuse(undefined)
  await equalAfter(lab, 'the refused service is tried again')
}

/** What somebody else does to the rules. */
async function testOthers(lab: Lab): Promise<void> {
  const { form, subject } = lab
  const chain = () => run('sh', ['-c', 'iptables-save -t nat | grep -om1 "^-A KUBE-SEP-[A-Z0-9]*"']).trim().slice(3)
  const commands: Record<Form, readonly (() => readonly [string, ...string[]])[]> = {
    iptables: [
      () => ['iptables', '-F'],
      () => ['ip6tables', '-t', 'nat', '-F'],
      () => ['iptables', '-t', 'nat', '-D', 'PREROUTING', '1'],
      () => [
        'iptables',
        '-t',
        'nat',
        '-A',
        'OUTPUT',
        '-m',
        'comment',
        '--comment',
        'kubernetes service portals',
        '-j',
        'KUBE-SERVICES',
      ],
      () => ['iptables', '-t', 'nat', '-F', chain()],
      () => ['iptables', '-t', 'nat', '-I', 'KUBE-POSTROUTING', '-j', 'RETURN'],
      () => ['nft', 'flush', 'ruleset'],
    ],
    nftables: [
      () => ['nft', 'delete', 'element', 'ip', 'portolan', 'services', `{ ${addressOf(60_001)} . tcp . 80 }`],
      () => ['nft', 'add', 'element', 'ip', 'portolan', 'services', '{ 10.96.99.99 . tcp . 80 : drop }'],
      () => ['nft', 'insert', 'rule', 'ip', 'portolan', 'route', 'drop'],
      () => ['nft', 'flush', 'chain', 'ip', 'portolan', 'nat-postrouting'],
      () => ['nft', 'delete', 'table', 'ip6', 'portolan'],
      () => ['nft', 'flush', 'ruleset'],
    ],
  }
  for (const make of commands[form]) {
    const [command, ...args] = make()
    const seen = subject.log.length
    run(command, args)
    await equalAfter(lab, `${command} ${args.slice(0, 6).join(' ')}`)
    const told = /somebody else has changed it/.test(subject.log.slice(seen))
    check(`${form}: and it was told`, told ? undefined : subject.log.slice(seen))
  }
  // With the whole ruleset others have lost theirs.
  makeOthers()
}

/** The node comes into another zone, and into its own again. */
async function testNode(lab: Lab): Promise<void> {
  const hinted = plain(60_010, 1, {
    slices: [
      [
        { pod: 21, on: 'own', forZones: [zones.own] },
        { pod: 22, on: 'other', forZones: [zones.other] },
      ],
    ],
  })
  await create(lab, hinted)
  for (const zone of [zones.other, zones.own]) {
    await lab.plane.client.merge(ownNode(zone), { metadata: { labels: { 'topology.kubernetes.io/zone': zone } } })
    await within(() => lab.state.get('Node', nodes.own)?.zone === zone)
    await equalAfter(lab, `the node is in ${zone}`)
    const there = actual(lab.form, 'IPv4').includes(zone === zones.own ? '10.244.1.21' : '10.244.1.22')
    check(`${lab.form}: and its endpoint is used`, there ? undefined : 'it is not')
  }
}

/** A UDP client that keeps its port does not go on sending to an endpoint that is gone. */
async function testFlows(lab: Lab): Promise<void> {
  const { form } = lab
  const dns = (pod: number) => plain(60_020, pod, { ports: [{ port: 53, protocol: 'UDP' }] })
  await create(lab, dns(31))
  await equalAfter(lab, 'a service of UDP')
  const socket = createSocket('udp4')
  const send = () => new Promise(done => socket.send('?', 53, addressOf(60_020), done))
  await send()
  const flows = () =>
    run('conntrack', ['-L', '-p', 'udp'])
      .split('\n')
      .filter(line => line.includes(`dst=${addressOf(60_020)} `))
  const first = flows().join()
  check(`${form}: a flow leads to the endpoint`, first.includes('src=10.244.1.31') ? undefined : `flows: ${first}`)
  await replaceSlices(lab, dns(32))
  const gone = await within(() => flows().length === 0)
  check(`${form}: it is forgotten with the endpoint`, gone ? undefined : flows().join())
  await send()
  check(
    `${form}: the next packet goes to the new one`,
    flows().join().includes('src=10.244.1.32') ? undefined : flows().join(),
  )
  socket.close()
}

/** Load balancers ask the node whether it has endpoints. */
async function testHealthChecks(lab: Lab): Promise<void> {
  const port = 32_555
  const balanced = (on: 'own' | 'other') =>
    plain(60_030, 41, {
      spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port },
      slices: [[{ pod: 41, on }]],
    })
  await create(lab, balanced('own'))
  await equalAfter(lab, 'a service with health checks')
  const body = (localEndpoints: number) =>
    JSON.stringify({ service: { namespace: 'routes', name: 'plain-60030' }, localEndpoints, serviceProxyHealthy: true })
  for (const [on, wanted] of [
    ['own', `200 weight 1 ${body(1)}`],
    ['other', `503 weight 0 ${body(0)}`],
  ] as const) {
    await replaceSlices(lab, balanced(on))
    let answer = ''
    const right = await within(async () => {
      answer = await ask(nodeIPs[0], port)
      return answer === wanted
    })
    check(`${lab.form}: a health check, the endpoint on the ${on} node`, right ? undefined : answer)
  }
}

function ask(host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const request = get({ host, port, agent: false, timeout: 1000 }, response => {
      let text = ''
      response.on('data', part => {
        text += part
      })
      response.once('end', () => {
        const weight = response.headers['x-load-balancing-endpoint-weight']
        resolve(`${response.statusCode} weight ${weight} ${JSON.stringify(JSON.parse(text))}`)
      })
    })
    request.once('error', ({ message }) => resolve(message))
  })
}

function addressOf(number: number): string {
  return `10.96.${number >> 8}.${number & 255}`
}

async function equalAfter(lab: Lab, what: string): Promise<void> {
  check(`${lab.form}: equal after: ${what}`, await unequal(lab))
}

/** The first difference that stays between the kernel and what it should have; undefined where they become equal in time. */
async function unequal({ form, state, table }: Lab): Promise<string | undefined> {
  let difference: string | undefined
  await within(() => {
    difference = undefined
    for (const family of ['IPv4', 'IPv6'] as const) {
      const options = { family, node: nodeOf(state), clusterCIDRs: podRanges }
      difference ??= firstDifference(expected(form, table, options), actual(form, family))
    }
    return difference === undefined
  })
  return difference
}

/** Whether it comes to be true in time. */
async function within(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > deadline) return false
    await sleep(50)
  }
  return true
}

function firstDifference(wanted: string, found: string): string | undefined {
  if (wanted === found) return undefined
  const [expectedLines, lines] = [wanted.split('\n'), found.split('\n')]
  const at = expectedLines.findIndex((line, i) => line !== lines[i])
  return `wanted ${expectedLines[at]?.slice(0, 300)}, found ${lines[at < 0 ? expectedLines.length : at]?.slice(0, 300)}`
}

function count(wrong: number): string | undefined {
  return wrong === 0 ? undefined : `${wrong} times`
}

function nodeOf(state: ClusterState): Node {
  const node = state.get('Node', nodes.own)
  if (node === undefined) throw new Error('the node was not followed')
  return node
}

/** The node that rules are applied to. */
function ownNode(zone: string): ApiObject {
  const addresses = nodeIPs.map(address => ({ type: 'InternalIP', address }))
  const metadata = { name: nodes.own, labels: { 'topology.kubernetes.io/zone': zone } }
  return { kind: 'Node', metadata, status: { addresses } }
}
