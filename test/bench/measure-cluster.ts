/** All that is measured on one cluster: servers side by side under load, then one at a time while the cluster changes. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Peers } from '../e2e/peers.ts'
import { type LiveCase, liveCases, loadCases, memoryCase } from './cases.ts'
import { followedObjects } from './change.ts'
import { apiCluster, manifestsCluster } from './cluster.ts'
import { clusterOf, objectsOf, probesOf, type Size } from './data.ts'
import { measureLive } from './live.ts'
import { measureAll, type Plan, type Result } from './measure.ts'
import { memoryParts } from './memory-parts.ts'
import { memory } from './process.ts'
import { type Choice, findPrograms, type Program, type ServerName } from './programs.ts'
import { mixedQuestions } from './questions.ts'
import type { ClusterReport, SettledMemory } from './report.ts'
import { checkAnswers, type RunningServer, type Site, startServer } from './servers.ts'
import { type ZoneRecords, zoneRecords, zonesOf } from './zone.ts'

/** Codes that no question should get. */
const failureCodes = ['SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP']
/** Every server has to answer that many questions of the mix rightly before it is measured. */
const checkedQuestions = 500

export interface ClusterPlan extends Omit<Plan, 'entries'>, Omit<Choice, 'coredns' | 'zones'> {
  readonly cases: readonly string[]
  /** All that there are where it is undefined. */
  readonly only: readonly ServerName[] | undefined
  /** Absent where manifests have to do. */
  readonly peers: Peers | undefined
  /** Port on 127.0.0.1 of what names outside the cluster are forwarded to. */
  readonly upstream: number
  /** Seconds until memory is read. */
  readonly settle: number
}

export interface MeasuredCluster {
  readonly report: ClusterReport
  /** The servers that there are, measured or not in this cluster. */
  readonly programs: readonly Program[]
  readonly notes: readonly string[]
}

export async function measureCluster(size: Size, options: ClusterPlan): Promise<MeasuredCluster> {
  const { cases, only, peers, upstream, signal, say } = options
  const entries = clusterOf(size)
  const records = zoneRecords(entries)
  const folder = join(options.folder, String(size.services))
  const objects = [...objectsOf(entries), ...followedObjects()]
  await using cluster = await (peers === undefined
    ? manifestsCluster(objects, options.folder)
    : apiCluster(peers, objects, signal, say))
  const found = findPrograms({ ...options, coredns: peers?.coredns, zones: () => zonesOf(records) })
  const programs = found.programs.filter(({ name }) => only?.includes(name) ?? true)
  const site: Site = { folder, cluster: cluster.option, upstream, probes: probesOf(entries), signal }
  const plan: Plan = { ...options, entries, folder }

  const still = await sideBySide(plan, options, programs, site, records)
  const changing = (Object.keys(liveCases) as LiveCase[]).filter(name => cases.includes(name))
  const live =
    cluster.live && changing.length > 0
      ? await measureLive(plan, changing, programs, site, cluster.live)
      : { results: [], startups: [], programming: [] }
  const results = [...still.results, ...live.results]
  return {
    report: { ...live, ...still, size, source: cluster.name, results },
    programs,
    notes: [...found.notes, ...failuresOf(results)],
  }
}

async function sideBySide(
  plan: Plan,
  { cases, settle }: ClusterPlan,
  programs: readonly Program[],
  site: Site,
  records: ZoneRecords,
): Promise<Pick<ClusterReport, 'results' | 'memory' | 'memoryParts'>> {
  const loads = loadCases.filter(({ name }) => cases.includes(name))
  const settles = cases.includes(memoryCase)
  const needed = programs.filter(({ name }) => settles || loads.some(({ servers }) => servers.includes(name)))
  await using stack = new AsyncDisposableStack()
  const mix = mixedQuestions(plan.entries)
  const step = Math.max(1, Math.floor(mix.length / checkedQuestions))
  const servers: RunningServer[] = []
  for (const program of needed) {
    plan.say(`starting ${program.name}`)
    const server = stack.use(await startServer(program, site))
    servers.push(server)
    const some = mix.filter((_, n) => n % step === 0)
    if (program.knows !== 'nothing') await checkAnswers(server, some, records)
  }
  const settled = async () => {
    if (!settles) return []
    plan.say(`memory is read in ${settle} s`)
    await sleep(settle * 1000, undefined, { signal: plan.signal })
    return servers.map(({ pid }) => memory(pid))
  }
  const before = await settled()
  const parts = settles ? await partsOf(programs, servers, site) : {}
  const results = await measureAll(plan, loads, servers)
  const after = await settled()
  return { results, memory: before.map(memoryOf), ...parts }

  function memoryOf(afterStart: SettledMemory['afterStart'], n: number): SettledMemory {
    return { server: servers[n]!.name, seconds: settle, afterStart, afterLoad: after[n]! }
  }
}

async function partsOf(
  programs: readonly Program[],
  servers: readonly RunningServer[],
  site: Site,
): Promise<Pick<ClusterReport, 'memoryParts'>> {
  const [batch, dgram] = ['portolan', 'portolan-dgram'].map(name => programs.find(each => each.name === name))
  const server = servers.find(({ name }) => name === 'portolan')
  if (!batch || !dgram || !server) return {}
  return { memoryParts: await memoryParts(batch, dgram, server, site) }
}

function failuresOf(results: readonly Result[]): string[] {
  return results.flatMap(({ server, case: which, codes }) =>
    failureCodes.filter(code => codes[code]).map(code => `${server} ${which}: ${codes[code]} ${code}`),
  )
}
