/** Which way UDP goes, and what a server with each of them does: hits, misses, reloads and the end. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { httpHub } from '../../src/net/http-hub.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { plugins } from '../../src/plugins/index.ts'
import { PublishedTable } from '../../src/server/published-table.ts'
import { RECEIVE_BUFFER, receiveBufferText } from '../../src/server/receive-buffer.ts'
import { Server, type ServerOptions } from '../../src/server/server.ts'
import { udpEngine, usualSockets } from '../../src/server/udp-engine.ts'
import { recordingLog } from '../contract/listener.ts'
import { load } from '../helpers/load.ts'
import { answerText, questionPacket } from '../helpers/serve.ts'

/** A service, whose names stand in the answer table. */
const MANIFEST = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}
`

/** Names outside of the cluster are for `whoami`. */
const corefile = (more = '', ttl = 5) =>
  `.:0 {\n bind 127.0.0.1\n ${more}\n kubernetes cluster.local {\n  manifests cluster\n  ttl ${ttl}\n }\n whoami\n}\n`

const hit = questionPacket('web.default.svc.cluster.local A')
const miss = questionPacket('b.test A')
const address = (ttl = 5) => `web.default.svc.cluster.local. ${ttl} IN A 10.96.0.7`

async function serving(t: Test, options: Partial<ServerOptions> = {}, text = corefile()) {
  const path = join(t.testdir({ Corefile: text, cluster: { 'web.yaml': MANIFEST } }), 'Corefile')
  const { log, lines } = recordingLog()
  const registry = metrics()
  const server = new Server({
    corefile: path,
    env: {},
    port: 0,
    plugins,
    clock: systemClock,
    random: Math.random,
    log,
    metrics: registry,
    http: httpHub(),
    fail: reason => t.fail(reason.message),
    ...options,
  })
  await server.start()
  t.teardown(() => server.stop())
  const port = server.listeners[0]!.port
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await registry.exposition())?.[1])
  return { server, lines, port, metric, write: (text: string) => writeFileSync(path, text) }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 2))
}

async function ask(port: number, packet: Buffer): Promise<string> {
  const socket = createSocket('udp4')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.send(packet)
  const [reply] = (await once(socket, 'message')) as [Buffer]
  socket.close()
  return answerText(reply)
}

const surroundings = () => {
  const { log, lines } = recordingLog()
  return { clock: systemClock, log, lines, metrics: metrics(), table: undefined }
}

t.test('without threads, auto takes dgram and says why; batch is an error', async t => {
  const { lines, ...options } = { ...surroundings(), entry: new URL('./no-such-thread.ts', import.meta.url) }
  const reason = /an answer thread does not start: .*no-such-thread\.ts/
  await t.rejects(udpEngine('batch', 1, options), { code: 'PORTOLAN_UDP_ENGINE', message: reason })
  const table = new PublishedTable(options.metrics, systemClock)
  t.teardown(() => table.stop())
  const engine = await udpEngine('auto', 1, { ...options, table })
  t.equal(engine.description, 'dgram')
  t.equal(lines.length, 1)
  t.match(lines[0], /^\[INFO\] udp: there are no answer threads, Node's own sockets are used: /)
  t.match(lines[0], reason)
})

t.test('what is chosen is taken, and auto without a table is dgram', async t => {
  const { lines, ...options } = surroundings()
  for (const [choice, description] of [
    ['batch', 'batch, 1 answer thread'],
    ['dgram', 'dgram'],
    ['auto', 'dgram'],
  ] as const) {
    const engine = await udpEngine(choice, 1, options)
    t.equal(engine.description, description)
    await engine.stop()
  }
  t.strictSame(lines, [])
})

t.test('the line about the receive buffer', async t => {
  const told = process.platform === 'linux' ? 2 : 1
  t.equal(receiveBufferText(RECEIVE_BUFFER * told), 'receive buffer 4096 KiB')
  const small = receiveBufferText(212_992 * told)
  t.match(small, /^receive buffer 208 KiB of 4096 KiB/)
  if (told === 2) t.match(small, /: sysctl -w net\.core\.rmem_max=4194304 allows the rest$/)
})

t.test('with and without a table, both engines answer alike', async t => {
  for (const udpEngine of ['batch', 'dgram'] as const) {
    for (const answerTable of [true, false]) {
      const { port, lines, metric } = await serving(t, { udpEngine, answerTable })
      t.equal(await ask(port, hit), address())
      t.match(await ask(port, miss), 'NODATA')
      const threads = usualSockets()
      const description = udpEngine === 'dgram' ? 'dgram' : `batch, ${threads} answer thread`
      t.match(lines, [`[INFO] udp: ${description}`])
      if (udpEngine === 'batch') t.equal(await metric('portolan_udp_misses_total'), answerTable ? 1 : 2)
    }
  }
})

t.test('while the control thread is busy, what stands in the table is answered', async t => {
  const { port } = await serving(t, { udpEngine: 'batch' })
  const clients = await load({ port, packets: [hit], clients: 2, inFlight: 2 })
  await until(() => clients.answered() > 20)
  const before = clients.answered()
  const end = performance.now() + 500
  while (performance.now() < end) Math.sqrt(end)
  t.ok(clients.answered() - before > 100)
  const { sent, answered, strange } = await clients.stop()
  t.strictSame([answered, strange], [sent, 0])
})

t.test('reloads under load, with other answers and numbers of sockets: nothing is lost', async t => {
  const { server, port, write, lines, metric } = await serving(t, { udpEngine: 'batch' }, corefile('multisocket 1'))
  const { listeners } = server
  const clients = await load({ port, packets: [hit, miss], clients: 8, inFlight: 4 })
  for (const [i, sockets] of [3, 1, 4, 2].entries()) {
    const seen = clients.answered()
    await until(() => clients.answered() > seen + 200)
    write(corefile(`multisocket ${sockets}`, 10 + i))
    t.equal(await server.reload(), true)
    t.equal(await ask(port, hit), address(10 + i))
    t.equal(await metric('portolan_answer_threads'), sockets)
  }
  write('bad {')
  t.equal(await server.reload(), false)
  t.equal(await metric('portolan_answer_threads'), 2)
  const { sent, answered, strange } = await clients.stop()
  t.strictSame([answered, strange], [sent, 0])
  t.strictSame(server.listeners, listeners)
  t.equal(lines.filter(line => line.includes('Reloading complete')).length, 4)
})

t.test('the end: every query that had arrived is answered', async t => {
  for (const udpEngine of ['batch', 'dgram'] as const) {
    const { server, port } = await serving(t, { udpEngine })
    const socket = createSocket('udp4')
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setRecvBufferSize(4 << 20)
    let replies = 0
    socket.on('message', () => void replies++)
    const send = (packet: Buffer) => new Promise<void>(resolve => socket.send(packet, () => resolve()))
    await Promise.all(Array.from({ length: 1000 }, (_, i) => send(i % 2 ? hit : miss)))
    await server.stop()
    await until(() => replies === 1000)
    t.equal(replies, 1000, udpEngine)
    socket.close()
  }
})
