/** Datagrams through the proxy, with real sockets on the loopback address. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../../src/observe/clock.ts'
import { testClock } from '../../helpers/clock.ts'
import { host, ipOf, lab, port, udpClient, udpEndpoint } from './lab.ts'

const udp = { ports: [`${port}/UDP`] }

t.test('a client has one backend, the next client the next', async t => {
  const { endpoints } = await lab(t, udp)
  for (const number of [1, 2]) await udpEndpoint(t, number)
  await endpoints(1, 2)
  const [a, b] = [await udpClient(t, port), await udpClient(t, port)]
  t.same([await a('x'), await b('x'), await a('y'), await b('y')], ['2:x', '1:x', '2:y', '1:y'])
})

t.test('a refusal leads what was not answered to another backend', async t => {
  const { endpoints, log } = await lab(t, udp)
  await udpEndpoint(t, 1)
  const second = await udpEndpoint(t, 2)
  await endpoints(1, 2, 3)
  const client = await udpClient(t, port)
  t.equal(await client('first'), '2:first', '3 refused')
  second.stop()
  t.equal(await client('second'), '1:second', 'one that had answered may go as well')
  t.notOk(log.some(line => line.includes('turned away')))
})

t.test('where all refuse, the log says so, and the next datagram tries again', async t => {
  const { endpoints, log } = await lab(t, udp)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.send('x', port, host)
  await said(log, /^\[WARNING\] a\/web: [\d.]+:\d+ is turned away: there are no endpoints$/)
  await endpoints(1)
  socket.send('y', port, host)
  await said(log, new RegExp(`is turned away: ${ipOf(1)}:${port} refused$`))
  await udpEndpoint(t, 1)
  socket.send('z', port, host)
  t.equal(`${(await once(socket, 'message'))[0]}`, '1:z')
})

async function said(log: readonly string[], line: RegExp): Promise<void> {
  while (!log.some(text => line.test(text))) await sleep(5)
}

t.test('the session of a backend that is gone ends', async t => {
  const { endpoints } = await lab(t, udp)
  for (const number of [1, 2]) await udpEndpoint(t, number)
  await endpoints(2)
  const client = await udpClient(t, port)
  t.equal(await client('x'), '2:x')
  await endpoints(1, 2)
  t.equal(await client('y'), '2:y')
  await endpoints(1)
  t.equal(await client('z'), '1:z')
})

t.test('a session ends when nothing is said in it', async t => {
  const clock = { ...testClock(), now: systemClock.now }
  const { endpoints } = await lab(t, udp, { clock, idleMs: 1000 })
  const peers = new Set<number>()
  const server = await udpEndpoint(t, 1)
  server.socket.on('message', (_, from) => peers.add(from.port))
  await endpoints(1)
  const client = await udpClient(t, port)
  for (let i = 0; i < 3; i++) {
    await client('x')
    clock.advance(800)
  }
  t.equal(peers.size, 1, 'each datagram prolongs it')
  clock.advance(500)
  await client('x')
  t.equal(peers.size, 2)
})

t.test('what is sent before a session is connected is not lost', async t => {
  const { endpoints } = await lab(t, udp)
  await udpEndpoint(t, 1)
  await endpoints(1)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  const heard: string[] = []
  socket.on('message', packet => heard.push(`${packet}`))
  for (let i = 0; i < 5; i++) socket.send(`${i}`, port, host)
  while (heard.length < 5) await once(socket, 'message')
  t.same(heard, ['1:0', '1:1', '1:2', '1:3', '1:4'])
})
