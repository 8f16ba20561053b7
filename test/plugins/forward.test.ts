import { readFileSync } from 'node:fs'
import { decode } from 'dns-packet'
import t from 'tap'
import { definition } from '../../src/plugins/forward/index.ts'
import { REFUSED } from '../../src/wire/answer.ts'
import { finish } from '../../src/wire/finish.ts'
import { type Query, readQuery } from '../../src/wire/query.ts'
import { directory, elsewhere, start, to } from '../helpers/forwarding.ts'
import { answeringByHttps, httpsTestUpstream } from '../helpers/https-upstream.ts'
import { type Asking, pluginBench, queryFor } from '../helpers/plugin.ts'
import {
  type Asked,
  answering,
  failing,
  reply,
  silent,
  type TestUpstream,
  testUpstream,
  truncating,
} from '../helpers/upstream.ts'

const certificate = {
  cert: readFileSync(`${directory}server.crt`),
  key: readFileSync(`${directory}server.key`),
}
const tcp: Asking = { peer: { protocol: 'tcp' } }
const names = (server: TestUpstream) => server.received.map(({ packet }) => decode(packet).questions?.[0]?.name)
const protocols = (server: TestUpstream) => server.received.map(({ protocol }) => protocol)

t.test('relays the reply as the upstream sent it', async t => {
  await using server = await testUpstream(asked => [
    reply(asked, ['192.0.2.1'], {
      flags: 0x0400 | 0x0080 | 0x0020,
      rcode: 3,
      authorities: [{ type: 'NS', name: 'example.org', ttl: 5, data: 'ns.example.org' }],
      additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0 } as never],
    }),
  ])
  const { ask, show } = await start(t, `forward . ${to(server)}`)
  t.strictSame(await show('wWw.Example.org'), [
    'rcode NXDOMAIN AA RD RA AD',
    '= wWw.Example.org. 60 IN A 192.0.2.1',
    '@ example.org. 5 IN NS ns.example.org.',
  ])
  t.strictSame(names(server), ['wWw.Example.org'])
  t.equal((await ask('a.org')).plugin, 'forward')
})

t.test('relays every rcode, and asks nobody else for a better one', async t => {
  await using server = await testUpstream(failing(0))
  const { show } = await start(t, `forward . ${to(server)} 127.0.0.1:1 {\npolicy sequential\n}`)
  for (const [rcode, name] of [
    [1, 'FORMERR'],
    [2, 'SERVFAIL'],
    [4, 'NOTIMP'],
    [5, 'REFUSED'],
    [12, 'RCODE12'],
  ] as const) {
    server.behaviour = failing(rcode)
    t.strictSame(await show('a.org'), [`rcode ${name} RD RA`])
  }
  t.equal(server.received.length, 5)
})

t.test('sends the question, the header bits and the OPT record as the client did', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { plugin } = await start(t, `forward . ${to(server)}`)
  const option = Buffer.from('000a00081122334455667788', 'hex')
  const packet = Buffer.concat([
    Buffer.from('abcd01300001000000000001', 'hex'),
    Buffer.from('\x03wWw\x07example\x03org\0', 'latin1'),
    Buffer.from('00fa0003', 'hex'),
    Buffer.from('000029032000008001000c', 'hex'),
    option,
  ])
  const query = readQuery(packet, queryFor('.').peer) as Query
  await plugin.handle(query, () => elsewhere)
  await plugin.handle(queryFor('.', 'A', { bits: 0 }), () => elsewhere)
  const [asked, plain] = server.received as [Asked, Asked]
  t.equal(asked.packet.toString('hex', 2), packet.toString('hex', 2))
  t.equal(plain.packet.toString('hex', 2), '00000001000000000000' + '0000010001')
})

t.test('what was changed in a query on its way is what is asked', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { plugin } = await start(t, `forward . ${to(server)}`)
  const edns = { size: 512, version: 0, flags: 0x8000, optionsAt: 0, optionsEnd: 0 }
  await plugin.handle(queryFor('a.org').with({ type: 28, edns }), () => elsewhere)
  t.match(decode(server.received[0]!.packet), {
    questions: [{ name: 'a.org', type: 'AAAA' }],
    additionals: [{ type: 'OPT', udpPayloadSize: 512, flag_do: true }],
  })
})

