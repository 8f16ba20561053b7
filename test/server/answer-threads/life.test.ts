/** The life of answer threads under load: they fail, more and fewer are wanted, ports close, the control thread is busy. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { type Clock, systemClock } from '../../../src/observe/clock.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { BatchEngine } from '../../../src/server/answer-threads/batch-engine.ts'
import { echo, question, recordingLog } from '../../contract/listener.ts'
import { testClock } from '../../helpers/clock.ts'
import { load } from '../../helpers/load.ts'
import { connect } from '../../helpers/udp-client.ts'

const entry = new URL('./echoing-thread.ts', import.meta.url)

/** An engine with one listener. Its threads echo; what they pass on is echoed by `respond`. */
async function running(t: Test, threads: number, clock: Clock = systemClock) {
  const { log, lines } = recordingLog()
  const registry = metrics()
  const options = { clock, log, metrics: registry, table: undefined, entry }
  const engine = await BatchEngine.start(threads, options)
  const listener = engine.listener({ address: '127.0.0.1', port: 0, clock: systemClock, log }, 0)
  await listener.listen(echo)
  t.teardown(async () => {
    await listener.close(0)
    await engine.stop()
  })
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await registry.exposition())?.[1])
  return { engine, listener, lines, metric }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 2))
}

/** Answered by the threads, and passed on by them. */
const hit = question(0)
const miss = question(0, 0)

t.test('a thread that fails in mid-batch is started anew; the rest goes on', async t => {
  const { listener, lines, metric } = await running(t, 2)
  const client = await connect(listener.port)
  t.teardown(() => client.close())
  const fail = async () => {
    const before = await metric('portolan_answer_thread_restarts_total')
    client.send(question(0xdead))
    await until(async () => (await metric('portolan_answer_thread_restarts_total')) > before)
  }
  await fail()
  client.send(question(2), question(3))
  t.strictSame([(await client.receive())[1], (await client.receive())[1]], [2, 3])
  t.match(lines, [/^\[WARNING\] udp: 1 answer thread could not be kept running, the last: a thread of a test failed/])
  await fail()
  t.equal(lines.length, 1, 'it is told once')
  client.send(question(4))
  t.equal((await client.receive())[1], 4, 'and again')
  const clients = await load({ port: listener.port, packets: [hit], clients: 8, patienceMs: 300 })
  await until(() => clients.answered() > 200)
  client.send(question(0xdead))
  const seen = clients.answered()
  await until(() => clients.answered() > seen + 1000)
  const { sent, answered, strange } = await clients.stop()
  t.equal(strange, 0)
  t.ok(sent - answered <= 64, 'a batch at most is lost')
})

t.test('while one that failed is not back the others serve its sockets', async t => {
  const clock = testClock()
  const { engine, listener, metric } = await running(t, 2, clock)
  const clients = await Promise.all(Array.from({ length: 16 }, () => connect(listener.port)))
  t.teardown(() => {
    for (const client of clients) client.close()
  })
  const threads = (count: number) => until(async () => (await metric('portolan_answer_threads')) === count)
  const allAreAnswered = async (id: number) => {
    for (const client of clients) client.send(question(id))
    for (const client of clients) t.equal((await client.receive())[1], id)
  }
  clients[0]!.send(question(0xdead))
  await threads(1)
  await allAreAnswered(1)
  clients[0]!.send(question(0xdead))
  await threads(0)
  await engine.resize(3)
  t.equal(await metric('portolan_answer_threads'), 1)
  await allAreAnswered(2)
  clock.advance(60_000)
  await threads(3)
  await allAreAnswered(3)
  clients[0]!.send(question(0xdead))
  await threads(2)
  await allAreAnswered(4)
})

t.test('more threads, and fewer: no query is lost', async t => {
  const { engine, listener, metric } = await running(t, 1)
  const clients = await load({ port: listener.port, packets: [hit, miss], clients: 16, inFlight: 4 })
  for (const threads of [3, 2, 4, 1, 2]) {
    const seen = clients.answered()
    await until(() => clients.answered() > seen + 300)
    await engine.resize(threads)
    t.equal(await metric('portolan_answer_threads'), threads)
    t.match(engine.description, `batch, ${threads} answer thread`)
  }
  const { sent, answered, strange, failed } = await clients.stop()
  t.equal(answered, sent)
  t.strictSame([strange, failed], [0, 0])
})

t.test('a port that closes answers everything that had arrived', async t => {
  for (const bits of [0x0100, 0]) {
    const { listener } = await running(t, 2)
    const socket = createSocket('udp4')
    socket.connect(listener.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setRecvBufferSize(4 << 20)
    let replies = 0
    socket.on('message', () => void replies++)
    const sent = Array.from(
      { length: 1500 },
      (_, i) => new Promise<void>(resolve => socket.send(question(i & 0xff, bits), () => resolve())),
    )
    await Promise.all(sent)
    await listener.close(5000)
    await until(() => replies === 1500)
    t.equal(replies, 1500)
    socket.close()
  }
})

t.test('while the control thread is busy, answers go on', async t => {
  const { listener, metric } = await running(t, 2)
  const clients = await Promise.all(
    [hit, miss].map(packet => load({ port: listener.port, packets: [packet], clients: 2, inFlight: 1 })),
  )
  const answered = () => clients.map(client => client.answered())
  await until(() => answered().every(count => count > 20))
  const before = answered()
  const end = performance.now() + 1000
  while (performance.now() < end) Math.sqrt(end)
  const [hits, misses] = answered().map((count, i) => count - before[i]!)
  t.ok(hits! > 200, `${hits} answers meanwhile`)
  t.ok(misses! < 50, 'what is passed on must wait')
  for (const { sent, answered, strange } of await Promise.all(clients.map(client => client.stop()))) {
    t.strictSame([answered, strange], [sent, 0], 'but is answered')
  }
  t.ok((await metric('portolan_udp_misses_total')) > 20)
  t.equal(await metric('portolan_udp_ring_full_total'), 0)
})
