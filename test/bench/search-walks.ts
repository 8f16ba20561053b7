/**
 * Measures what walking a client's search list costs (`autopath`), beside the same answers to those who ask for the right name at once.
 * Run by `npm run bench:autopath`, in half a minute; needs dnsperf. A walk may cost twice the answer without the answer table.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Asker } from '../e2e/asker.ts'
import { exitOnSignals, freePort, startBackground } from '../e2e/background.ts'
import { decode, queryBytes, types } from '../e2e/message.ts'
import { sources } from '../e2e/program.ts'
import { dnsperf } from './dnsperf.ts'
import type { Generator } from './load.ts'
import { cpuSeconds } from './process.ts'
import { median } from './statistics.ts'

const POD = '127.10.0.1'
const NAMES = 500
const ROUNDS = 5
const SECONDS = 1
const MOST = 2

/** `path` is what a program has; the client puts its first domain behind. */
const walks = {
  'a service of another namespace': { name: (n: number) => `svc-${n}.data`, found: '.svc.cluster.local' },
  'a name of an upstream, kept': { name: (n: number) => `n${n}.example.com`, found: '' },
}

exitOnSignals()
process.exit(await main())

async function main(): Promise<number> {
  const generator = dnsperf()
  if (generator === undefined) {
    process.stdout.write('dnsperf is not installed\n')
    return 0
  }
  const folder = await mkdtemp(join(tmpdir(), 'portolan-walks-'))
  try {
    return await measure(generator, folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(generator: Generator, folder: string): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const upstream = await freePort()
  stack.use(
    startBackground(
      process.execPath,
      [join(import.meta.dirname, 'upstream.ts'), `${upstream}`],
      join(folder, 'upstream'),
    ),
  )
  await writeFile(join(folder, 'manifests.json'), JSON.stringify(manifests()))
  const start = async (label: string, ...args: string[]) => {
    const port = await freePort()
    const conf = join(folder, `${label}.Corefile`)
    await writeFile(conf, corefile(port, upstream, join(folder, 'manifests.json')))
    const server = stack.use(startBackground(process.execPath, [sources, '-conf', conf, ...args], join(folder, label)))
    await server.until(() => isReady(port), 20_000)
    return { port, pid: server.pid! }
  }
  const [table, chain] = [await start('table'), await start('chain', '-no-answer-table')]
  let failed = false
  for (const [what, { name, found }] of Object.entries(walks)) {
    const files = { walk: join(folder, 'walk'), direct: join(folder, 'direct') }
    const lines = (suffix: string) => Array.from({ length: NAMES }, (_, n) => `${name(n)}${suffix} A\n`).join('')
    await writeFile(files.walk, lines('.shop.svc.cluster.local'))
    await writeFile(files.direct, lines(found))
    const costs = {
      walk: [] as number[],
      walkChain: [] as number[],
      directChain: [] as number[],
      direct: [] as number[],
    }
    // The first round fills caches and warms the code.
    for (let round = 0; round <= ROUNDS; round++) {
      const figures = {
        walk: await cost(generator, table, files.walk),
        walkChain: await cost(generator, chain, files.walk),
        directChain: await cost(generator, chain, files.direct),
        direct: await cost(generator, table, files.direct),
      }
      if (round > 0) for (const key of Object.keys(costs) as (keyof typeof costs)[]) costs[key].push(figures[key])
    }
    const us = (figures: readonly number[]) => median(figures)!
    const ratio = us(costs.walk) / us(costs.directChain)
    failed ||= ratio > MOST
    process.stdout.write(`${what}, microseconds of CPU a query
  walked by the server                          ${us(costs.walk).toFixed(1)}
  the same with -no-answer-table                ${us(costs.walkChain).toFixed(1)}
  asked for at once, with -no-answer-table      ${us(costs.directChain).toFixed(1)}
  asked for at once, from the answer table      ${us(costs.direct).toFixed(1)}
  a walk is ${ratio.toFixed(2)} answers without the table: ${ratio > MOST ? 'more than' : 'at most'} ${MOST}
`)
  }
  return failed ? 1 : 0
}

/** Microseconds of CPU for each query that was answered. */
async function cost(
  generator: Generator,
  { port, pid }: { port: number; pid: number },
  questions: string,
): Promise<number> {
  const before = cpuSeconds(pid)
  const { answered, codes } = await generator.run({
    port,
    questions,
    seconds: SECONDS,
    from: POD,
    signal: new AbortController().signal,
  })
  if (codes['NOERROR'] !== answered) throw new Error(`not all were found: ${JSON.stringify(codes)}`)
  return ((cpuSeconds(pid) - before) / answered) * 1e6
}

async function isReady(port: number): Promise<boolean> {
  using asker = await Asker.open(port, POD)
  const reply = await asker.ask(queryBytes('svc-0.data.shop.svc.cluster.local', types.A), {
    transport: 'udp',
    waitMs: 500,
  })
  const message = typeof reply === 'string' ? reply : decode(reply)
  return typeof message !== 'string' && message.sections.answer.length === 2
}

function corefile(port: number, upstream: number, manifests: string): string {
  return `.:${port} {
    bind 127.0.0.1
    errors
    autopath @kubernetes
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        manifests ${manifests}
        pods verified
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:0
    forward . 127.0.0.1:${upstream}
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    loadbalance
}
`
}

function manifests(): unknown {
  const services = Array.from({ length: NAMES }, (_, n) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'data', name: `svc-${n}` },
    spec: { clusterIP: `10.96.${n >> 8}.${n & 255}`, ports: [{ port: 80 }] },
  }))
  const client = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'client' },
    spec: { containers: [{ name: 'main', image: 'none' }] },
    status: { phase: 'Running', podIPs: [{ ip: POD }] },
  }
  return { apiVersion: 'v1', kind: 'List', items: [...services, client] }
}
