import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { BATCH_MEMORY } from '../../src/net/udp-batch/batch.ts'
import { Header, MSG_DONTWAIT, SO_RCVTIMEO, SOL_SOCKET } from '../../src/net/udp-batch/layout.ts'
import { EAGAIN, EINVAL, EMSGSIZE, type Libc } from '../../src/net/udp-batch/libc.ts'
import { isIPv6Origin, ORIGIN, readOrigin } from '../../src/net/udp-batch/origin.ts'
import { PinnedMemory } from '../../src/net/udp-batch/pinned-memory.ts'
import { Poll } from '../../src/net/udp-batch/poll.ts'
import { counted, echo, libc, open, testBatch, testClient, testSender, textOf } from '../helpers/udp-batch.ts'

const LARGEST = 65_507

/** The addresses that are asked, and where a client that asks them sends from. */
const asked: readonly (readonly [to: string, from: string])[] = [
  ...Array.from({ length: 8 }, (_, i): [string, string] => [`127.0.0.${i + 2}`, '127.0.0.1']),
  ['::1', '::1'],
]

t.test('a socket for all addresses replies from the one that was asked', async t => {
  const socket = open(t, { address: '' })
  t.ok(socket.isIPv6)
  const { batch, failures } = testBatch(t)
  for (const [to, from] of asked) {
    const client = await testClient(t, from)
    await client.send(`to ${to}`, socket.port, to)
    t.strictSame(echo(batch, socket.fd), { received: 1, sent: 1 }, to)
    const reply = await client.received()
    t.equal(reply.text, `to ${to}`)
    t.equal(reply.from.address, to)
    t.equal(reply.from.port, socket.port)
  }
  t.strictSame(counted(failures), {})
})

t.test('origins say who asked which address, and are enough to reply later', async t => {
  for (const address of ['', '127.0.0.3', '::1']) {
    const socket = open(t, { address })
    const { batch } = testBatch(t)
    const { sender, failures } = testSender(t)
    const origins = new Int32Array(ORIGIN / 4 + 1)
    const octets = new Uint8Array(origins.buffer, 4)
    for (const [to, from] of asked.filter(([to]) => address === '' || address === to)) {
      const client = await testClient(t, from)
      await client.send('now', socket.port, to)
      t.equal(batch.receive(socket.fd, true), 1)
      t.equal(textOf(batch, 0), 'now')
      t.notOk(batch.truncated(0))
      t.equal(batch.isIPv6(0), to === '::1')
      batch.copyOrigin(0, origins, 1)
      t.strictSame(readOrigin(octets, 0), { address: from, port: client.port, localAddress: to })
      t.equal(isIPv6Origin(octets, 0), from.includes(':'))
      sender.queue(socket.fd, octets, Buffer.from('late'))
      t.equal(sender.flush(), 1)
      const reply = await client.received()
      t.equal(reply.text, 'late')
      t.equal(reply.from.address, to)
    }
    t.strictSame(counted(failures), {})
  }
})

t.test('a batch is 64 messages; what gets no reply makes no gap and no empty datagram', async t => {
  const socket = open(t)
  const { batch } = testBatch(t)
  const client = await testClient(t)
  for (let i = 0; i < 130; i++) await client.send(String(i), socket.port, '127.0.0.1')
  for (const [first, wanted] of [
    [0, 64],
    [64, 64],
    [128, 2],
  ] as const) {
    t.equal(batch.receive(socket.fd, false), wanted)
    let replies = 0
    for (let i = 0; i < wanted; i++) {
      t.equal(textOf(batch, i), String(first + i))
      if ((first + i) % 3 === 1) continue
      batch.reply(i, batch.length(i))
      replies++
    }
    t.equal(batch.send(socket.fd), replies)
    t.equal(batch.send(socket.fd), 0, 'once only')
  }
  t.equal(batch.receive(socket.fd, false), -EAGAIN)
  const expected = Array.from({ length: 130 }, (_, i) => i).filter(i => i % 3 !== 1)
  for (const i of expected) t.equal((await client.received()).text, String(i))
  t.equal(client.waiting, 0)
})