t.test('ids are not those of the client', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { ask } = await start(t, `forward . ${to(server)}`)
  await Promise.all(Array.from({ length: 50 }, () => ask('a.org')))
  t.ok(new Set(server.received.map(({ packet }) => packet.readUInt16BE(0))).size > 40)
  t.ok(new Set(server.received.map(({ port }) => port)).size > 4)
})

t.test('FROM and except decide what is forwarded', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { ask } = await start(t, `forward example.org ${to(server)} {\nexcept a.example.org example.org\n}`)
  const asked = async (name: string) => (await ask(name)).plugin
  t.equal(await asked('EXAMPLE.org'), 'forward', 'FROM itself is never excepted')
  t.equal(await asked('b.example.org'), 'elsewhere')
  t.equal(await asked('org'), 'elsewhere')
  const other = await start(t, `forward . ${to(server)} {\nexcept a.example.org 10.0.0.0/9\n}`)
  t.equal((await other.ask('x.A.example.org')).plugin, 'elsewhere')
  t.equal((await other.ask('xa.example.org')).plugin, 'forward')
  t.equal((await other.ask('1.127.10.in-addr.arpa')).plugin, 'elsewhere')
  t.equal((await other.ask('1.128.10.in-addr.arpa')).plugin, 'forward')
})

t.test('a FROM off an octet boundary is all of its zones', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { ask } = await start(t, `forward 10.0.0.0/15 ${to(server)}`)
  t.equal((await ask('1.0.0.10.in-addr.arpa', 'PTR')).plugin, 'forward')
  t.equal((await ask('1.0.1.10.in-addr.arpa', 'PTR')).plugin, 'forward')
  t.equal((await ask('1.0.2.10.in-addr.arpa', 'PTR')).plugin, 'elsewhere')
})

t.test('the client’s transport is kept', async t => {
  await using server = await testUpstream(truncating('192.0.2.1'))
  const { show } = await start(t, `forward . ${to(server)}`)
  t.strictSame(await show('a.org'), ['rcode NOERROR TC RD RA'])
  t.strictSame(await show('a.org', 'A', tcp), ['rcode NOERROR RD RA', '= a.org. 60 IN A 192.0.2.1'])
  t.strictSame(protocols(server), ['udp', 'tcp'])
})

t.test('force_tcp', async t => {
  await using server = await testUpstream(truncating('192.0.2.1'))
  const { show } = await start(t, `forward . ${to(server)} {\nforce_tcp\nprefer_udp\n}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
  t.strictSame(protocols(server), ['tcp'])
})

t.test('prefer_udp: by TCP only what was truncated', async t => {
  await using server = await testUpstream(truncating('192.0.2.1'))
  const { show } = await start(t, `forward . ${to(server)} {\nprefer_udp\n}`)
  t.match(await show('a.org', 'A', tcp), ['rcode NOERROR RD RA', /192.0.2.1/])
  t.strictSame(protocols(server), ['udp', 'tcp'])
  server.behaviour = answering('192.0.2.2')
  t.match(await show('a.org', 'A', tcp), ['rcode NOERROR RD RA', /192.0.2.2/])
  t.strictSame(protocols(server), ['udp', 'tcp', 'udp'])
})

t.test('a reply larger than the client takes is cut for it', async t => {
  const addresses = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`)
  await using server = await testUpstream(answering(...addresses))
  const { ask } = await start(t, `forward . ${to(server)}`)
  const query = queryFor('a.org')
  const out = new Uint8Array(65_535)
  const { answer } = await ask('a.org')
  t.equal(answer.answers, 100)
  t.ok(finish(query, answer, out) <= 512)
  t.ok(out[2]! & 2, 'TC')
})

