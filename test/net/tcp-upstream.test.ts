import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createSecureContext } from 'node:tls'
import t, { type Test } from 'tap'
import { type TcpUpstreamOptions, tcpUpstream } from '../../src/net/tcp-upstream.ts'
import { shown } from '../helpers/answer.ts'
import { testClock } from '../helpers/clock.ts'
import { queryFor } from '../helpers/plugin.ts'
import { type Asked, answering, reply, silent, spoilt, testUpstream } from '../helpers/upstream.ts'

const query = queryFor('www.example.org')
const message = () => Uint8Array.from(query.packet)
const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))
const certificate = { cert: fixture('server.crt'), key: fixture('server.key') }
const context = createSecureContext({ ca: fixture('ca.crt') })

function setUp(t: Test, port: number, options: Partial<TcpUpstreamOptions> = {}) {
  const clock = testClock()
  const upstream = tcpUpstream({ address: '127.0.0.1', port, clock, ...options })
  t.teardown(() => upstream.close())
  return { clock, upstream }
}

/** Runs until `condition` holds: for what happens at the other end of a connection. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

t.test('asks, and keeps the connection', async t => {
  await using server = await testUpstream(answering('192.0.2.7'))
  const reused: boolean[] = []
  const { upstream } = setUp(t, server.port, { onSocket: each => reused.push(each) })
  for (let i = 0; i < 3; i++) {
    const { answer } = await upstream.exchange(message(), 1000)
    t.strictSame(shown(answer, query), ['rcode NOERROR RD RA', '= www.example.org. 60 IN A 192.0.2.7'])
  }
  t.strictSame(reused, [false, true, true])
  t.equal(new Set(server.received.map(({ port }) => port)).size, 1)
})

t.test('many at once share connections, of which there are 16, until they are too many', async t => {
  const held = Promise.withResolvers<void>()
  await using server = await testUpstream(async asked => {
    await held.promise
    return [reply(asked, ['192.0.2.7'])]
  })
  const { upstream } = setUp(t, server.port)
  const asking = Array.from({ length: 16 * 64 }, () => upstream.exchange(message(), 1000))
  await t.rejects(upstream.exchange(message(), 1000), { code: 'PORTOLAN_UPSTREAM_BUSY' })
  await server.until(16 * 64)
  t.equal(server.connections.size, 16)
  held.resolve()
  t.equal((await Promise.all(asking)).filter(({ answer }) => answer.answers === 1).length, 16 * 64)
})

t.test('replies on one connection may come in another order, and what answers nothing is waited over', async t => {
  const first = new Map<number, Asked>()
  await using server = await testUpstream(asked => {
    const other = first.get(asked.port)
    first.set(asked.port, asked)
    const bad = [spoilt.id(asked), spoilt.name(asked), spoilt.length(asked)]
    return other ? [...bad, reply(asked, ['192.0.2.7']), reply(other, ['192.0.2.7'])] : []
  })
  const { upstream } = setUp(t, server.port)
  const replies = await Promise.all(Array.from({ length: 32 }, () => upstream.exchange(message(), 1000)))
  t.equal(server.connections.size, 16)
  t.equal(replies.filter(({ answer }) => answer.answers === 1).length, 32)
})

t.test('a kept connection that the server closed is made anew', async t => {
  await using server = await testUpstream(answering('192.0.2.7'))
  const reused: boolean[] = []
  const { upstream } = setUp(t, server.port, { onSocket: each => reused.push(each) })
  await upstream.exchange(message(), 1000)
  let closed = false
  server.behaviour = asked => {
    if (closed) return [reply(asked, ['192.0.2.8'])]
    closed = true
    return ['close']
  }
  const { answer } = await upstream.exchange(message(), 1000)
  t.strictSame(shown(answer, query).slice(1), ['= www.example.org. 60 IN A 192.0.2.8'])
  t.strictSame(reused, [false, true, false])
})

t.test('a new connection that is closed without a reply is a failure', async t => {
  await using server = await testUpstream(() => ['close'])
  const { upstream } = setUp(t, server.port)
  await t.rejects(upstream.exchange(message(), 1000), { code: 'PORTOLAN_UPSTREAM_CLOSED' })
})

t.test('silence is a time-out, and the connection stays', async t => {
  await using server = await testUpstream(silent)
  const { upstream, clock } = setUp(t, server.port)
  const asking = upstream.exchange(message(), 2000)
  await server.until(1)
  clock.advance(2000)
  await t.rejects(asking, { code: 'PORTOLAN_UPSTREAM_TIMEOUT' })
  server.behaviour = answering('192.0.2.7')
  await upstream.exchange(message(), 2000)
  t.equal(server.connections.size, 1)
})

t.test('connections end: unused, too old, too many', async t => {
  await using server = await testUpstream(answering('192.0.2.7'))
  const { upstream, clock } = setUp(t, server.port, { expireMs: 10_000, maxAgeMs: 15_000, maxIdle: 2 })
  await Promise.all([1, 2, 3, 4].map(() => upstream.exchange(message(), 1000)))
  await eventually(() => server.connections.size === 2)
  clock.advance(9_999)
  await upstream.exchange(message(), 1000)
  clock.advance(1)
  await eventually(() => server.connections.size === 1)
  clock.advance(9_000)
  const [old] = server.connections
  await upstream.exchange(message(), 1000)
  await eventually(() => server.connections.size === 2 || !server.connections.has(old!))
  t.not([...server.connections].at(-1), old)
})

t.test('nobody listens, nobody accepts', async t => {
  const { upstream } = setUp(t, 1)
  await t.rejects(upstream.exchange(message(), 1000), {
    code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
    message: 'tcp 127.0.0.1:1: connection refused',
  })
  // TLS that is never answered: the connection is made, the handshake is not.
  const deaf = createServer(socket => socket.on('error', () => socket.destroy())).listen(0, '127.0.0.1')
  t.teardown(() => deaf.close())
  await new Promise(resolve => deaf.once('listening', resolve))
  const { port } = deaf.address() as { port: number }
  const hanging = setUp(t, port, { tls: { context } })
  const asking = hanging.upstream.exchange(message(), 2000, 2500)
  await new Promise(resolve => deaf.once('connection', resolve))
  hanging.clock.advance(2500)
  await t.rejects(asking, {
    code: 'PORTOLAN_UPSTREAM_TIMEOUT',
    message: `tls 127.0.0.1:${port}: no connection within 2500 ms: i/o timeout`,
  })
})

t.test('TLS: the certificate must be trusted and carry the name', async t => {
  await using server = await testUpstream(answering('192.0.2.7'), certificate)
  const good = setUp(t, server.tlsPort, { tls: { context } })
  t.equal((await good.upstream.exchange(message(), 1000)).answer.answers, 1)
  t.equal(server.received[0]?.protocol, 'tls')
  const named = setUp(t, server.tlsPort, { tls: { context, serverName: 'localhost' } })
  t.equal((await named.upstream.exchange(message(), 1000)).answer.answers, 1)
  const other = setUp(t, server.tlsPort, { tls: { context, serverName: 'dns.example' } })
  await t.rejects(other.upstream.exchange(message(), 1000), {
    code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
    message: /altnames/,
  })
  const untrusting = setUp(t, server.tlsPort, { tls: { context: createSecureContext() } })
  await t.rejects(untrusting.upstream.exchange(message(), 1000), { code: 'PORTOLAN_UPSTREAM_UNREACHABLE' })
})

t.test('TLS: a later connection resumes the session', async t => {
  await using server = await testUpstream(answering('192.0.2.7'), certificate)
  const { upstream, clock } = setUp(t, server.tlsPort, { tls: { context } })
  await upstream.exchange(message(), 1000)
  const [first] = server.connections as Set<import('node:tls').TLSSocket>
  t.equal(first?.isSessionReused(), false)
  clock.advance(10_000)
  await eventually(() => server.connections.size === 0)
  await upstream.exchange(message(), 1000)
  const [second] = server.connections as Set<import('node:tls').TLSSocket>
  t.equal(second?.isSessionReused(), true)
})

t.test('nothing is asked once it is closed', async t => {
  await using server = await testUpstream(silent)
  const { upstream } = setUp(t, server.port)
  const asking = upstream.exchange(message(), 1000)
  await server.until(1)
  upstream.close()
  await t.rejects(asking, { code: 'PORTOLAN_UPSTREAM_STOPPED' })
  await t.rejects(upstream.exchange(message(), 1000), { code: 'PORTOLAN_UPSTREAM_STOPPED' })
  await eventually(() => server.connections.size === 0)
})