t.test('nothing to reply to makes no call', async t => {
  const { batch } = testBatch(t, { ...libc, sendmmsg: () => t.fail('sent') as never })
  t.equal(batch.send(-1), 0)
  const { sender } = testSender(t, { ...libc, sendmmsg: () => t.fail('sent') as never })
  t.equal(sender.flush(), 0)
})

t.test('datagrams of every length, up to the largest', async t => {
  const socket = open(t)
  const { batch, failures } = testBatch(t)
  const client = await testClient(t)
  for (const length of [0, 1, 17, 511, 512, 513, 1232, 2047, 2048, 2049, 16_384, LARGEST]) {
    const request = Buffer.alloc(length, length)
    await client.send(request, socket.port, '127.0.0.1')
    t.equal(batch.receive(socket.fd, false), 1)
    t.equal(batch.length(0), length)
    t.notOk(batch.truncated(0))
    batch.reply(0, length)
    t.equal(batch.send(socket.fd), 1)
    t.ok(request.equals((await client.received()).octets), `${length} octets`)
  }
  t.strictSame(counted(failures), {})
})

t.test('a whole batch of the largest replies, and some that are larger', async t => {
  const socket = open(t)
  const { batch, failures } = testBatch(t)
  const clients = await Promise.all(Array.from({ length: 64 }, () => testClient(t)))
  for (const client of clients) await client.send('large', socket.port, '127.0.0.1')
  t.equal(batch.receive(socket.fd, false), 64)
  for (let i = 0; i < 64; i++) {
    batch.octets.fill(i, batch.slotAt(i), batch.slotAt(i) + LARGEST)
    batch.reply(i, i % 8 === 5 ? LARGEST + 1 : LARGEST)
  }
  t.equal(batch.send(socket.fd), 56)
  t.strictSame(counted(failures), { [EMSGSIZE]: 8 })
  for (const [i, client] of clients.entries()) {
    if (i % 8 === 5) continue
    t.ok(Buffer.alloc(LARGEST, i).equals((await client.received()).octets), `reply ${i}`)
  }
})

t.test('late replies: as many as there are, to several sockets, none of them too large', async t => {
  const [one, two] = [open(t), open(t, { address: '' })]
  const { batch } = testBatch(t)
  const { sender, failures } = testSender(t)
  const client = await testClient(t)
  const origins = [one, two].map(({ fd, port }) => ({ fd, port, origin: new Int32Array(ORIGIN / 4) }))
  for (const { fd, port, origin } of origins) {
    await client.send('?', port, '127.0.0.1')
    t.equal(batch.receive(fd, false), 1)
    batch.copyOrigin(0, origin, 0)
  }
  const wanted: string[] = []
  for (let i = 0; i < 150; i++) {
    const { fd, port, origin } = origins[i >= 70 && i < 80 ? 1 : 0]!
    sender.queue(fd, new Uint8Array(origin.buffer), Buffer.from(`${port} ${i}`))
    wanted.push(`${port} ${i}`)
  }
  const origin = new Uint8Array(origins[0]!.origin.buffer)
  for (const length of [LARGEST, LARGEST + 1, 65_536, 65_537]) sender.queue(one.fd, origin, Buffer.alloc(length))
  const nobody = origin.slice().fill(0, 2, 4)
  sender.queue(one.fd, nobody, Buffer.from('?'))
  t.equal(sender.flush(), 7, 'the others were sent in full batches, or before the socket changed')
  t.strictSame(counted(failures), { [EMSGSIZE]: 3, [EINVAL]: 1 })
  for (const text of wanted) {
    const reply = await client.received()
    t.equal(reply.text, text)
    t.equal(reply.from.port, Number(text.split(' ')[0]))
  }
  t.equal((await client.received()).octets.length, LARGEST)
})