t.test('TLS upstreams, with a name for all or for one', async t => {
  await using server = await testUpstream(answering('192.0.2.1'), certificate)
  const upstream = `tls://127.0.0.1:${server.tlsPort}`
  for (const text of [
    `forward . ${upstream} {\ntls ca.crt\n}`,
    `forward . ${upstream} {\ntls client-a.crt client-a.key ca.crt\ntls_servername localhost\nprefer_udp\n}`,
    `forward . tls://127.0.0.1%localhost:${server.tlsPort} {\ntls ca.crt\n}`,
  ]) {
    t.match(await (await start(t, text)).show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
  }
  t.strictSame(protocols(server), ['tls', 'tls', 'tls'])
  for (const text of [
    `forward . ${upstream}`,
    `forward . ${upstream} {\ntls ca.crt\ntls_servername dns.example\n}`,
    `forward . tls://127.0.0.1%dns.example:${server.tlsPort} {\ntls ca.crt\n}`,
  ]) {
    const { ask } = await start(t, text)
    const { answer, error } = await ask('a.org')
    t.equal(answer.rcode, 2)
    t.match(error, { code: 'PORTOLAN_UPSTREAM_UNREACHABLE' })
  }
})

t.test('HTTPS upstreams: whatever the client used, by POST or GET, with a name for all or for one', async t => {
  await using server = await httpsTestUpstream(answeringByHttps('192.0.2.1'))
  const upstream = `https://127.0.0.1:${server.port}`
  for (const [text, asking] of [
    [`forward . ${upstream} {\ntls ca.crt\n}`, {}],
    [`forward . ${upstream} {\ntls ca.crt\ndoh_method GET\nprefer_udp\n}`, tcp],
    [`forward . ${upstream} {\ntls client-a.crt client-a.key ca.crt\ntls_servername localhost\nforce_tcp\n}`, {}],
    [`forward . https://127.0.0.1%localhost:${server.port} {\ntls ca.crt\n}`, {}],
  ] as const) {
    t.match(await (await start(t, text)).show('a.org', 'A', asking), ['rcode NOERROR RD RA', /192.0.2.1/])
  }
  const asked = server.received.map(({ headers }) => [headers[':method'], headers[':authority']])
  t.strictSame(asked, [
    ['POST', `127.0.0.1:${server.port}`],
    ['GET', `127.0.0.1:${server.port}`],
    ['POST', 'localhost'],
    ['POST', 'localhost'],
  ])
  const { ask } = await start(t, `forward . ${upstream}`)
  t.match(await ask('a.org'), { answer: { rcode: 2 }, error: { code: 'PORTOLAN_UPSTREAM_UNREACHABLE' } })
})

t.test('max_concurrent', async t => {
  await using server = await testUpstream(silent)
  const { ask, exposition } = await start(t, `forward . ${to(server)} {\nmax_concurrent 2\n}`)
  const held = Promise.withResolvers<void>()
  server.behaviour = async asked => {
    await held.promise
    return [reply(asked, ['192.0.2.1'])]
  }
  const asking = [ask('a.org'), ask('b.org')]
  await server.until(2)
  const { answer, error } = await ask('c.org')
  t.equal(answer, REFUSED)
  t.match(error, { message: 'concurrent queries exceeded maximum 2' })
  held.resolve()
  await Promise.all(asking)
  t.equal((await ask('c.org')).answer.rcode, 0)
  t.match(await exposition(), /^coredns_forward_max_concurrent_rejects_total 1$/m)
})

t.test('next: the next forward for these rcodes', async t => {
  await using a = await testUpstream(failing(3))
  await using b = await testUpstream(answering('192.0.2.2'))
  const { show } = await start(t, `forward . ${to(a)} {\nnext NXDOMAIN\n}`, `forward . ${to(b)} {\nnext NOERROR\n}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.2/], 'ignored where no forward follows')
  a.behaviour = failing(5)
  t.strictSame(await show('a.org'), ['rcode REFUSED RD RA'])
})

t.test('next_on_nodata', async t => {
  await using a = await testUpstream(failing(0))
  await using b = await testUpstream(answering('192.0.2.2'))
  const { show } = await start(t, `forward . ${to(a)} {\nnext_on_nodata\n}`, `forward . ${to(b)}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.2/])
  a.behaviour = failing(3)
  t.strictSame(await show('a.org'), ['rcode NXDOMAIN RD RA'])
})

