/** The servers that are measured: each on a port of its own, ready when it answers from the whole cluster. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ipaddr from 'ipaddr.js'
import { PortolanError } from '../../src/errors.ts'
import { Asker } from '../e2e/asker.ts'
import { freePort, startBackground } from '../e2e/background.ts'
import { decode, type Message, queryBytes, type TypeName, types } from '../e2e/message.ts'
import type { Probe } from './data.ts'
import type { Program, ServerName } from './programs.ts'
import type { ZoneRecords } from './zone.ts'

const readyMs = 120_000
const probeMs = 30
const answerMs = 1000
const [noError, nxDomain] = [0, 3]

export interface Site {
  /** For logs and configurations. */
  readonly folder: string
  /** The option of the `kubernetes` block that names the cluster. */
  readonly cluster: string
  /** Port on 127.0.0.1 of what names outside the cluster are forwarded to. */
  readonly upstream: number
  readonly probes: readonly Probe[]
  readonly signal: AbortSignal
  /** Whether `cache` keeps names of the cluster too, which kubeadm's Corefile forbids. */
  readonly cacheAll?: boolean
}

export interface RunningServer extends AsyncDisposable {
  readonly name: ServerName
  readonly port: number
  readonly pid: number
  /** Where one with a Corefile tells its metrics. */
  readonly metricsPort: number
  /** From the start of the process to the first right answers, in seconds. */
  readonly readySeconds: number
}

/** Starts a server; resolves when its answers to the probes are right. Disposing ends it. */
export async function startServer(program: Program, site: Site): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack()
  const { name, knows } = program
  const [port, metricsPort] = [await freePort(), await freePort()]
  const folder = join(site.folder, name)
  await mkdir(folder, { recursive: true })
  const conf = join(folder, 'Corefile')
  if (knows === 'corefile') await writeFile(conf, await corefile(port, metricsPort, site))
  const command = await program.command({ port, folder, corefile: conf })
  const asker = stack.use(await Asker.open(port))
  const start = performance.now()
  const background = stack.use(startBackground(command.program, command.args, join(folder, 'log')))
  await background.until(async () => {
    site.signal.throwIfAborted()
    for (const probe of site.probes) if (!(await isAnswered(asker, probe, knows === 'nothing'))) return false
    return true
  }, readyMs)
  const readySeconds = (performance.now() - start) / 1000
  const running = stack.move()
  return {
    name,
    port,
    metricsPort,
    pid: background.pid!,
    readySeconds,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** kubeadm's, on loopback alone, and without a lameduck, which would put off the end. */
async function corefile(port: number, metricsPort: number, { cluster, upstream, cacheAll }: Site): Promise<string> {
  const cache = cacheAll
    ? 'cache 30'
    : `cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }`
  return `.:${port} {
    bind 127.0.0.1
    errors
    health 127.0.0.1:${await freePort()}
    ready 127.0.0.1:${await freePort()}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ${cluster}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:${metricsPort}
    forward . 127.0.0.1:${upstream} {
        max_concurrent 1000
    }
    ${cache}
    loop
    reload
    loadbalance
}
`
}

/** Whether the answer is right; `any` answer is from one that knows no names. */
async function isAnswered(asker: Asker, { name, addresses }: Probe, any: boolean): Promise<boolean> {
  const message = await ask(asker, name, 'A', probeMs)
  if (typeof message === 'string') return false
  return any || dataOf(message, 'A').join() === addresses.toSorted().join()
}

/**
 * Asks a server questions of the mix and compares its answers with the records of the cluster; rejects with the first that differs.
 * What has no records there has to be NXDOMAIN.
 */
export async function checkAnswers(
  server: RunningServer,
  questions: readonly string[],
  records: ZoneRecords,
): Promise<void> {
  using asker = await Asker.open(server.port)
  for (const question of questions) {
    const [name, type] = question.split(' ') as [string, TypeName]
    const own = records.get(name)
    // What an external name leads to is not in the cluster.
    if (own?.some(([, data]) => data.endsWith('.example.com.'))) continue
    const expected = (own ?? []).filter(([each]) => each === type).map(([, data]) => data)
    const code = own === undefined ? nxDomain : noError
    const message = await ask(asker, name, type, answerMs)
    const found = typeof message === 'string' ? message : `${message.rcode} ${dataOf(message, type).join(', ')}`
    const right = `${code} ${expected.toSorted().join(', ')}`
    if (found !== right)
      throw new PortolanError('PORTOLAN_BENCH_ANSWER', `${server.name} ${question}: ${found}; right is ${right}`)
  }
}

async function ask(asker: Asker, name: string, type: TypeName, waitMs: number): Promise<Message | string> {
  const packet = queryBytes(name, types[type], { edns: { size: 65_535 } })
  const reply = await asker.ask(packet, { transport: 'udp', waitMs })
  return typeof reply === 'string' ? reply : decode(reply)
}

/** Of the answers of this type, sorted. */
function dataOf({ sections }: Message, type: TypeName): string[] {
  const records = sections.answer.filter(record => record.type === types[type])
  return records
    .map(({ data }) => (type === 'AAAA' ? ipaddr.fromByteArray([...Buffer.from(data, 'hex')]).toString() : data))
    .sort()
}
