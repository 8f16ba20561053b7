import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { constants } from 'node:http2'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { type HttpsUpstreamOptions, httpsUpstream } from '../../src/net/https-upstream.ts'
import { shown } from '../helpers/answer.ts'
import { testClock } from '../helpers/clock.ts'
import {
  answeringByHttps,
  type HttpsBehaviour,
  httpsTestUpstream,
  send,
  silentByHttps,
} from '../helpers/https-upstream.ts'
import { queryFor } from '../helpers/plugin.ts'
import { reply, spoilt } from '../helpers/upstream.ts'

const query = queryFor('www.example.org')
const message = () => Uint8Array.from(query.packet)
const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))
const certificate = { cert: fixture('server.crt'), key: fixture('server.key') }
const context = createSecureContext({ ca: fixture('ca.crt') })
const answered = ['rcode NOERROR RD RA', '= www.example.org. 60 IN A 192.0.2.7']

function setUp(t: Test, port: number, options: Partial<HttpsUpstreamOptions> = {}) {
  const clock = testClock()
  const reused: boolean[] = []
  const upstream = httpsUpstream({
    address: '127.0.0.1',
    port,
    clock,
    tls: { context },
    method: 'POST',
    onSocket: each => reused.push(each),
    ...options,
  })
  t.teardown(() => upstream.close())
  return {
    clock,
    reused,
    upstream,
    ask: () => upstream.exchange(message(), 2000, 2500),
    show: async () => shown((await upstream.exchange(message(), 2000, 2500)).answer, query),
  }
}

