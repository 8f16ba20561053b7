/**
 * Measures portolan beside CoreDNS, a server of zone files, and the least that C and Node can do, in one run on one machine: CPU per
 * query, throughput, latency, memory, and how soon it is ready and follows a change. Run by `npm run bench`; `--help` tells the options.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageOf, PortolanError } from '../../src/errors.ts'
import { freePort, startBackground } from '../oracle/background.ts'
import { findPeers, type Peers } from '../oracle/peers.ts'
import { caseNames, type LiveCase, liveCases, loadCases, memoryCase } from './cases.ts'
import { followedObjects } from './change.ts'
import { chart } from './chart.ts'
import { ownClient } from './client.ts'
import { apiCluster, manifestsCluster } from './cluster.ts'
import { clusterOf, objectsOf, probesOf, type Size } from './data.ts'
import { dnsperf } from './dnsperf.ts'
import { measureLive } from './live.ts'
import { machine } from './machine.ts'
import { measureAll, type Plan } from './measure.ts'
import { panelsOf } from './panels.ts'
import { memory } from './process.ts'
import { findPrograms, type Program, type ServerName, serverNames, serverTitles } from './programs.ts'
import { mixedQuestions } from './questions.ts'
import { type ClusterReport, grouped, type Report, reportText } from './report.ts'
import { checkAnswers, type RunningServer, type Site, startServer } from './servers.ts'
import { targetsOf } from './targets.ts'
import { zoneRecords, zonesOf } from './zone.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Of all services: their addresses are from a range that large. */
const mostEndpoints = 1_000_000
/** Codes that no question should get. */
const failureCodes = ['SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP']
/** Every server has to answer that many questions of the mix rightly before it is measured. */
const checkedQuestions = 500
/** Above this load average others use the machine too. */
const idleLoad = 0.5
/** Clusters other than the largest are asked these alone, unless cases are named. */
const smallCases = ['a', 'mix']

const usage = `usage: npm run bench -- [options]
  --services N   services of the cluster; more than once for several clusters (default 10000 and 1000)
  --endpoints N  endpoints of each (default 10)
  --seconds N    how long each load lasts (default 3)
  --rounds N     how often all is measured; medians are told (default 5)
  --settle N     seconds after start, and after all load, until memory is read (default 60)
  --quick        one round of one second on 1,000 services, memory after 5 s
  --case NAME    only this case (may be given more than once): ${caseNames.join(' ')}
  --only NAME    only this server (may be given more than once): ${serverNames.join(' ')}
  --dist         builds dist/ first, which is what is measured where it is there
  --sources      measures the sources and not dist/
  --manifests    reads the cluster from a file, as without kube-apiserver; CoreDNS and what changes are left out
  --profile DIR  has portolan write CPU profiles into this folder, which makes it slower
  --json FILE    writes all figures into a file
  --svg FILE     draws the most telling ones
`

