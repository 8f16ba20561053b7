/**
 * Measures portolan beside CoreDNS, a server of zone files, and the least that C and Node can do, in one run on one machine: CPU per
 * query, throughput, latency, memory, and how soon it is ready and follows a change. Run by `npm run bench`; `--help` tells the options.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageOf, PortolanError } from '../../src/errors.ts'
import { freePort, startBackground } from '../e2e/background.ts'
import { findPeers, type Peers } from '../e2e/peers.ts'
import { caseNames } from './cases.ts'
import { chart } from './chart.ts'
import { ownClient } from './client.ts'
import type { Size } from './data.ts'
import { dnsperf } from './dnsperf.ts'
import { machine } from './machine.ts'
import { type MeasuredCluster, measureCluster } from './measure-cluster.ts'
import { panelsOf } from './panels.ts'
import { type ServerName, serverNames, serverTitles } from './programs.ts'
import { grouped, type Report, reportText } from './report.ts'
import { targetsOf } from './targets.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Of all services: their addresses are from a range that large. */
const mostEndpoints = 1_000_000
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
  const { sources, profile: profiles } = flags
  const measured: MeasuredCluster[] = []
  for (const size of sizes) {
    const plan = {
      generator,
      rounds,
      seconds,
      settle,
      folder,
      upstream,
      only,
      sources,
      profiles,
      say,
      signal: stop.signal,
    }
    const own = cases ?? (size === sizes[0] ? caseNames : smallCases)
    measured.push(
      await measureCluster(size, { ...plan, cases: own, peers: typeof peers === 'string' ? undefined : peers }),
    )
  }
  const programs = new Map(measured.flatMap(each => each.programs.map(program => [program.name, program])))
  const clusters = measured.map(({ report }) => report)
  const notes = [
    ...(before.loadAverage > idleLoad
      ? [`the machine is not idle: load average ${before.loadAverage.toFixed(1)}; ratios hold better than figures`]
      : []),
    ...(typeof peers === 'string' ? [`CoreDNS, and what changes, are not measured: ${peers}`] : []),
    ...(generator.canTcp ? [] : ['TCP is not measured: dnsperf is not installed']),
    ...new Set(measured.flatMap(each => each.notes)),
  ]
  const report: Report = {
    load: generator.name,
    rounds,
    seconds,
    machine: before,
    loadAverageAtEnd: loadavg()[0]!,
    programs: Array.from(programs.values(), ({ name, version }) => ({ name, title: serverTitles[name], version })),
    clusters,
    targets: targetsOf(clusters[0]!),
    notes,
  }
  process.stdout.write(reportText(report))
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(report, null, 2)}\n`)
  if (flags.svg !== undefined) await writeFile(flags.svg, chart(panelsOf(report), footOf(report)))
}

function footOf({ clusters, machine, rounds }: Report): string {
  const { services, endpoints } = clusters[0]!.size
  return `${grouped(services)} services of ${endpoints} endpoints; medians of ${rounds}; ${machine.cores} cores, ${machine.cpu}, ${machine.kernel}`
}

async function peersOrReason(): Promise<Peers | string> {
  return findPeers(['coredns', 'etcd', 'apiserver'], say).catch(error => messageOf(error))
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
