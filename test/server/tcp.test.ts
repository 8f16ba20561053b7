import { connect as connectSocket, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { framed, MessageStream } from '../../src/net/message-stream.ts'
import type { Respond } from '../../src/server/listener.ts'
import { type TcpOptions, tcpListener } from '../../src/server/tcp.ts'
import { type Client, echo, idOf, listenerContract, question, recordingLog } from '../contract/listener.ts'
import { testClock } from '../helpers/clock.ts'

interface TcpClient extends Client {
  readonly socket: Socket
  /** Resolves to how it ended: an orderly end, or a reset. */
  readonly ended: Promise<'end' | 'reset'>
}

async function connect(port: number, address = '127.0.0.1'): Promise<TcpClient> {
  const socket = connectSocket({ port, host: address, allowHalfOpen: true, noDelay: true })
  const stream = new MessageStream()
  const received: Buffer[] = []
  let waiting: ((reply: Buffer) => void) | undefined
  socket.on('data', (chunk: Buffer) => {
    received.push(...stream.push(chunk))
    if (waiting === undefined || received.length === 0) return
    waiting(received.shift()!)
    waiting = undefined
  })
  const ended = new Promise<'end' | 'reset'>(resolve => {
    socket.on('end', () => {
      socket.end()
      resolve('end')
    })
    socket.on('error', () => resolve('reset'))
  })
  await new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
  return {
    socket,
    ended,
    send: (...messages) => socket.write(Buffer.concat(messages.map(framed))),
    async receive() {
      return received.shift() ?? new Promise<Buffer>(resolve => (waiting = resolve))
    },
    close: () => socket.destroy(),
  }
}

t.test('contract', t => listenerContract(t, { make: tcpListener, connect }))

/** A listener on a clock that stands still, and clients of it. */
async function served(t: Test, respond: Respond = echo, options: Partial<TcpOptions> = {}) {
  const clock = testClock()
  const listener = tcpListener({ address: '127.0.0.1', port: 0, clock, log: recordingLog().log, ...options })
  await listener.listen(respond)
  t.teardown(() => listener.close(0))
  const client = async () => {
    const made = await connect(listener.port)
    t.teardown(() => made.close())
    return made
  }
  /** Asks and waits for the reply. */
  const ask = async (client: TcpClient, id: number) => {
    client.send(question(id))
    return idOf(await client.receive())
  }
  return { clock, listener, client, ask }
}

t.test('a message octet by octet, and two and a half in one segment', async t => {
  const { client } = await served(t)
  const one = await client()
  for (const octet of framed(question(1))) one.socket.write(Buffer.of(octet))
  t.equal(idOf(await one.receive()), 1)
  const third = framed(question(4))
  one.socket.write(Buffer.concat([framed(question(2)), framed(question(3)), third.subarray(0, 9)]))
  t.equal(idOf(await one.receive()), 2)
  t.equal(idOf(await one.receive()), 3)
  one.socket.write(third.subarray(9))
  t.equal(idOf(await one.receive()), 4)
})

t.test('a client that has said all it has to say is answered, then it ends', async t => {
  const { client } = await served(t, async (packet, peer) => echo(packet, peer))
  const one = await client()
  one.send(question(1))
  one.socket.end()
  t.equal(idOf(await one.receive()), 1)
  t.equal(await one.ended, 'end')
})

t.test('an idle connection ends after 10 seconds', async t => {
  const { clock, client, ask } = await served(t)
  const one = await client()
  await ask(one, 1)
  clock.advance(9_900)
  t.equal(await ask(one, 2), 2)
  clock.advance(10_500)
  t.equal(await one.ended, 'end')
})

t.test('the first message must come within 3 seconds', async t => {
  const { clock, client, ask } = await served(t)
  const silent = await client()
  await ask(await client(), 1)
  clock.advance(3_000)
  t.equal(await silent.ended, 'end')
})

t.test('a message must be complete within 3 seconds, however it trickles', async t => {
  const { clock, client, ask } = await served(t)
  const slow = await client()
  const other = await client()
  await ask(slow, 1)
  let ended = false
  void slow.ended.then(() => (ended = true))
  for (const octet of framed(question(2)).subarray(0, 3)) {
    t.notOk(ended)
    slow.socket.write(Buffer.of(octet))
    // What came before on another connection has been read when this is answered.
    await ask(other, 3)
    clock.advance(1_000)
  }
  t.equal(await slow.ended, 'end')
})

t.test('a query in flight is not idle', async t => {
  const made = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const { clock, client } = await served(t, async (packet, peer) => {
    asked.resolve()
    await made.promise
    return echo(packet, peer)
  })
  const one = await client()
  one.send(question(1))
  await asked.promise
  clock.advance(60_000)
  made.resolve()
  t.equal(idOf(await one.receive()), 1)
})

t.test('a connection has 100 queries in flight, no more', async t => {
  const waiting: (() => void)[] = []
  let full = Promise.withResolvers<void>()
  const { client } = await served(t, (packet, peer) => {
    return new Promise(resolve => {
      waiting.push(() => resolve(echo(packet, peer)))
      if (waiting.length === 100) full.resolve()
    })
  })
  const one = await client()
  one.send(...Array.from({ length: 250 }, (_, id) => question(id)))
  const ids = new Set<number>()
  for (const expected of [100, 100, 50]) {
    if (expected === 100) await full.promise
    full = Promise.withResolvers()
    t.equal(waiting.length, expected)
    for (const answer of waiting.splice(0)) answer()
    for (let i = 0; i < expected; i++) ids.add(idOf(await one.receive()))
  }
  t.equal(ids.size, 250)
})

t.test('who does not read replies is not read from, and cut off after 5 seconds', async t => {
  let answered = 0
  const big = Buffer.alloc(60_000)
  const { clock, client, ask } = await served(t, packet => {
    answered++
    return packet[0] === 1 ? big : Buffer.from(packet)
  })
  const one = await client()
  one.socket.pause()
  const other = await client()
  const many = Buffer.concat(Array.from({ length: 1_000 }, () => framed(question(0x100))))
  one.socket.write(many)
  // Until no more are answered: the system's buffers have room for some.
  for (let before = -1; before !== answered; ) {
    before = answered
    await ask(other, 1)
    answered--
  }
  t.ok(answered < 1_000, `${answered} of 1,000`)
  clock.advance(4_000)
  await ask(other, 2)
  clock.advance(2_000)
  one.socket.resume()
  t.equal(await one.ended, 'reset')
})

t.test('who reads slowly gets everything', async t => {
  const big = Buffer.alloc(60_000)
  const { client } = await served(t, () => big)
  const one = await client()
  one.socket.pause()
  one.send(...Array.from({ length: 300 }, (_, id) => question(id)))
  one.socket.resume()
  for (let i = 0; i < 300; i++) t.equal((await one.receive()).length, 60_000)
})

t.test('one connection too many: the longest idle gives way', async t => {
  const { client, ask } = await served(t, echo, { maxConnections: 2 })
  const first = await client()
  const second = await client()
  await ask(first, 1)
  await ask(second, 1)
  await ask(first, 2)
  const third = await client()
  t.equal(await ask(third, 1), 1)
  t.equal(await second.ended, 'reset')
  t.equal(await ask(first, 3), 3)
})

t.test('one connection too many while all are busy: it is turned away', async t => {
  const asked = Promise.withResolvers<void>()
  const made = Promise.withResolvers<void>()
  const { client } = await served(
    t,
    async (packet, peer) => {
      asked.resolve()
      await made.promise
      return echo(packet, peer)
    },
    { maxConnections: 1 },
  )
  const first = await client()
  first.send(question(1))
  await asked.promise
  const second = await client()
  t.equal(await second.ended, 'reset')
  made.resolve()
  t.equal(idOf(await first.receive()), 1)
})

t.test('close ends idle connections at once', async t => {
  const { listener, client, ask } = await served(t)
  const one = await client()
  await ask(one, 1)
  await listener.close(5_000)
  t.equal(await one.ended, 'end')
})

t.test('a client that goes away in the middle of an answer is forgotten', async t => {
  const asked = Promise.withResolvers<void>()
  const made = Promise.withResolvers<void>()
  const { listener, client } = await served(t, async (packet, peer) => {
    asked.resolve()
    await made.promise
    return echo(packet, peer)
  })
  const one = await client()
  one.send(question(1))
  await asked.promise
  one.socket.resetAndDestroy()
  made.resolve()
  await listener.close(5_000)
})
