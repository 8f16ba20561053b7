/**
 * Measures portolan beside the least that Node can do and beside CoreDNS, in one run on one machine: CPU per query, throughput,
 * latency, memory, and the time to the first right answer. Run by `npm run bench`; `--help` tells the options.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageOf, PortolanError } from '../../src/errors.ts'
import { findPeers, type Peers } from '../oracle/peers.ts'
import { startUpstream } from '../oracle/upstream.ts'
import { ownClient } from './client.ts'
import { apiCluster, manifestsCluster } from './cluster.ts'
import { type Case, cases, dataSet } from './data.ts'
import { dnsperf } from './dnsperf.ts'
import { machine } from './machine.ts'
import { measureAll } from './measure.ts'
import { residentMb } from './process.ts'
import { type Report, reportText, type Startup } from './report.ts'
import { availableServers, type RunningServer, type ServerName, serverNames, startServer } from './servers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Of all services: their addresses are from a range that large. */
const mostEndpoints = 1_000_000
/** Codes that no question of the data set should get. */
const failureCodes = ['SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP']

const usage = `usage: npm run bench -- [options]
  --services N   services of the cluster (default 1000)
  --endpoints N  endpoints of each (default 10)
  --seconds N    how long each load lasts (default 3)
  --rounds N     how often all is measured; medians are told (default 5)
  --only NAME    only this server or case (may be given more than once): ${[...serverNames, ...cases].join(' ')}
  --dist         builds dist/ first; without it dist/ is measured as it is, if it is there
  --manifests    reads the cluster from a file, as without kube-apiserver; CoreDNS is left out
  --profile DIR  has portolan write CPU profiles into this folder, which makes it slower
  --json FILE    writes all figures into a file
`

const { values: flags } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    endpoints: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
    dist: { type: 'boolean', default: false },
    manifests: { type: 'boolean', default: false },
    profile: { type: 'string' },
    json: { type: 'string' },
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
  const services = integer('services', 60_000)
  const size = { services, endpoints: integer('endpoints', Math.floor(mostEndpoints / services)) }
  const [seconds, rounds] = [integer('seconds', 600), integer('rounds', 100)]
  const wanted = { servers: chosen(serverNames), cases: chosen(cases) }
  const { signal } = stop
  if (flags.dist) execFileSync(process.execPath, ['build.ts'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })

  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'portolan-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const generator = dnsperf() ?? ownClient
  const { objects, questions, probes } = dataSet(size)
  const files = await writeQuestions(questions, folder)

  const peers = flags.manifests ? 'asked not to' : await peersOrReason()
  const cluster = stack.use(
    typeof peers === 'string' ? await manifestsCluster(objects, folder) : await apiCluster(peers, objects, signal, say),
  )
  const upstream = stack.use(await startUpstream())
  const coredns = typeof peers === 'string' ? undefined : peers.coredns
  const site = {
    coredns,
    folder,
    cluster: cluster.option,
    upstream: upstream.port,
    probes,
    profiles: flags.profile,
    signal,
  }
  const before = machine()
  const servers: RunningServer[] = []
  const startups: Startup[] = []
  for (const name of availableServers(coredns).filter(server => wanted.servers.includes(server))) {
    say(`starting ${name}`)
    const server = stack.use(await startServer(name, site))
    servers.push(server)
    startups.push({ server: name, readySeconds: server.readySeconds, residentMb: residentMb(server.pid) })
  }
  const results = await measureAll({ servers, cases: wanted.cases, files, generator, rounds, seconds, signal, say })
  const failures = results.flatMap(({ server, case: which, codes }) =>
    failureCodes.filter(code => codes[code] !== undefined).map(code => `${server} ${which}: ${codes[code]} ${code}`),
  )
  const report: Report = {
    size,
    source: cluster.name,
    load: generator.name,
    rounds,
    seconds,
    machine: before,
    loadAverageAtEnd: loadavg()[0]!,
    startups,
    results,
    notes: [...(typeof peers === 'string' ? [`CoreDNS is not measured: ${peers}`] : []), ...failures],
  }
  process.stdout.write(reportText(report))
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(report, null, 2)}\n`)
}

async function peersOrReason(): Promise<Peers | string> {
  return findPeers(say).catch(error => messageOf(error))
}

async function writeQuestions(questions: Readonly<Record<Case, readonly string[]>>, folder: string) {
  const files = { a: join(folder, 'a.txt'), mix: join(folder, 'mix.txt'), nx: join(folder, 'nx.txt') }
  for (const name of cases) await writeFile(files[name], `${questions[name].join('\n')}\n`)
  return files
}

/** The names given with --only that are of this kind; all of the kind where none is. */
function chosen<T extends ServerName | Case>(names: readonly T[]): readonly T[] {
  const known: readonly string[] = [...serverNames, ...cases]
  const wrong = flags.only.find(name => !known.includes(name))
  if (wrong !== undefined) throw badUsage(`--only ${wrong}: must be one of ${known.join(' ')}`)
  const given = names.filter(name => flags.only.includes(name))
  return given.length > 0 ? given : names
}

function integer(name: 'services' | 'endpoints' | 'seconds' | 'rounds', most: number): number {
  const value = Number(flags[name])
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw badUsage(`--${name} must be a whole number from 1 to ${most}, got "${flags[name]}"`)
}

function badUsage(message: string): PortolanError {
  return new PortolanError('PORTOLAN_BENCH_USAGE', message)
}
