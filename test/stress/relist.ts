/**
 * `npm run stress:relist`: how much memory the server takes while it lists the whole cluster again. The API server is a real one, and
 * `dist/` is what runs. Ends with the line `N passed, N failed`; `--services` and `--endpoints` give another size.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { PortolanError } from '../../src/errors.ts'
import { apiCluster, type Relay } from '../bench/cluster.ts'
import { clusterOf, objectsOf, probesOf } from '../bench/data.ts'
import { memory, resetPeak } from '../bench/process.ts'
import { findPrograms } from '../bench/programs.ts'
import { startServer } from '../bench/servers.ts'
import type { Peers } from '../e2e/peers.ts'
import { runSuite } from '../e2e/suite.ts'
import type { Tally } from '../e2e/tally.ts'

const mostOfSteady = 1.25
const relists = 5
/** What the first list was read from is collected by then. */
const settleMs = 20_000
const listsWithinMs = 30_000
/** From the begin of a list to its end, with much to spare. */
const listMs = 8000

const { values: flags } = parseArgs({
  options: { services: { type: 'string', default: '10000' }, endpoints: { type: 'string', default: '10' } },
})

await runSuite({ peers: ['etcd', 'apiserver'], run: measure })

async function measure(peers: Peers<'etcd' | 'apiserver'>, tally: Tally, say: (line: string) => void): Promise<void> {
  const entries = clusterOf({ services: Number(flags.services), endpoints: Number(flags.endpoints) })
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'portolan-relist-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const { signal } = new AbortController()
  const cluster = stack.use(await apiCluster(peers, objectsOf(entries), signal, say))
  const found = findPrograms({ coredns: undefined, sources: false, profiles: undefined, folder, zones: () => [] })
  for (const note of found.notes) say(note)
  const relay = stack.use(await cluster.live!.relay())
  // Nothing is forwarded here: the discard port stands for an upstream.
  const site = { folder, cluster: relay.option, upstream: 9, probes: probesOf(entries), signal }
  const program = found.programs.find(({ name }) => name === 'portolan')!
  const { pid } = stack.use(await startServer(program, site))
  const started = memory(pid)
  await sleep(settleMs)
  const steady = memory(pid).residentMb
  say(`${program.version}: ${flags.services} services of ${flags.endpoints} endpoints; MiB`)
  say(`first list: peak ${started.peakMb.toFixed(1)}`)
  say(`steady: ${steady.toFixed(1)}`)
  for (let n = 1; n <= relists; n++) {
    const peak = await peakOfRelist(pid, relay)
    const ratio = peak / steady
    const what = `list ${n + 1}: peak ${peak.toFixed(1)}, then ${memory(pid).residentMb.toFixed(1)}; ${ratio.toFixed(2)} of steady`
    tally.check(what, ratio <= mostOfSteady ? undefined : `more than ${mostOfSteady}`)
  }
}

/** In MiB. */
async function peakOfRelist(pid: number, relay: Relay): Promise<number> {
  resetPeak(pid)
  await relay.expire()
  const deadline = performance.now() + listsWithinMs
  while ((await relay.lists()) === 0) {
    if (performance.now() > deadline)
      throw new PortolanError('PORTOLAN_STRESS_RELIST', 'the cluster is not listed again')
    await sleep(100)
  }
  await sleep(listMs)
  return memory(pid).peakMb
}
