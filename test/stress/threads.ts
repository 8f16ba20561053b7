/**
 * `npm run stress:threads`: the batch engine started and stopped 1,000 times, then threads that fail, come and go under load for a
 * minute. Descriptors, threads and memory must be where they were; no query may be lost but for those of the batches that failed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '../../src/observe/clock.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { BatchEngine } from '../../src/server/answer-threads/batch-engine.ts'
import { echo, question } from '../contract/listener.ts'
import { load } from '../helpers/load.ts'
import { connect } from '../helpers/udp-client.ts'

const TIMES = Number(process.argv[2] ?? 1000)
const SECONDS = Number(process.argv[3] ?? 60)

/** Memory that may be more at the end, in MiB: what the allocator and the compiler keep for themselves. */
const LEEWAY = 24

/** What koffi keeps of each thread that loaded it, whatever was done with it (measured: 45 KiB). */
const KEPT = 64 / 1024

/** A batch, and what else of it may wait: the most queries that a failing thread takes with it. */
const BATCH = 64

/** Rounds after which memory is looked at. */
const WARM_UP = 5

/** Longer than a thread that fails again and again is left off: what waits in its socket meanwhile is answered late. */
const PATIENCE_MS = 8_000

const entry = new URL('../server/answer-threads/echoing-thread.ts', import.meta.url)
const log = logger({ format: 'text', write: () => undefined })
const say = (text: string) => process.stdout.write(`${text}\n`)

function resident(): number {
  const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kibibytes) / 1024
}

function left() {
  gc?.()
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    tasks: readdirSync('/proc/self/task').length,
    resident: Math.round(resident()),
  }
}

function demand(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`failed: ${what}`)
}

async function started(threads: number) {
  const engine = await BatchEngine.start(threads, {
    clock: systemClock,
    log,
    metrics: metrics(),
    table: undefined,
    entry,
  })
  const listener = engine.listener({ address: '127.0.0.1', port: 0, clock: systemClock, log }, 0)
  await listener.listen(echo)
  return {
    engine,
    port: listener.port,
    async stop() {
      await listener.close(5_000)
      await engine.stop()
    },
  }
}

async function startAndStop(): Promise<void> {
  const once = async () => (await started(1)).stop()
  for (let i = 0; i < 50; i++) await once()
  const before = left()
  for (let i = 0; i < TIMES; i++) await once()
  const after = left()
  say(`${TIMES} times: ${JSON.stringify(before)} became ${JSON.stringify(after)}`)
  demand(after.descriptors === before.descriptors && after.tasks === before.tasks, 'nothing is left open')
  demand(after.resident <= before.resident + LEEWAY + TIMES * KEPT, 'memory is given back')
}

async function failAndChange(): Promise<void> {
  const { engine, port, stop } = await started(4)
  let before = left()
  const client = await connect(port)
  const end = performance.now() + SECONDS * 1000
  let failures = 0
  let lost = 0
  let answered = 0
  while (performance.now() < end) {
    // Each time anew, as a client's lost queries are never asked again.
    const clients = await load({ port, packets: [question(0), question(0, 0)], clients: 16, patienceMs: PATIENCE_MS })
    await new Promise(resolve => setTimeout(resolve, 400))
    const fails = failures % 2 === 0
    if (fails) client.send(question(0xdead))
    await engine.resize(1 + (failures % 5))
    await new Promise(resolve => setTimeout(resolve, 100))
    const result = await clients.stop()
    demand(result.strange === 0, 'no foreign, empty or doubled reply')
    demand(
      result.sent - result.answered <= (fails ? BATCH : 0),
      'no more is lost than the batch of a thread that fails',
    )
    lost += result.sent - result.answered
    answered += result.answered
    failures++
    // The first rounds bring the compiler's and the allocator's share.
    if (failures === WARM_UP) before = left()
  }
  client.close()
  say(
    `${SECONDS} s: ${answered} answered, ${lost} lost to ${Math.ceil(failures / 2)} failures; ${JSON.stringify(left())}`,
  )
  demand(failures > WARM_UP && left().resident <= before.resident + LEEWAY, 'memory stays bounded')
  await stop()
}

await startAndStop()
await failAndChange()
say('all is well')