t.test('several forwards: the first whose FROM fits', async t => {
  await using a = await testUpstream(answering('192.0.2.1'))
  await using b = await testUpstream(answering('192.0.2.2'))
  const { show } = await start(t, `forward example.org ${to(a)}`, `forward . ${to(b)}`)
  t.match(await show('www.example.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
  t.match(await show('www.example.com'), ['rcode NOERROR RD RA', /192.0.2.2/])
  t.equal(definition.repeatable, true)
})

t.test('host names are looked up once, at the start, by the resolvers', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  await using deaf = await testUpstream(failing(5))
  await using resolver = await testUpstream(asked => {
    const { type } = decode(asked.packet).questions![0]!
    return [type === 'A' ? reply(asked, ['127.0.0.1']) : reply(asked)]
  })
  const text = `forward . dns.example:${server.port} ${to(server)} {\nresolver ${to(deaf, resolver)}\n}`
  const { show } = await start(t, text)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
  t.strictSame(
    resolver.received.map(({ packet }) => decode(packet).questions?.[0]),
    [
      { name: 'dns.example', type: 'A', class: 'IN' },
      { name: 'dns.example', type: 'AAAA', class: 'IN' },
    ],
  )
})

t.test('a host name without an address stops the start', async t => {
  await using resolver = await testUpstream(failing(3))
  const nameless = pluginBench(definition, `forward . dns.example {\nresolver ${to(resolver)}\n}`)
  await t.rejects(nameless.plugin.start!(), {
    code: 'PORTOLAN_FORWARD_RESOLVE',
    message: 'forward: failed to resolve "dns.example": it has no addresses',
  })
  const refused = pluginBench(definition, 'forward . dns.example {\nresolver 127.0.0.1:1\n}')
  await t.rejects(refused.plugin.start!(), {
    message: 'forward: failed to resolve "dns.example": udp 127.0.0.1:1: connection refused',
  })
})

t.test('host names are looked up by the system where there is no resolver', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { show } = await start(t, `forward . localhost:${server.port}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
})

t.test('source_address', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { ask } = await start(t, `forward . ${to(server)} {\nsource_address 127.0.0.7\n}`)
  await ask('a.org')
  await ask('a.org', 'A', tcp)
  t.strictSame(
    server.received.map(({ address }) => address),
    ['127.0.0.7', '127.0.0.7'],
  )
})

t.test('expire, max_age, max_idle_conns', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const text = `forward . ${to(server)} {\nexpire 3s\nmax_age 5s\nmax_idle_conns 1\n}`
  const { ask, clock } = await start(t, text)
  const connection = async () => {
    await ask('a.org', 'A', tcp)
    return server.received.at(-1)?.port
  }
  const first = await connection()
  clock.advance(2_999)
  t.equal(await connection(), first)
  clock.advance(2_999)
  const second = await connection()
  t.not(second, first, 'too old')
  clock.advance(3_000)
  t.not(await connection(), second, 'unused')
  await Promise.all([1, 2, 3].map(() => ask('a.org', 'A', tcp)))
  while (server.connections.size > 1) await new Promise(setImmediate)
})

t.test('metrics: both families', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { ask, exposition } = await start(t, `forward . ${to(server)}`)
  await ask('a.org', 'A', tcp)
  await ask('a.org', 'A', tcp)
  await ask('a.org')
  const text = await exposition()
  const labels = `to="${to(server)}"`
  for (const line of [
    `coredns_proxy_request_duration_seconds_count{proxy_name="forward",${labels},rcode="NOERROR"} 3`,
    `coredns_proxy_request_duration_seconds_bucket{proxy_name="forward",${labels},rcode="NOERROR",le="8.192"} 3`,
    `coredns_proxy_conn_cache_hits_total{proxy_name="forward",${labels},proto="tcp"} 1`,
    `coredns_proxy_conn_cache_misses_total{proxy_name="forward",${labels},proto="tcp"} 1`,
    `coredns_proxy_conn_cache_misses_total{proxy_name="forward",${labels},proto="udp"} 1`,
    `coredns_forward_requests_total{${labels}} 3`,
    `coredns_forward_responses_total{${labels},rcode="NOERROR"} 3`,
    `coredns_forward_request_duration_seconds_count{${labels},rcode="NOERROR"} 3`,
  ]) {
    t.ok(text.includes(line), line)
  }
})
