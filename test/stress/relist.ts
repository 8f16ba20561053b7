/**
 * `npm run stress:relist [-- RELISTS [SERVICES]]`: how much memory it takes to list a whole cluster again. A real API server has 10,000
 * services of 10 endpoints; the built program follows it, all its watches are cut and its history is gone, again and again. At no
 * time may it hold more than a quarter more than when it is at rest.
 */
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiCluster } from '../bench/cluster.ts'
import { clusterOf, objectsOf, probesOf } from '../bench/data.ts'
import { memory } from '../bench/process.ts'
import { findPrograms } from '../bench/programs.ts'
import { startServer } from '../bench/servers.ts'
import { freePort } from '../e2e/background.ts'
import { findPeers } from '../e2e/peers.ts'

const [relists, services] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 10_000)]
const most = 1.25
/** When what was read at the start has been given back. */
const restMs = 30_000
/** A list and all that follows from it. */
const relistMs = 10_000

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
const { signal } = new AbortController()
const peers = await findPeers(['etcd', 'apiserver'], say)
if (typeof peers === 'string') {
  say(`nothing is measured: ${peers}`)
  say('0 passed, 0 failed, 1 skipped')
} else {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'portolan-relist-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const entries = clusterOf({ services, endpoints: 10 })
  const cluster = stack.use(await apiCluster(peers, objectsOf(entries), signal, say))
  const relay = stack.use(await cluster.live!.relay())
  const choice = { coredns: undefined, sources: false, profiles: undefined, folder, zones: () => [] }
  const { programs, notes } = findPrograms(choice)
  for (const note of notes.filter(note => note.includes('portolan'))) say(note)
  const portolan = programs.find(({ name }) => name === 'portolan')!
  const site = { folder, cluster: relay.option, upstream: await freePort(), probes: probesOf(entries), signal }
  const { pid } = stack.use(await startServer(portolan, site))
  await sleep(restMs)
  const { residentMb: steady } = memory(pid)
  say(`at rest ${steady.toFixed(1)} MiB`)
  let failed = 0
  for (let n = 1; n <= relists; n++) {
    // Has the kernel count the peak from now on (proc(5)).
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    await relay.expire()
    await sleep(relistMs)
    const { residentMb, peakMb } = memory(pid)
    const right = (await relay.lists()) > 0 && peakMb <= steady * most
    if (!right) failed++
    const seen = `${await relay.lists()} list of slices, peak ${peakMb.toFixed(1)} MiB (${(peakMb / steady).toFixed(2)} x)`
    say(`relist ${n}: ${seen}, then ${residentMb.toFixed(1)} MiB`)
  }
  say(`${relists - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
