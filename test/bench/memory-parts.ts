/** What the memory of portolan consists of, as far as it can be told from outside: by leaving things away, and from its metrics. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PortolanError } from '../../src/errors.ts'
import { Asker } from '../e2e/asker.ts'
import { freePort, startBackground } from '../e2e/background.ts'
import { queryBytes, types } from '../e2e/message.ts'
import { memory } from './process.ts'
import type { Program } from './programs.ts'
import type { RunningServer, Site } from './servers.ts'

const settleMs = 3000
const readyMs = 20_000
const octetsPerMb = 2 ** 20

/** In MiB. */
export interface MemoryParts {
  /** Of the process that serves no zone, on Node's own sockets. */
  readonly base: number
  /** What answer threads add to it. */
  readonly threads: number
  /** The answer table of the cluster, with what it keeps free. */
  readonly table: number
  /** The rest: the objects of the cluster, the API client, and what the heap has not given back. */
  readonly rest: number
}

/** Starts both programs a moment with nothing to serve, and takes that from the memory of the running server. */
export async function memoryParts(
  batch: Program,
  dgram: Program,
  { metricsPort, pid }: RunningServer,
  site: Site,
): Promise<MemoryParts> {
  const [base, withThreads] = [await emptyMb(dgram, site), await emptyMb(batch, site)]
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const octets = /^portolan_answer_table_bytes(?:\{.*\})? (\S+)$/m.exec(metrics)?.[1]
  if (octets === undefined)
    throw new PortolanError('PORTOLAN_BENCH_METRICS', `${batch.name} does not tell portolan_answer_table_bytes`)
  const [threads, table] = [withThreads - base, Number(octets) / octetsPerMb]
  return { base, threads, table, rest: memory(pid).residentMb - base - threads - table }
}

async function emptyMb(program: Program, site: Site): Promise<number> {
  const port = await freePort()
  const folder = join(site.folder, `${program.name}-empty`)
  await mkdir(folder, { recursive: true })
  const corefile = join(folder, 'Corefile')
  await writeFile(corefile, `.:${port} {\n    bind 127.0.0.1\n    whoami\n}\n`)
  const { program: path, args } = await program.command({ port, folder, corefile })
  using asker = await Asker.open(port)
  await using background = startBackground(path, args, join(folder, 'log'))
  const packet = queryBytes('empty.test', types.A)
  await background.until(
    async () => typeof (await asker.ask(packet, { transport: 'udp', waitMs: 100 })) !== 'string',
    readyMs,
  )
  await sleep(settleMs, undefined, { signal: site.signal })
  return memory(background.pid!).residentMb
}
