/** Twenty thousand damaged packets at a whole server's sockets: nothing throws, and every good query in between is answered. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import t from 'tap'
import { httpHub } from '../../src/net/http-hub.ts'
import { framed } from '../../src/net/message-stream.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { plugins } from '../../src/plugins/index.ts'
import { Server } from '../../src/server/server.ts'
import { answerText, questionPacket } from '../helpers/serve.ts'
import { damaged, goodQueries } from '../wire/damage.ts'
import { chance, newSeed } from '../wire/random.ts'

const PACKETS = 20_000
/** So many at a time, each lot followed by a good query: less than a receive buffer holds. */
const LOT = 100

const good = questionPacket('web.shop.svc.cluster.local A')
const answer = 'web.shop.svc.cluster.local. 5 IN A 10.96.10.10'

t.test('damaged packets do no harm', async t => {
  const lines: string[] = []
  const registry = metrics()
  const server = new Server({
    corefile: 'config/Corefile',
    text: `.:0 {
      errors
      log
      prometheus 127.0.0.1:0
      cache
      loadbalance
      hosts {
        192.0.2.1 host.test
        fallthrough
      }
      kubernetes cluster.local in-addr.arpa ip6.arpa {
        manifests ${process.cwd()}/config/manifests
        pods verified
        zonal
        fallthrough
      }
      whoami
    }`,
    env: {},
    port: 0,
    plugins,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: line => lines.push(line) }),
    metrics: registry,
    http: httpHub(),
    fail: reason => t.fail(String(reason)),
  })
  await server.start()
  t.teardown(() => server.stop())
  const { port } = server.listeners.find(({ protocol }) => protocol === 'udp')!
  const source = chance(newSeed(t))
  const corpus = [...goodQueries(), good]

  await t.test('over UDP', async t => {
    const socket = createSocket('udp4')
    t.teardown(() => socket.close())
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    let unanswered = 0
    for (let sent = 0; sent < PACKETS; sent += LOT) {
      for (let i = 0; i < LOT; i++) socket.send(Buffer.from(damaged(corpus, source)))
      // An id of its own: what comes back to the damaged ones passes by.
      const id = 0x8000 | (sent / LOT)
      good.writeUInt16BE(id)
      const reply = new Promise<Buffer | undefined>(resolve => {
        const late = setTimeout(() => resolve(undefined), 5_000)
        socket.on('message', function heard(message) {
          if (message.length < 12 || message.readUInt16BE(0) !== id || answerText(message) !== answer) return
          socket.off('message', heard)
          clearTimeout(late)
          resolve(message)
        })
      })
      socket.send(Buffer.from(good))
      if ((await reply) === undefined) unanswered++
    }
    t.equal(unanswered, 0, 'every good query is answered')
  })

  await t.test('over TCP, on connections that may break', async t => {
    for (let connection = 0; connection < 50; connection++) {
      const socket = createConnection(port, '127.0.0.1').on('error', () => undefined)
      for (let i = 0; i < 20; i++) {
        const packet = damaged(corpus, source)
        // Now and then the length is a lie as well.
        socket.write(source.below(10) === 0 ? Buffer.from(packet) : framed(Buffer.from(packet)))
      }
      socket.destroy(await new Promise<undefined>(resolve => socket.once('connect', () => resolve(undefined))))
    }
    const socket = createConnection(port, '127.0.0.1')
    socket.write(framed(good))
    const [reply] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    t.equal(answerText(reply.subarray(2)), answer)
  })

  t.match(await registry.exposition(), /^coredns_panics_total 0$/m, 'no error of our own')
  t.strictSame(
    lines.filter(line => line.includes('recovered')),
    [],
  )
})
