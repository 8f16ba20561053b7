import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { udpUpstream } from '../../src/net/udp-upstream.ts'
import type { UpstreamOptions } from '../../src/net/upstream.ts'
import { shown } from '../helpers/answer.ts'
import { testClock } from '../helpers/clock.ts'
import { queryFor } from '../helpers/plugin.ts'
import { answering, reply, silent, spoilt, testUpstream } from '../helpers/upstream.ts'

const query = queryFor('Www.Example.ORG')
/** A message of its own for each exchange: its id is overwritten. */
const message = () => Uint8Array.from(query.packet)

function setUp(port: number, options: Partial<UpstreamOptions> = {}) {
  const clock = testClock()
  const upstream = udpUpstream({ address: '127.0.0.1', port, clock, ...options })
  t.teardown(() => upstream.close())
  return { clock, upstream }
}

t.test('asks and gives the answer', async t => {
  await using server = await testUpstream(answering('192.0.2.7'))
  const { upstream } = setUp(server.port)
  const response = await upstream.exchange(message(), 1000)
  t.strictSame(shown(response.answer, query), ['rcode NOERROR RD RA', '= Www.Example.ORG. 60 IN A 192.0.2.7'])
  t.match(server.received[0]?.packet.subarray(2), Buffer.from(query.packet.subarray(2)))
})

for (const kind of Object.keys(spoilt) as (keyof typeof spoilt)[]) {
  t.test(`a reply with a wrong ${kind} is waited over`, async t => {
    await using server = await testUpstream(asked => [spoilt[kind](asked), reply(asked, ['192.0.2.8'])])
    const { upstream } = setUp(server.port)
    const { answer } = await upstream.exchange(message(), 1000)
    t.strictSame(shown(answer, query).slice(1), ['= Www.Example.ORG. 60 IN A 192.0.2.8'])
  })
}

t.test('letter case of the question does not matter', async t => {
  await using server = await testUpstream(asked => {
    const message = reply(asked, ['192.0.2.7'])
    message.write('wWW', 13)
    return [message]
  })
  const { upstream } = setUp(server.port)
  t.equal((await upstream.exchange(message(), 1000)).answer.answers, 1)
})

t.test('a header alone may say that there was an error', async t => {
  await using server = await testUpstream(asked => {
    const header = Buffer.from(reply(asked, [], { rcode: 1 }).subarray(0, 12))
    header[5] = 0
    return [header]
  })
  const { upstream } = setUp(server.port)
  const { answer } = await upstream.exchange(message(), 1000)
  t.strictSame(shown(answer, query), ['rcode FORMERR RD RA'])
})

t.test('a reply cut off within a record counts as truncated if it says so', async t => {
  await using server = await testUpstream(asked => [reply(asked, ['192.0.2.7'], { flags: 0x0280 }).subarray(0, -2)])
  const { upstream } = setUp(server.port)
  const { answer } = await upstream.exchange(message(), 1000)
  t.strictSame(shown(answer, query), ['rcode NOERROR TC RD RA'])
})

t.test('silence is a time-out', async t => {
  await using server = await testUpstream(silent)
  const { upstream, clock } = setUp(server.port)
  const asking = upstream.exchange(message(), 2000)
  await server.until(1)
  clock.advance(1999)
  const other = upstream.exchange(message(), 2000)
  clock.advance(1)
  await t.rejects(asking, {
    code: 'PORTOLAN_UPSTREAM_TIMEOUT',
    message: `udp 127.0.0.1:${server.port}: no reply within 2000 ms: i/o timeout`,
  })
  clock.advance(2000)
  await t.rejects(other, { code: 'PORTOLAN_UPSTREAM_TIMEOUT' })
})

t.test('a closed port is known at once', async t => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  const { upstream } = setUp(port)
  await t.rejects(upstream.exchange(message(), 1000), {
    code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
    message: `udp 127.0.0.1:${port}: connection refused`,
  })
})

