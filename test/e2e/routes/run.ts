/**
 * Compares the iptables rules that portolan renders with those of the real kube-proxy on the same real kube-apiserver: first for services
 * that have every field, with each set of flags, then for clusters that chance makes while one kube-proxy follows them. All of it runs
 * in a network namespace of its own, after real packets have passed through our rules. Run by `npm run test:routes`, as root; `--help`
 * tells the options.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Node } from '../../../src/cluster/objects.ts'
import { ClusterState } from '../../../src/cluster/state.ts'
import { PortolanError } from '../../../src/errors.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { apiserverSource } from '../../../src/sources/apiserver/index.ts'
import type { Family } from '../../../src/wire/address.ts'
import { chance } from '../../wire/random.ts'
import type { ApiObject } from '../api-client.ts'
import { exitOnSignals } from '../background.ts'
import { startControlPlane } from '../control-plane.ts'
import { findPeers } from '../peers.ts'
import { checkDiff } from './diff.ts'
import { everyField } from './every-field.ts'
import { startKubeProxy } from './kube-proxy.ts'
import { addInterface, inNamespace, isInside, loaded, missing, refusedByNft, run, tools } from './namespace.ts'
import { checkPackets } from './packets.ts'
import { namespaceObject, nodeIPs, nodes, zones } from './plan.ts'
import { RandomCluster } from './random-cluster.ts'
import { differencesOf } from './saved-rules.ts'
import { checkServed } from './served.ts'
import { usual, type Variant, variants } from './variants.ts'

const usage = `usage: npm run test:routes -- [options]
  --packets    only send packets through our rules, which needs neither kube-proxy nor an API server
  --diff       only see whether \`portolan routes diff\` finds damage
  --random N   how many random clusters to compare (default 10)
  --seed N     makes the same random clusters again
  --show N     how many differences to print (default 10)
`

const programs = ['etcd', 'apiserver', 'kubeProxy'] as const
/** How soon kube-proxy must have what it was told. */
const patienceMs = 20_000

