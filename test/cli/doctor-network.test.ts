import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { decode, encode } from 'dns-packet'
import t, { type Test } from 'tap'
import { networkFrom } from '../../src/cli/doctor-network.ts'
import { testClock } from '../helpers/clock.ts'

/** A UDP server that makes its replies of queries; silent where there is none. Resolves to its port. */
async function udpServer(t: Test, reply: (query: Buffer) => Buffer | undefined): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    const octets = reply(query)
    if (octets !== undefined) socket.send(octets, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => void socket.close())
  return socket.address().port
}

t.test('network: a reply with addresses, and one with a code', async t => {
  const port = await udpServer(t, query => {
    const { id = 0, questions = [] } = decode(query)
    const { name = '' } = questions[0] ?? {}
    const answers = name === 'web.test' ? [{ name, type: 'A', ttl: 5, data: '192.0.2.1' } as const] : []
    return encode({ type: 'response', id, flags: answers.length > 0 ? 0 : 3, questions, answers })
  })
  const { ask } = networkFrom('here', testClock())
  t.same(await ask('127.0.0.1', port, 'udp', 'web.test'), { rcode: 'NOERROR', addresses: ['192.0.2.1'] })
  t.same(await ask('127.0.0.1', port, 'udp', 'gone.test'), { rcode: 'NXDOMAIN', addresses: [] })
})

t.test('network: silence, nobody, and nonsense', async t => {
  const clock = testClock()
  const { ask } = networkFrom('here', clock)
  const asked = Promise.withResolvers<void>()
  const silent = await udpServer(t, () => void asked.resolve())
  const reply = ask('127.0.0.1', silent, 'udp', 'web.test')
  await asked.promise
  clock.advance(10_000)
  t.same(await reply, { silence: 'no reply' })
  const nonsense = await udpServer(t, query => Buffer.concat([query.subarray(0, 12), Buffer.alloc(3, 255)]))
  t.same(await ask('127.0.0.1', nonsense, 'udp', 'web.test'), { silence: 'its reply cannot be read' })
  t.same(await ask('127.0.0.1', await closedPort(), 'tcp', 'web.test'), { silence: 'nothing listens there' })
})

t.test('network: connections', async t => {
  const { connect, from } = networkFrom('here', testClock())
  t.equal(from, 'here')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  t.equal(await connect('127.0.0.1', (server.address() as AddressInfo).port), undefined)
  t.equal(await connect('127.0.0.1', await closedPort()), 'nothing listens there')
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