t.test('what comes from another address is not heard', async t => {
  await using server = await testUpstream(silent)
  const { upstream } = setUp(server.port)
  const asking = upstream.exchange(message(), 1000)
  await server.until(1)
  const [asked] = server.received
  const forger = createSocket('udp4').bind(0, '127.0.0.1')
  t.teardown(() => forger.close())
  await once(forger, 'listening')
  await new Promise(resolve => forger.send(reply(asked!, ['192.0.2.66']), asked!.port, asked!.address, resolve))
  server.send(reply(asked!, ['192.0.2.9']), asked!)
  t.strictSame(shown((await asking).answer, query).slice(1), ['= Www.Example.ORG. 60 IN A 192.0.2.9'])
})

t.test('ids come from the source of chance, and are free', async t => {
  await using server = await testUpstream(silent)
  const { upstream } = setUp(server.port, { random16: () => 0xffff })
  const first = upstream.exchange(message(), 1000)
  const second = upstream.exchange(message(), 1000)
  await server.until(2)
  t.strictSame(
    server.received.map(({ packet }) => packet.readUInt16BE(0)),
    [0xffff, 0],
  )
  upstream.close()
  await t.rejects(first, { code: 'PORTOLAN_UPSTREAM_STOPPED' })
  await t.rejects(second, { code: 'PORTOLAN_UPSTREAM_STOPPED' })
})

t.test('ports change: after so many queries, with time, and when unused', async t => {
  await using server = await testUpstream(answering('192.0.2.7'))
  const sockets: boolean[] = []
  // A source of chance that always chooses the same slot.
  const options = { random16: () => 0, maxAgeMs: 60_000, expireMs: 10_000 }
  const { upstream, clock } = setUp(server.port, { ...options, onSocket: reused => sockets.push(reused) })
  const ports = async (count: number) => {
    const before = server.received.length
    for (let i = 0; i < count; i++) await upstream.exchange(message(), 1000)
    return new Set(server.received.slice(before).map(({ port }) => port))
  }
  const first = await ports(128)
  t.equal(first.size, 1)
  const second = await ports(1)
  t.not([...second][0], [...first][0])
  for (let i = 0; i < 6; i++) {
    clock.advance(9_999)
    t.strictSame(await ports(1), second)
  }
  clock.advance(9_999)
  const third = await ports(1)
  t.not([...third][0], [...second][0])
  clock.advance(10_000)
  await ports(1)
  t.equal(sockets.filter(reused => !reused).length, 4)
})

t.test('a port that is replaced still gets its replies', async t => {
  const held = Promise.withResolvers<void>()
  await using server = await testUpstream(async asked => {
    await held.promise
    return [reply(asked, ['192.0.2.7'])]
  })
  const { upstream } = setUp(server.port, { maxIdle: 1 })
  const asking = Array.from({ length: 129 }, () => upstream.exchange(message(), 1000))
  await server.until(129)
  held.resolve()
  t.equal((await Promise.all(asking)).length, 129)
  t.equal(new Set(server.received.map(({ port }) => port)).size, 2)
})

t.test('queries leave from the address that was asked for', async t => {
  await using server = await testUpstream(answering('192.0.2.7'))
  const { upstream } = setUp(server.port, { sourceAddress: '127.0.0.9' })
  await upstream.exchange(message(), 1000)
  t.equal(server.received[0]?.address, '127.0.0.9')
  const { upstream: foreign } = setUp(server.port, { sourceAddress: '192.0.2.9' })
  await t.rejects(foreign.exchange(message(), 1000), { code: 'PORTOLAN_UPSTREAM_UNREACHABLE' })
})

t.test('IPv6, with a zone', async t => {
  const { upstream } = setUp(9, { address: 'fe80::1%lo' })
  await t.rejects(upstream.exchange(message(), 1000), {
    code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
    message: /^udp \[fe80::1%lo]:9: /,
  })
})

t.test('nothing is asked once it is closed', async t => {
  const { upstream } = setUp(9)
  upstream.close()
  await t.rejects(upstream.exchange(message(), 1000), { code: 'PORTOLAN_UPSTREAM_STOPPED' })
})
