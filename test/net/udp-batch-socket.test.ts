import { createSocket, type SocketOptions } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import t from 'tap'
import { BATCH_MEMORY, Batch } from '../../src/net/udp-batch/batch.ts'
import { AF_INET6 } from '../../src/net/udp-batch/layout.ts'
import { EADDRNOTAVAIL, EAFNOSUPPORT, type Libc, SystemError } from '../../src/net/udp-batch/libc.ts'
import { ERRNOS } from '../../src/net/udp-batch/outgoing.ts'
import { PinnedMemory } from '../../src/net/udp-batch/pinned-memory.ts'
import { Sender } from '../../src/net/udp-batch/sender.ts'
import { openSocket } from '../../src/net/udp-batch/socket.ts'
import { listenError } from '../../src/server/binding.ts'
import { echo, libc, open, testBatch, testClient } from '../helpers/udp-batch.ts'

const inUse = { code: 'EADDRINUSE', syscall: 'bind' }

/** A socket as other programs have it. */
async function foreign(
  t: { teardown(close: () => unknown): void },
  address: string,
  port: number,
  options: Partial<SocketOptions> = {},
) {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ...options })
  t.teardown(() => socket.close())
  const bound = once(socket, 'listening')
  socket.bind(port, address)
  await bound
  return socket.address().port
}

t.test('a port that somebody has is not shared, whatever he would share', async t => {
  for (const options of [{}, { reusePort: true }, { reuseAddr: true }]) {
    for (const [theirs, ours] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.1', ''],
      ['0.0.0.0', '127.0.0.1'],
      ['0.0.0.0', ''],
      ['::1', '::1'],
      ['::1', ''],
      ['::', '::1'],
      ['::', '127.0.0.1'],
    ] as const) {
      const port = await foreign(t, theirs, 0, options)
      t.throws(() => openSocket(libc, { address: ours, port }), inUse, `${theirs} then ${ours || 'all'}`)
    }
  }
})

t.test('neither with another of ours, alone or one of many, nor with one that comes later', async t => {
  for (const members of [1, 3]) {
    for (const [first, second] of [
      ['127.0.0.1', '127.0.0.1'],
      ['', '127.0.0.1'],
      ['', '::1'],
      ['127.0.0.1', ''],
      ['::', '0.0.0.0'],
    ] as const) {
      const socket = open(t, { address: first })
      const { port } = socket
      for (let i = 1; i < members; i++) {
        const joined = socket.join()
        t.teardown(() => joined.close())
      }
      t.throws(() => openSocket(libc, { address: second, port }), inUse, `${members} of ${first || 'all'}, ${second}`)
      await t.rejects(foreign(t, second === '' ? '::' : second, port), { code: 'EADDRINUSE' })
    }
  }
})

t.test('addresses that are not the same have the port each', async t => {
  const { port } = open(t)
  for (const address of ['127.0.0.2', '::1']) t.equal(open(t, { address, port }).port, port)
})

t.test('what the system says is explained as for any listener', async t => {
  const { port } = open(t)
  const failure = (address: string) => {
    try {
      return openSocket(libc, { address, port })
    } catch (error) {
      return listenError('udp', { address, port }, error)
    }
  }
  t.match(failure('127.0.0.1'), { code: 'PORTOLAN_LISTEN', message: /the port is in use/ })
  t.match(failure('192.0.2.1'), { code: 'PORTOLAN_LISTEN', message: /does not have that address/ })
  t.match(failure('fe80::1%none'), { message: /if_nametoindex ENODEV none: / })
  t.throws(() => openSocket(libc, { address: 'localhost', port }), { message: 'localhost is not an IP address' })
})

t.test('the members of a port divide its clients', async t => {
  for (const address of ['127.0.0.1', '::1', '']) {
    const first = open(t, { address })
    const members = [first, first.join(), first.join()]
    for (const member of members.slice(1)) t.teardown(() => member.close())
    t.strictSame(new Set(members.map(({ port }) => port)), new Set([first.port]))
    const clients = await Promise.all(Array.from({ length: 60 }, () => testClient(t, address || '127.0.0.1')))
    for (const [i, client] of clients.entries()) await client.send(String(i), first.port, address || '127.0.0.1')
    const { batch } = testBatch(t)
    const shares = members.map(({ fd }) => echo(batch, fd).received)
    t.equal(
      shares.reduce((sum, share) => sum + share),
      60,
    )
    t.ok(Math.min(...shares) >= 3, `${shares}`)
    for (const [i, client] of clients.entries()) t.equal((await client.received()).text, String(i))
  }
})

