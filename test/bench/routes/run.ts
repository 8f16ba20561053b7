/**
 * Measures the routing table beside the real kube-proxy, with the same objects of one real kube-apiserver, in a network namespace that it
 * made: how long rules take to be made and loaded, how soon the kernel has one change, and memory. Run by `npm run bench:routes`, as
 * root; `--help` tells the options.
 */
import { writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { messageOf, PortolanError } from '../../../src/errors.ts'
import { exitOnSignals } from '../../e2e/background.ts'
import { startControlPlane } from '../../e2e/control-plane.ts'
import { findPeers } from '../../e2e/peers.ts'
import { makeNode } from '../../e2e/routes/lab.ts'
import { inNamespace, isInside, missing } from '../../e2e/routes/namespace.ts'
import { clusterOf } from '../data.ts'
import { machine } from '../machine.ts'
import { BenchCluster } from './cluster.ts'
import { measureForm } from './forms.ts'
import { type Report, reportText, targetsOf, versionsOf } from './report.ts'
import { measureTable } from './table.ts'

const usage = `usage: npm run bench:routes -- [options]
  --services N           services for the table and nftables (default 10000)
  --iptables-services N  services for iptables (default 3000): kube-proxy's mode of that name did not load 10,000 within 7 minutes
  --endpoints N          endpoints of each (default 10)
  --changes N            how many endpoints are replaced, and half as many added and removed, one at a time (default 200)
  --peer-changes N       the same for kube-proxy (default 6: one takes it up to 14 s)
  --quick                1,000 services and 20 changes; 300 for iptables
  --alone                without kube-proxy
  --form NAME            only iptables, or nftables
  --sources              measures the sources, and not dist/
  --json FILE            writes all figures into a file
`

const { values: flags } = parseArgs({
  options: {
    services: { type: 'string' },
    'iptables-services': { type: 'string' },
    endpoints: { type: 'string', default: '10' },
    changes: { type: 'string' },
    'peer-changes': { type: 'string' },
    quick: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    form: { type: 'string' },
    sources: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const programs = ['etcd', 'apiserver', 'kubeProxy'] as const

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

if (isInside()) exitOnSignals()
process.exit(await main().catch(fail))

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(usage)
    return 0
  }
  if (isInside()) return bench()
  const reason = missing() ?? (await findPeers(programs, say))
  if (typeof reason !== 'string') return inNamespace()
  say(`not measured: ${reason}`)
  return 0
}

function fail(error: unknown): number {
  say(messageOf(error))
  return 1
}

async function bench(): Promise<number> {
  const { quick, sources } = flags
  const peers = await findPeers(programs, say)
  if (typeof peers === 'string') throw new PortolanError('PORTOLAN_BENCH_PEERS', peers)
  const endpoints = whole('endpoints', 10)
  const sizes = {
    nftables: whole('services', quick ? 1000 : 10_000),
    iptables: whole('iptables-services', quick ? 300 : 3000),
  }
  const changes = { own: whole('changes', quick ? 20 : 200), peer: whole('peer-changes', quick ? 4 : 6) }
  const before = machine()
  makeNode()
  await using plane = await startControlPlane(peers)
  const entries = clusterOf({ services: Math.max(sizes.iptables, sizes.nftables), endpoints })
  const cluster = new BenchCluster(plane.client, entries, say)
  const options = { plane, cluster, changes, sources, say, kubeProxy: flags.alone ? undefined : peers.kubeProxy }
  const wanted = (['iptables', 'nftables'] as const).filter(form => form === (flags.form ?? form))
  // The smaller cluster is the beginning of the larger one.
  const order = wanted.toSorted((a, b) => sizes[a] - sizes[b])
  const forms: Report['forms'][number][] = []
  for (const form of order) {
    await cluster.grow(sizes[form])
    forms.push({ form, services: sizes[form], ...(await measureForm(form, options)) })
  }
  await cluster.grow(sizes.nftables)
  const made = await measureTable(plane, say)
  const report: Report = {
    machine: before,
    loadAverageAtEnd: loadavg()[0]!,
    versions: versionsOf(peers.kubeProxy),
    endpoints,
    table: { services: sizes.nftables, ...made },
    forms,
    targets: [],
  }
  const judged = { ...report, targets: targetsOf(report) }
  process.stdout.write(reportText(judged))
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(judged, null, 2)}\n`)
  return 0
}

function whole(
  name: 'services' | 'iptables-services' | 'endpoints' | 'changes' | 'peer-changes',
  usual: number,
): number {
  const value = Number(flags[name] ?? usual)
  if (Number.isInteger(value) && value >= 1 && value <= 60_000) return value
  throw new PortolanError('PORTOLAN_BENCH_USAGE', `--${name} must be a whole number from 1 to 60000`)
}