const { values: given } = parseArgs({
  options: {
    packets: { type: 'boolean', default: false },
    diff: { type: 'boolean', default: false },
    random: { type: 'string', default: '10' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    show: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
})

const totals = { passed: 0, failed: 0 }

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

if (isInside()) exitOnSignals()
process.exit(given.help ? help() : isInside() ? await testAll() : await start())

function help(): number {
  say(usage)
  return 0
}

/** In the first namespace nothing is done but to look whether there is all that is needed. */
async function start(): Promise<number> {
  const reason = missing() ?? (given.packets ? undefined : await findPeers(programs, say))
  if (typeof reason !== 'string') return inNamespace()
  say(`no comparison: ${reason}`)
  say('0 passed, 0 failed, 1 skipped')
  return 0
}

function count(passed: boolean): void {
  if (passed) totals.passed++
  else totals.failed++
}

function check(what: string, wrong: string | undefined): void {
  say(`${what.padEnd(60)} ${wrong === undefined ? 'ok' : `not ok: ${wrong}`}`)
  count(wrong === undefined)
}

/** What `portolan routes diff` says of rules, and of damage to them. */
async function compareSaid(): Promise<void> {
  const peers = await findPeers(programs, say)
  if (typeof peers === 'string') throw new Error('this was found before')
  if (given.diff) addInterface(nodeIPs)
  await checkDiff(peers, check)
}

async function testAll(): Promise<number> {
  // First, since kube-proxy leaves rules behind.
  if (!given.diff) await checkPackets(check)
  if (!given.packets && !given.diff) await compareAll()
  if (!given.packets) await compareSaid()
  say(`${totals.passed} passed, ${totals.failed} failed`)
  return totals.failed === 0 ? 0 : 1
}

async function compareAll(): Promise<void> {
  const peers = await findPeers(programs, say)
  if (typeof peers === 'string') throw new Error('this was found before')
  addInterface([`${nodeIPs[0]}/24`, `${nodeIPs[1]}/64`])
  await using plane = await startControlPlane(peers)
  await plane.client.create(ownNode())
  const { services, objects } = everyField()
  for (const object of [namespaceObject(), ...objects]) await plane.client.create(object)
  const stop = new AbortController()
  const followed = await follow(plane.kubeconfig, stop.signal)
  const compare = async (title: string, options: Variant): Promise<void> => {
    for (const family of ['IPv4', 'IPv6'] as const) {
      const { rules, lines } = await settled(followed, family, options)
      say(`${title.padEnd(24)} ${family} ${lines.length === 0 ? `equal: ${rules} rules` : 'differs'}`)
      for (const line of lines.slice(0, Number(given.show))) say(`  ${line}`)
      count(lines.length === 0)
      // What these do is a matter of packets (`npm run test:routes -- --packets`); here they must load, whatever the cluster.
      const refusal = refusedByNft(renderNftables(followed.table, { family, node: nodeOf(followed.state), ...options }))
      if (refusal !== undefined) say(`${title.padEnd(24)} ${family} nft does not load our rules: ${refusal}`)
      count(refusal === undefined)
    }
  }
  const proxyFor = (variant: Variant) => {
    run('nft', ['flush', 'ruleset'])
    const log = join(plane.folder, `kube-proxy-${variant.name.replaceAll(' ', '-')}.log`)
    return startKubeProxy({ path: peers.kubeProxy, kubeconfig: plane.kubeconfig, mode: 'iptables', variant, log })
  }
  say(`${services} services`)
  for (const variant of variants) {
    await using _proxy = proxyFor(variant)
    await compare(variant.name, variant)
  }
  await checkServed(plane.kubeconfig, check)
  say(`random clusters: seed ${given.seed}`)
  for (const object of objects.toReversed()) await plane.client.remove(object)
  await using _proxy = proxyFor(usual)
  const cluster = new RandomCluster(plane.client, chance(Number(given.seed)))
  for (let i = 1; i <= Number(given.random); i++) {
    await cluster.change()
    await compare(`random ${i}`, usual)
  }
  stop.abort()
}

interface Followed {
  readonly state: ClusterState
  readonly table: RouteTable
}

/** The cluster as portolan's own source follows it. */
async function follow(kubeconfig: string, signal: AbortSignal): Promise<Followed> {
  const kinds = ['Service', 'EndpointSlice', 'Node'] as const
  const state = new ClusterState({ kinds })
  const source = apiserverSource({
    access: { from: 'kubeconfig', file: kubeconfig },
    kinds,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: say }),
    metrics: metrics(),
    selfCheckMs: 0,
  })
  await source.follow(state, signal)
  const table = new RouteTable()
  state.follow(table)
  return { state, table }
}

/** The differences that stay when both have had their time. */
async function settled(
  { state, table }: Followed,
  family: Family,
  options: Variant,
): Promise<{ readonly rules: number; readonly lines: readonly string[] }> {
  const deadline = performance.now() + patienceMs
  let wanted = { revision: -1, saved: '', text: '' }
  for (;;) {
    const node = nodeOf(state)
    if (wanted.revision !== table.revision) {
      const text = renderIptables(table, { family, node, accounting: true, ...options })
      wanted = { revision: table.revision, saved: loaded(text, family), text }
    }
    const saved = run(`${tools[family]}-save`, [])
    const lines = [...differencesOf(wanted.saved, saved), ...differencesOf(wanted.text, saved)]
    const rules = saved.match(/^-A /gm)?.length ?? 0
    if (lines.length === 0 || performance.now() > deadline) return { rules, lines }
    await sleep(100)
  }
}

function nodeOf(state: ClusterState): Node {
  const node = state.get('Node', nodes.own)
  if (node === undefined) throw new PortolanError('PORTOLAN_E2E_NODE', 'the node was not followed')
  return node
}

/** The node that kube-proxy runs on. */
function ownNode(): ApiObject {
  const addresses = nodeIPs.map(address => ({ type: 'InternalIP', address }))
  const metadata = { name: nodes.own, labels: { 'topology.kubernetes.io/zone': zones.own } }
  return { kind: 'Node', metadata, status: { addresses } }
}
