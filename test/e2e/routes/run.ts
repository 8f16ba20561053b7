/**
 * Holds our rules against the real kube-proxy on a real kube-apiserver: what becomes of real packets, and whether the iptables rules are the
 * same. All of it runs in a network namespace of its own. Run by `npm run test:routes`, as root; `--help` tells the options.
 */
import { parseArgs } from 'node:util'
import { chance } from '../../wire/random.ts'
import { startControlPlane } from '../control-plane.ts'
import { runNamespaced, say, type Totals } from '../namespaced-suite.ts'
import { findPeers, type Peers } from '../peers.ts'
import { Comparer, createFrame } from './compare.ts'
import { checkDiff } from './diff.ts'
import { makeNode } from './lab.ts'
import { missing } from './namespace.ts'
import { modes, packetObjects } from './packet-cases.ts'
import { checkPackets } from './packets.ts'
import { RandomCluster } from './random-cluster.ts'
import { checkServed } from './served.ts'

const usage = `usage: npm run test:routes -- [options]
  --packets    only send packets through the rules
  --rules      only compare rules
  --mode NAME  packets: only through rules of iptables, or nftables
  --alone      only send packets through our rules, which needs neither kube-proxy nor an API server
  --diff       only what routes diff says of rules and of damage to them
  --random N   how many random clusters to compare (default 10; 0 for none)
  --seed N     makes the same random clusters again
  --show N     how many differences to print (default 10)
`

const programs = ['etcd', 'apiserver', 'kubeProxy'] as const

const { values: given } = parseArgs({
  options: {
    packets: { type: 'boolean', default: false },
    rules: { type: 'boolean', default: false },
    mode: { type: 'string' },
    alone: { type: 'boolean', default: false },
    diff: { type: 'boolean', default: false },
    random: { type: 'string', default: '10' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    show: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
})

const wanted = modes.filter(mode => mode === (given.mode ?? mode))
const totals = { passed: 0, failed: 0 }

await runNamespaced({
  help: given.help ? usage : undefined,
  async obstacle() {
    const found = missing() ?? (given.alone ? undefined : await findPeers(programs, say))
    return typeof found === 'string' ? found : undefined
  },
  test: testAll,
})

function count(passed: boolean): void {
  if (passed) totals.passed++
  else totals.failed++
}

function check(what: string, wrong: string | undefined): void {
  say(`${what.padEnd(70)} ${wrong === undefined ? 'ok' : `not ok: ${wrong}`}`)
  count(wrong === undefined)
}

async function testAll(): Promise<Totals> {
  const peers = given.alone ? undefined : await findPeers(programs, say)
  if (typeof peers === 'string') throw new Error('this was found before')
  makeNode()
  if (peers === undefined) await checkPackets(check, undefined, wanted)
  else if (given.diff) await checkDiff(peers, check)
  else await testBeside(peers)
  return totals
}

async function testBeside(peers: Peers<(typeof programs)[number]>): Promise<void> {
  await using plane = await startControlPlane(peers)
  await createFrame(plane)
  if (!given.rules) {
    const objects = packetObjects()
    for (const object of objects) await plane.client.create(object)
    const peer = { path: peers.kubeProxy, kubeconfig: plane.kubeconfig, folder: plane.folder }
    await checkPackets(check, peer, wanted)
    for (const object of objects.toReversed()) await plane.client.remove(object)
  }
  if (given.packets) return
  const comparison = { plane, kubeProxy: peers.kubeProxy, show: Number(given.show), say, count }
  await using comparer = await Comparer.start(comparison)
  await comparer.everyField()
  await checkServed(plane.kubeconfig, check)
  say(`random clusters: seed ${given.seed}`)
  await comparer.random(new RandomCluster(plane.client, chance(Number(given.seed))), Number(given.random))
  if (!given.rules) await checkDiff(peers, check)
}