const { values: flags } = parseArgs({
  options: {
    services: { type: 'string', multiple: true },
    endpoints: { type: 'string' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    settle: { type: 'string' },
    quick: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    dist: { type: 'boolean', default: false },
    sources: { type: 'boolean', default: false },
    manifests: { type: 'boolean', default: false },
    profile: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const stop = new AbortController()
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    // The second time nothing is waited for; what was started is ended even then.
    if (stop.signal.aborted) process.exit(code)
    process.exitCode = code
    stop.abort(new PortolanError('PORTOLAN_BENCH_STOPPED', `${signal}: ending what was started`))
  })
}

try {
  if (flags.help) process.stdout.write(usage)
  else await bench()
} catch (error) {
  say(messageOf(stop.signal.aborted ? stop.signal.reason : error))
  process.exitCode ??= 1
}

async function bench(): Promise<void> {
  const { quick } = flags
  const [seconds, rounds] = [integer('seconds', quick ? 1 : 3, 600), integer('rounds', quick ? 1 : 5, 100)]
  const settle = integer('settle', quick ? 5 : 60, 3600)
  const sizes = sizesOf(flags.services ?? (quick ? ['1000'] : ['10000', '1000']))
  const only = chosen<ServerName>('only', serverNames)
  const cases = chosen<string>('case', caseNames)
  if (flags.dist) execFileSync(process.execPath, ['build.ts'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })

  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'portolan-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const generator = dnsperf() ?? ownClient
  const peers = flags.manifests ? 'asked not to' : await peersOrReason()
  const upstream = await freePort()
  const upstreamProgram = fileURLToPath(new URL('upstream.ts', import.meta.url))
  stack.use(startBackground(process.execPath, [upstreamProgram, String(upstream)], join(folder, 'upstream.log')))

  const before = machine()
  const notes = [
    ...(before.loadAverage > idleLoad
      ? [`the machine is not idle: load average ${before.loadAverage.toFixed(1)}; ratios hold better than figures`]
      : []),
    ...(typeof peers === 'string' ? [`CoreDNS, and what changes, are not measured: ${peers}`] : []),
    ...(generator.canTcp ? [] : ['TCP is not measured: dnsperf is not installed']),
  ]
  const programs = new Map<ServerName, Program>()
  const clusters: ClusterReport[] = []
  for (const size of sizes) {
    const own = cases ?? (size === sizes[0] ? caseNames : smallCases)
    clusters.push(await measureCluster(size, own))
  }
  const report: Report = {
    load: generator.name,
    rounds,
    seconds,
    machine: before,
    loadAverageAtEnd: loadavg()[0]!,
    programs: Array.from(programs.values(), ({ name, version }) => ({ name, title: serverTitles[name], version })),
    clusters,
    targets: targetsOf(clusters[0]!),
    notes: [...new Set(notes)],
  }
  process.stdout.write(reportText(report))
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(report, null, 2)}\n`)
  if (flags.svg !== undefined) await writeFile(flags.svg, chart(panelsOf(report), footOf(report)))

  async function measureCluster(size: Size, cases: readonly string[]): Promise<ClusterReport> {
    const { signal } = stop
    const entries = clusterOf(size)
    const records = zoneRecords(entries)
    const own = join(folder, String(size.services))
    await using stack = new AsyncDisposableStack()
    const objects = [...objectsOf(entries), ...followedObjects()]
    const cluster = stack.use(
      typeof peers === 'string'
        ? await manifestsCluster(objects, folder)
        : await apiCluster(peers, objects, signal, say),
    )
    const available = findPrograms({
      coredns: typeof peers === 'string' ? undefined : peers.coredns,
      sources: flags.sources,
      profiles: flags.profile,
      folder,
      zones: () => zonesOf(records),
    })
    notes.push(...available.notes)
    const wanted = available.programs.filter(({ name }) => only?.includes(name) ?? true)
    for (const program of wanted) programs.set(program.name, program)
    const site: Site = { folder: own, cluster: cluster.option, upstream, probes: probesOf(entries), signal }
    const plan: Plan = { entries, generator, rounds, seconds, folder: own, signal, say }

    const loads = loadCases.filter(({ name }) => cases.includes(name))
    const { results, memories } = await sideBySide()
    const changing = (Object.keys(liveCases) as LiveCase[]).filter(name => cases.includes(name))
    const live =
      cluster.live && changing.length > 0 ? await measureLive(plan, changing, wanted, site, cluster.live) : undefined
    const all = [...results, ...(live?.results ?? [])]
    notes.push(
      ...all.flatMap(({ server, case: which, codes }) =>
        failureCodes.filter(code => codes[code]).map(code => `${server} ${which}: ${codes[code]} ${code}`),
      ),
    )
    return {
      size,
      source: cluster.name,
      results: all,
      memory: memories,
      startups: live?.startups ?? [],
      programming: live?.programming ?? [],
    }

    async function sideBySide(): Promise<{ results: ClusterReport['results']; memories: ClusterReport['memory'] }> {
      const settles = cases.includes(memoryCase)
      if (loads.length === 0 && !settles) return { results: [], memories: [] }
      await using stack = new AsyncDisposableStack()
      const servers: RunningServer[] = []
      const mix = mixedQuestions(entries)
      const step = Math.max(1, Math.floor(mix.length / checkedQuestions))
      for (const program of wanted.filter(({ name }) => settles || loads.some(each => each.servers.includes(name)))) {
        say(`starting ${program.name}`)
        const server = stack.use(await startServer(program, site))
        servers.push(server)
        if (program.knows !== 'nothing')
          await checkAnswers(
            server,
            mix.filter((_, n) => n % step === 0),
            records,
          )
      }
      const settled = async () => {
        if (!settles) return []
        say(`memory is read in ${settle} s`)
        await sleep(settle * 1000, undefined, { signal })
        return servers.map(({ pid }) => memory(pid))
      }
      const before = await settled()
      const results = loads.length === 0 ? [] : await measureAll(plan, loads, servers)
      const after = await settled()
      const memories = before.map((afterStart, n) => ({
        server: servers[n]!.name,
        seconds: settle,
        afterStart,
        afterLoad: after[n]!,
      }))
      return { results, memories }
    }
  }
}

function footOf({ clusters, machine, rounds }: Report): string {
  const { services, endpoints } = clusters[0]!.size
  return `${grouped(services)} services of ${endpoints} endpoints; medians of ${rounds}; ${machine.cores} cores, ${machine.cpu}, ${machine.kernel}`
}

async function peersOrReason(): Promise<Peers | string> {
  return findPeers(say).catch(error => messageOf(error))
}

/** The names given with an option; undefined where none is. */
function chosen<T extends string>(option: 'only' | 'case', names: readonly T[]): readonly T[] | undefined {
  const wrong = flags[option].find(name => !names.some(known => known === name))
  if (wrong !== undefined) throw badUsage(`--${option} ${wrong}: must be one of ${names.join(' ')}`)
  return flags[option].length > 0 ? names.filter(name => flags[option].includes(name)) : undefined
}

/** The largest cluster first. */
function sizesOf(services: readonly string[]): Size[] {
  return services
    .map(text => whole('services', text, 60_000))
    .sort((a, b) => b - a)
    .map(services => ({ services, endpoints: integer('endpoints', 10, Math.floor(mostEndpoints / services)) }))
}

function integer(name: 'endpoints' | 'seconds' | 'rounds' | 'settle', usual: number, most: number): number {
  return whole(name, flags[name] ?? String(usual), most)
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw badUsage(`--${name} must be a whole number from 1 to ${most}, got "${text}"`)
}

function badUsage(message: string): PortolanError {
  return new PortolanError('PORTOLAN_BENCH_USAGE', message)
}
