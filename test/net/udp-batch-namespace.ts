/** Tests that need raw sockets and interfaces of their own; `udp-batch-network.test.ts` runs them in a namespace. */
import koffi from 'koffi'
import t from 'tap'
import { EINVAL } from '../../src/net/udp-batch/libc.ts'
import { ORIGIN, readOrigin } from '../../src/net/udp-batch/origin.ts'
import { counted, echo, libc, open, testBatch, testClient, testSender } from '../helpers/udp-batch.ts'

const SOCK_RAW = 3
const IPPROTO_UDP = 17
const sendto = koffi.load(null).func('long sendto(int, void *, size_t, int, void *, uint)')

/** Sends a datagram of one octet to 127.0.0.1 that says it comes from port 0. */
function sendFromPortZero(port: number): number {
  const fd = libc.socket(2, SOCK_RAW, IPPROTO_UDP)
  const to = Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
  const datagram = Uint8Array.of(0, 0, port >> 8, port & 255, 0, 9, 0, 0, 0x21)
  const sent = sendto(fd, datagram, datagram.length, 0, to, to.length)
  libc.close(fd)
  return sent
}

t.test('clients that cannot be replied to cost no other client his reply', async t => {
  for (const address of ['127.0.0.1', '']) {
    const socket = open(t, { address })
    const { batch, failures } = testBatch(t)
    const clients = await Promise.all(Array.from({ length: 20 }, () => testClient(t)))
    for (const [i, client] of clients.entries()) {
      if (i % 5 === 2) t.equal(sendFromPortZero(socket.port), 9)
      await client.send(`client ${i}`, socket.port, '127.0.0.1')
    }
    t.strictSame(echo(batch, socket.fd), { received: 24, sent: 20 })
    t.strictSame(counted(failures), { [EINVAL]: 4 })
    for (const [i, client] of clients.entries()) t.equal((await client.received()).text, `client ${i}`)
    for (const client of clients) t.equal(client.waiting, 0)
  }
})

t.test('the kernel refuses one message, and the rest are sent', async t => {
  // Replying to a broadcast address is not permitted: what a forged source can be, too.
  const socket = open(t)
  const { sender, failures } = testSender(t)
  const { batch } = testBatch(t)
  const clients = await Promise.all(Array.from({ length: 10 }, () => testClient(t)))
  for (const [i, client] of clients.entries()) {
    await client.send('?', socket.port, '127.0.0.1')
    t.equal(batch.receive(socket.fd, false), 1)
    const origin = new Int32Array(ORIGIN / 4)
    const octets = new Uint8Array(origin.buffer)
    batch.copyOrigin(0, origin, 0)
    if (i % 3 === 0) sender.queue(socket.fd, octets.slice().fill(255, 4, 8), Buffer.from('forged'))
    sender.queue(socket.fd, octets, Buffer.from(`client ${i}`))
  }
  t.equal(sender.flush(), 10)
  t.equal(
    failures.reduce((sum, count) => sum + count),
    4,
  )
  for (const [i, client] of clients.entries()) t.equal((await client.received()).text, `client ${i}`)
})

t.test('link-local clients with the same address on two interfaces each get their own reply', async t => {
  for (const address of ['', 'fe80::1%one-near']) {
    const socket = open(t, { address })
    const { batch, failures } = testBatch(t)
    const { sender } = testSender(t)
    for (const cable of address === '' ? ['one', 'two', 'one'] : ['one']) {
      const client = await testClient(t, `fe80::2%${cable}-far`)
      await client.send(`by ${cable}`, socket.port, `fe80::1%${cable}-far`)
      t.equal(batch.receive(socket.fd, true), 1)
      t.ok(batch.isIPv6(0))
      const origin = new Int32Array(ORIGIN / 4)
      batch.copyOrigin(0, origin, 0)
      t.strictSame(readOrigin(new Uint8Array(origin.buffer), 0), {
        address: 'fe80::2',
        port: client.port,
        localAddress: 'fe80::1',
      })
      batch.reply(0, batch.length(0))
      t.equal(batch.send(socket.fd), 1)
      sender.queue(socket.fd, new Uint8Array(origin.buffer), Buffer.from(`late by ${cable}`))
      t.equal(sender.flush(), 1)
      for (const text of [`by ${cable}`, `late by ${cable}`]) {
        const reply = await client.received()
        t.equal(reply.text, text)
        t.equal(reply.from.address, `fe80::1%${cable}-far`)
        t.equal(reply.from.port, socket.port)
      }
    }
    t.strictSame(counted(failures), {})
  }
})