t.test('the kernel tells how much it keeps, and what it threw away', async t => {
  const [small, usual] = [open(t, { receiveBuffer: 4096 }), open(t)]
  t.ok(small.receiveBuffer >= 4096 && small.receiveBuffer < usual.receiveBuffer)
  const client = await testClient(t)
  for (let i = 0; i < 200; i++) await client.send('?', small.port, '127.0.0.1')
  const { batch } = testBatch(t)
  const { received } = echo(batch, small.fd)
  t.ok(received > 0 && received < 200)
  t.equal(small.dropped(), 200 - received)
  t.equal(usual.dropped(), 0)
})

t.test('where there is no IPv6, all addresses are those of IPv4', async t => {
  for (const errno of [EAFNOSUPPORT, EADDRNOTAVAIL]) {
    const calls: Libc = {
      ...libc,
      socket: (domain, type, protocol) => (domain === AF_INET6 ? -1 : libc.socket(domain, type, protocol)),
      errno: () => errno,
    }
    const socket = open(t, { address: '' }, calls)
    t.notOk(socket.isIPv6)
    const client = await testClient(t)
    await client.send('?', socket.port, '127.0.0.7')
    t.strictSame(echo(testBatch(t).batch, socket.fd), { received: 1, sent: 1 })
    t.equal((await client.received()).from.address, '127.0.0.7')
    t.throws(() => openSocket(calls, { address: '::1', port: 0 }), new SystemError('socket', errno))
  }
})

t.test('a call that fails leaves no descriptor behind', async t => {
  const names = ['socket', 'setsockopt', 'bind', 'getsockname', 'getsockopt'] as const
  const before = descriptors()
  for (const syscall of names) {
    const calls: Libc = { ...libc, [syscall]: () => -1, errno: () => 1 }
    t.throws(() => openSocket(calls, { address: '', port: 0 }), { code: 'EPERM', errno: 1, syscall })
  }
  t.equal(descriptors(), before)

  const socket = openSocket(libc, { address: '127.0.0.1', port: 0 })
  closeSync(socket.fd)
  t.throws(() => socket.dropped(), { code: 'EBADF', syscall: 'getsockopt' })
  t.throws(() => socket.join(), { code: 'EBADF', syscall: 'setsockopt' })
  t.throws(() => socket.close(), new SystemError('close', 9))
  t.doesNotThrow(() => socket.close(), 'the number may be somebody else’s by now')
})

t.test('memory that cannot be had', async t => {
  t.throws(() => new PinnedMemory(libc, 2 ** 52), { code: 'ENOMEM', syscall: 'mmap' })
  const memory = new PinnedMemory({ ...libc, munmap: () => -1, errno: () => 22 }, 4096)
  t.throws(() => memory.free(), { code: 'EINVAL', syscall: 'munmap' })
  libc.munmap(memory.address, 4096)
})

t.test('a batch costs the memory that its messages take, not what they might', async t => {
  const resident = () => Number(/^Rss: +(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1])
  const socket = open(t)
  const client = await testClient(t)
  for (let i = 0; i < 64; i++) await client.send('?', socket.port, '127.0.0.1')
  const before = resident()
  const { batch } = testBatch(t)
  t.strictSame(echo(batch, socket.fd), { received: 64, sent: 64 })
  t.ok(resident() - before < 2048, `${resident() - before} kB of ${BATCH_MEMORY >> 10}`)
})

t.test('what is freed is gone for this thread, not a hole in its memory', async t => {
  const sender = new Sender(libc, new Uint32Array(ERRNOS))
  sender.close()
  sender.close()
  const origin = new Uint8Array(48).fill(2)
  t.throws(() => sender.queue(-1, origin, Buffer.from('?')), TypeError)
})

t.test('opened and closed a thousand times, it leaves nothing behind', async t => {
  const round = () => {
    const first = openSocket(libc, { address: '', port: 0 })
    const sockets = [first, first.join()]
    const memory = new PinnedMemory(libc, BATCH_MEMORY)
    const failures = new Uint32Array(ERRNOS)
    const batch = new Batch(libc, memory.address, failures)
    const sender = new Sender(libc, failures)
    for (const { fd } of sockets) batch.receive(fd, false)
    sender.close()
    memory.free()
    for (const socket of sockets) socket.close()
  }
  for (let i = 0; i < 50; i++) round()
  const before = { descriptors: descriptors(), mappings: mappings(), resident: process.memoryUsage.rss() }
  for (let i = 0; i < 1000; i++) round()
  t.equal(descriptors(), before.descriptors)
  t.ok(mappings() - before.mappings < 20, 'mappings')
  t.ok(process.memoryUsage.rss() - before.resident < 16 << 20, 'resident memory')
})

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

function mappings(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('\n').length
}