t.test('waiting: for a request, until the time is up, and until it is woken', async t => {
  const socket = open(t)
  const { batch } = testBatch(t)
  const client = await testClient(t)
  await client.send('there', socket.port, '127.0.0.1')
  t.equal(batch.receive(socket.fd, true), 1)
  const start = performance.now()
  t.equal(batch.receive(socket.fd, true), -EAGAIN)
  t.ok(performance.now() - start > 100, 'it did wait')

  await client.send('before', socket.port, '127.0.0.1')
  socket.wake()
  t.equal(batch.receive(socket.fd, true), 1, 'what is there comes first')
  t.equal(textOf(batch, 0), 'before')
  t.equal(batch.receive(socket.fd, true), 0)
  t.equal(batch.receive(socket.fd, true), 0)
  t.equal(batch.receive(socket.fd, false), -EAGAIN)
  await client.send('after', socket.port, '127.0.0.1')
  t.strictSame(echo(batch, socket.fd), { received: 1, sent: 1 })
  t.equal((await client.received()).text, 'after')
})

t.test(
  'another thread waits, and its successor in the same memory; a wake ends waits that have no other end',
  async t => {
    const socket = open(t)
    libc.setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, new Int32Array(4), 16)
    const memory = new PinnedMemory(libc, BATCH_MEMORY)
    const client = await testClient(t)
    for (const [wanted, act] of [
      ['request', () => client.send('request', socket.port, '127.0.0.1')],
      [0, () => socket.wake()],
    ] as const) {
      const workerData = { fd: socket.fd, address: memory.address }
      const thread = new Worker(new URL('./udp-batch-waiter.ts', import.meta.url), { workerData })
      t.strictSame(await once(thread, 'message'), ['waits'])
      // Long enough for it to be waiting, most of the time; it makes no difference to what must come.
      await pause(20)
      await act()
      t.strictSame(await once(thread, 'message'), [wanted])
      t.strictSame(await once(thread, 'exit'), [0])
    }
    memory.free()
  },
)

t.test('what comes right behind the end of a wait is received, and nothing is sent to nobody', async t => {
  const [socket, other] = [open(t), open(t)]
  // One call that finds the end of the wait and then a request; here that waits on another socket.
  const recvmmsg: Libc['recvmmsg'] = (fd, headers, count, flags, timeout) =>
    libc.recvmmsg(fd, headers, 1, flags, timeout) +
    libc.recvmmsg(other.fd, headers + BigInt(Header.OCTETS), count - 1, MSG_DONTWAIT, timeout)
  const { batch, failures } = testBatch(t, { ...libc, recvmmsg })
  const client = await testClient(t)
  await client.send('first', socket.port, '127.0.0.1')
  await client.send('second', other.port, '127.0.0.1')
  t.equal(batch.receive(socket.fd, true), 2)
  socket.wake()
  await client.send('behind', other.port, '127.0.0.1')
  t.equal(batch.receive(socket.fd, true), 2)
  t.equal(batch.length(0), 0)
  t.equal(textOf(batch, 1), 'behind')
  for (const i of [0, 1]) batch.reply(i, batch.length(i))
  t.equal(batch.send(socket.fd), 1)
  t.strictSame(counted(failures), { [EINVAL]: 1 })
  t.equal((await client.received()).text, 'behind')
})

t.test('several sockets are waited for at once', async t => {
  const sockets = [open(t), open(t, { address: '::1' }), open(t)]
  const { batch } = testBatch(t)
  const poll = new Poll(
    libc,
    sockets.map(({ fd }) => fd),
  )
  const ready = () => sockets.map((_, i) => poll.isReady(i))
  t.equal(poll.wait(), 0)
  t.strictSame(ready(), [false, false, false])
  const client = await testClient(t, '::1')
  await client.send('two', sockets[1]!.port, '::1')
  t.equal(poll.wait(), 1)
  t.strictSame(ready(), [false, true, false])
  t.strictSame(echo(batch, sockets[1]!.fd), { received: 1, sent: 1 })
  sockets[2]!.wake()
  t.equal(poll.wait(), 1)
  t.strictSame(ready(), [false, false, true])
  t.equal(batch.receive(sockets[2]!.fd, false), -EAGAIN)
})