/** Runs until `condition` holds: for what happens at the other end of a connection. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

async function listening(t: Test, server: Server): Promise<number> {
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

t.test('nothing is connected before there is something to ask', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  setUp(t, server.port)
  await new Promise(setImmediate)
  t.equal(server.sessions.size, 0)
})

t.test('POST: the message is the body, its id 0; the connection is kept', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  const { show, reused } = setUp(t, server.port)
  for (let i = 0; i < 3; i++) t.strictSame(await show(), answered)
  t.strictSame(reused, [false, true, true])
  t.equal(new Set(server.received.map(({ port }) => port)).size, 1)
  const { headers, packet } = server.received[0]!
  t.match(headers, {
    ':method': 'POST',
    ':scheme': 'https',
    ':authority': `127.0.0.1:${server.port}`,
    ':path': '/dns-query',
    accept: 'application/dns-message',
    'content-type': 'application/dns-message',
    'content-length': `${query.packet.length}`,
  })
  t.equal(packet.toString('hex'), `0000${Buffer.from(query.packet).toString('hex', 2)}`)
})

t.test('GET: the message is in the path', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  const { show } = setUp(t, server.port, { method: 'GET', tls: { context, serverName: 'localhost' } })
  t.strictSame(await show(), answered)
  const { headers, packet } = server.received[0]!
  t.match(headers, {
    ':method': 'GET',
    ':authority': 'localhost',
    ':path': `/dns-query?dns=${packet.toString('base64url')}`,
    accept: 'application/dns-message',
  })
  t.equal(packet.toString('hex'), `0000${Buffer.from(query.packet).toString('hex', 2)}`)
})

t.test('the largest reply, in pieces; a type with parameters; an id of the server’s own; a bare error', async t => {
  const text = (length: number) => Array.from({ length: Math.ceil(length / 255) }, () => Buffer.alloc(255, 'x'))
  await using server = await httpsTestUpstream(asked => {
    const big = { type: 'TXT', name: 'www.example.org', ttl: 60, data: text(65_000) } as const
    asked.stream.respond({ ':status': 200, 'content-type': 'Application/DNS-Message; charset=utf-8' })
    const body = reply(asked, [big])
    asked.stream.write(body.subarray(0, 7))
    asked.stream.end(body.subarray(7))
  })
  const { ask, show } = setUp(t, server.port)
  t.ok((await ask()).answer.body.length > 65_000)
  server.behaviour = asked => send(asked, spoilt.id(asked))
  t.equal((await ask()).answer.answers, 1)
  server.behaviour = asked => send(asked, Buffer.from('000081840000000000000000', 'hex'))
  t.match(await show(), ['rcode NOTIMP RD RA'])
})

t.test('what is no answer is an error at once, and the connection stays', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const { ask, show } = setUp(t, server.port)
  const bad: readonly [HttpsBehaviour, string | RegExp][] = [
    [asked => send(asked, reply(asked, ['192.0.2.66']), { ':status': 500 }), 'HTTP status 500'],
    [asked => send(asked, '', { ':status': 302, location: '/dns' }), 'HTTP status 302'],
    [asked => send(asked, reply(asked), { 'content-type': 'text/html' }), /content type "text\/html", not/],
    [asked => asked.stream.respond({ ':status': 200 }, { endStream: true }), /content type "", not/],
    [asked => send(asked, Buffer.alloc(65_536)), 'a reply of more than 65535 octets'],
    [asked => send(asked, ''), /does not answer the query/],
    [asked => send(asked, 'garbage'), /does not answer the query/],
    [asked => send(asked, spoilt.name(asked)), /does not answer the query/],
    [asked => send(asked, spoilt.type(asked)), /does not answer the query/],
    [asked => send(asked, spoilt.direction(asked)), /does not answer the query/],
    [asked => send(asked, spoilt.records(asked)), /does not answer the query/],
    [asked => send(asked, spoilt.length(asked)), /does not answer the query/],
  ]
  for (const [behaviour, what] of bad) {
    server.behaviour = behaviour
    const expected = typeof what === 'string' ? `https 127.0.0.1:${server.port}: ${what}` : what
    await t.rejects(ask(), { code: 'PORTOLAN_UPSTREAM_REPLY', message: expected })
  }
  server.behaviour = answeringByHttps('192.0.2.7')
  t.strictSame(await show(), answered)
  t.equal(new Set(server.received.map(({ port }) => port)).size, 1)
})

t.test('an endless reply is broken off', async t => {
  await using server = await httpsTestUpstream(({ stream }) => {
    stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
    const more = () => {
      while (!stream.destroyed && stream.write(Buffer.alloc(10_000)));
    }
    stream.on('drain', more)
    more()
  })
  const { ask } = setUp(t, server.port)
  await t.rejects(ask(), { code: 'PORTOLAN_UPSTREAM_REPLY', message: /more than 65535 octets/ })
  await eventually(() => server.received[0]!.stream.destroyed)
})

t.test('many at once are streams of one connection, answered in any order', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const { ask, clock } = setUp(t, server.port)
  const asking = Array.from({ length: 50 }, ask)
  await server.until(50)
  t.equal(server.sessions.size, 1)
  // Time is what the others have while one of them waits.
  clock.advance(1999)
  for (const asked of server.received.toReversed()) send(asked, reply(asked, ['192.0.2.7']))
  t.equal((await Promise.all(asking)).filter(({ answer }) => answer.answers === 1).length, 50)
})

t.test('more than the server takes at a time wait for their turn; too many are refused', async t => {
  await using server = await httpsTestUpstream(silentByHttps, { maxConcurrentStreams: 2 })
  const { ask, reused } = setUp(t, server.port)
  const asking = Array.from({ length: 1024 }, ask)
  await t.rejects(ask(), { code: 'PORTOLAN_UPSTREAM_BUSY' })
  await server.until(2)
  server.behaviour = answeringByHttps('192.0.2.7')
  for (const asked of server.received) server.behaviour(asked)
  t.equal((await Promise.all(asking)).filter(({ answer }) => answer.answers === 1).length, 1024)
  t.equal(new Set(server.received.map(({ port }) => port)).size, 1)
  t.equal(reused.filter(each => !each).length, 1)
})

t.test('the server ends the connection between two queries', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  const { show, reused } = setUp(t, server.port)
  const ways: readonly HttpsBehaviour[] = [
    ({ session }) => session.close(),
    ({ session }) => session.destroy(),
    ({ port }) => server.connections.get(port)!.destroy(),
  ]
  for (const end of ways) {
    t.strictSame(await show(), answered)
    end(server.received.at(-1)!)
    await eventually(() => server.sessions.size === 0)
  }
  t.strictSame(await show(), answered)
  t.equal(server.connections.size, 4)
  t.equal(reused[0], false)
})

t.test('the server ends the connection, or the stream, in mid-query', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const cut: HttpsBehaviour = ({ port }) => server.connections.get(port)!.destroy()
  const half: HttpsBehaviour = asked => {
    asked.stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
    asked.stream.write('half', () => cut(asked))
  }
  const ways: readonly HttpsBehaviour[] = [
    ({ session }) => session.destroy(),
    ({ session }) => session.destroy(undefined, constants.NGHTTP2_INTERNAL_ERROR),
    ({ session }) => session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM),
    ({ stream }) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
    ({ stream }) => stream.close(constants.NGHTTP2_CANCEL),
    ({ stream }) => stream.close(constants.NGHTTP2_NO_ERROR),
    cut,
    half,
  ]
  for (const end of ways) {
    const { ask, show, reused } = setUp(t, server.port)
    server.behaviour = answeringByHttps('192.0.2.7')
    await show()
    const { port } = server.received.at(-1)!
    server.behaviour = asked => (asked.port === port ? end : answeringByHttps('192.0.2.7'))(asked)
    t.strictSame(await Promise.all([show(), show(), show()]), [answered, answered, answered], 'asked again, elsewhere')
    t.strictSame(reused.slice(0, 4), [false, true, true, true])
    server.behaviour = end
    await t.rejects(ask(), { code: 'PORTOLAN_UPSTREAM_CLOSED' }, 'once')
  }
})

t.test('the server that is about to go answers what it was asked', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const { show } = setUp(t, server.port)
  const asking = show()
  await server.until(1)
  const [first] = server.received
  first!.session.close()
  server.behaviour = answeringByHttps('192.0.2.7')
  // A query that the server sees on a new connection knows that the old one goes.
  await eventually(() => first!.session.closed)
  const others: Promise<string[]>[] = []
  while (server.sessions.size < 2) {
    others.push(show())
    await server.until(1 + others.length)
  }
  send(first!, reply(first!, ['192.0.2.7']))
  t.strictSame(await asking, answered)
  for (const other of others) t.strictSame(await other, answered)
})

t.test('silence is a time-out, and the connection is not trusted any more', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const { ask, show, clock } = setUp(t, server.port)
  const asking = ask()
  await server.until(1)
  clock.advance(2000)
  await t.rejects(asking, {
    code: 'PORTOLAN_UPSTREAM_TIMEOUT',
    message: `https 127.0.0.1:${server.port}: no reply within 2000 ms: i/o timeout`,
  })
  server.behaviour = answeringByHttps('192.0.2.7')
  t.strictSame(await show(), answered)
  t.not(server.received[0]!.port, server.received[1]!.port)
  await eventually(() => server.sessions.size === 1)
})

t.test('one query without a reply among others is no reason for another connection', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const { ask, show, clock } = setUp(t, server.port)
  const asking = ask()
  await server.until(1)
  server.behaviour = answeringByHttps('192.0.2.7')
  clock.advance(1)
  await show()
  clock.advance(1999)
  await t.rejects(asking, { code: 'PORTOLAN_UPSTREAM_TIMEOUT' })
  await show()
  t.equal(new Set(server.received.map(({ port }) => port)).size, 1)
  t.equal(server.received[0]!.stream.rstCode, constants.NGHTTP2_CANCEL)
})

t.test('a reply that stops half-way is a time-out', async t => {
  await using server = await httpsTestUpstream(({ stream }) => {
    stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
    stream.write('half')
  })
  const { ask, clock } = setUp(t, server.port)
  const asking = ask()
  await server.until(1)
  await new Promise(setImmediate)
  clock.advance(2000)
  await t.rejects(asking, { code: 'PORTOLAN_UPSTREAM_TIMEOUT' })
})

t.test('the connection ends: unused, too old', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  const { show, clock } = setUp(t, server.port, { expireMs: 10_000, maxAgeMs: 15_000 })
  const connection = async () => {
    await show()
    return server.received.at(-1)!.port
  }
  const first = await connection()
  clock.advance(9_999)
  t.equal(await connection(), first)
  clock.advance(5_001)
  const second = await connection()
  t.not(second, first, 'too old')
  clock.advance(10_000)
  await eventually(() => server.sessions.size === 0)
  t.not(await connection(), second, 'unused')
})

t.test('nobody listens, nobody answers, or somebody who speaks something else', async t => {
  await t.rejects(setUp(t, 1).ask(), {
    code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
    message: 'https 127.0.0.1:1: connection refused',
  })
  await t.rejects(setUp(t, 1, { address: 'fe80::1%lo' }).ask(), {
    code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
    message: /^https \[fe80::1%lo\]:1: /,
  })

  const deaf = createServer(socket => socket.on('error', () => socket.destroy()).resume())
  const port = await listening(t, deaf)
  const { ask, clock } = setUp(t, port)
  const asking = Promise.allSettled([ask(), ask()])
  const [socket] = await once(deaf, 'connection')
  clock.advance(2500)
  for (const result of await asking) {
    t.match(result, {
      status: 'rejected',
      reason: {
        code: 'PORTOLAN_UPSTREAM_TIMEOUT',
        message: `https 127.0.0.1:${port}: no connection within 2500 ms: i/o timeout`,
      },
    })
  }
  await eventually(() => socket.destroyed)

  const others: readonly [object, string, RegExp][] = [
    [{}, '', /it does not speak HTTP\/2/],
    [{ ALPNProtocols: ['http/1.1'] }, '', /it does not speak HTTP\/2/],
    [{ ALPNProtocols: ['h2'] }, 'HTTP/1.1 400 Bad Request\r\n\r\n', /Protocol error/],
  ]
  for (const [options, greeting, what] of others) {
    const server = createTlsServer({ ...certificate, ...options }, socket => {
      socket.on('error', () => socket.destroy())
      socket.write(greeting)
    })
    await t.rejects(setUp(t, await listening(t, server)).ask(), {
      code: 'PORTOLAN_UPSTREAM_UNREACHABLE',
      message: what,
    })
  }
})

t.test('the certificate must be trusted and carry the name', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  t.strictSame(await setUp(t, server.port, { tls: { context, serverName: 'localhost' } }).show(), answered)
  const wrong = { code: 'PORTOLAN_UPSTREAM_UNREACHABLE' }
  const other = setUp(t, server.port, { tls: { context, serverName: 'dns.example' } })
  await t.rejects(other.ask(), { ...wrong, message: /altnames/ })
  await t.rejects(setUp(t, server.port, { tls: { context: createSecureContext() } }).ask(), wrong)
  t.equal(server.received.length, 1)
})

t.test('a later connection resumes the TLS session', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.7'))
  const { show, clock } = setUp(t, server.port)
  await show()
  clock.advance(10_000)
  await eventually(() => server.sessions.size === 0)
  await show()
  t.equal([...server.connections.values()].at(-1)?.isSessionReused(), true)
})

t.test('nothing is asked once it is closed', async t => {
  await using server = await httpsTestUpstream(silentByHttps)
  const { ask, upstream } = setUp(t, server.port)
  const asking = ask()
  await server.until(1)
  upstream.close()
  await t.rejects(asking, { code: 'PORTOLAN_UPSTREAM_STOPPED' })
  await t.rejects(ask(), { code: 'PORTOLAN_UPSTREAM_STOPPED' })
  await eventually(() => server.sessions.size === 0)

  const early = setUp(t, server.port)
  const connecting = early.ask()
  early.upstream.close()
  await t.rejects(connecting, { code: 'PORTOLAN_UPSTREAM_STOPPED' })
  t.equal(server.received.length, 1)
})
