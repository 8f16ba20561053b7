import { decode } from 'dns-packet'
import t from 'tap'
import { shown } from '../helpers/answer.ts'
import { type Started, start, to } from '../helpers/forwarding.ts'
import { httpsTestUpstream, send } from '../helpers/https-upstream.ts'
import { type Asking, queryFor } from '../helpers/plugin.ts'
import { answering, failing, reply, silent, spoilt, type TestUpstream, testUpstream } from '../helpers/upstream.ts'

const tcp: Asking = { peer: { protocol: 'tcp' } }
const names = (server: TestUpstream) => server.received.map(({ packet }) => decode(packet).questions?.[0]?.name)
const protocols = (server: TestUpstream) => server.received.map(({ protocol }) => protocol)

t.test('silence: two tries of 2 s, then SERVFAIL with the reason', async t => {
  await using server = await testUpstream(silent)
  const { ask, clock } = await start(t, `forward . ${to(server)} {\nmax_fails 0\n}`)
  const asking = ask('a.org')
  await server.until(1)
  clock.advance(1_999)
  t.equal(server.received.length, 1)
  clock.advance(1)
  await server.until(2)
  clock.advance(2_000)
  const { answer, plugin, error } = await asking
  t.strictSame(shown(answer, queryFor('a.org')), ['rcode SERVFAIL'])
  t.equal(plugin, 'forward')
  t.match(error, { code: 'PORTOLAN_UPSTREAM_TIMEOUT', message: /i\/o timeout$/ })
  t.strictSame(names(server), ['a.org', 'a.org'])
})

t.test('read_timeout; no try begins after 5 s', async t => {
  await using server = await testUpstream(silent)
  const text = `forward . ${to(server)} {\nmax_fails 0\nread_timeout 3s\nmax_connect_attempts 9\n}`
  const { ask, clock } = await start(t, text)
  const asking = ask('a.org')
  await server.until(1)
  clock.advance(3_000)
  await server.until(2)
  clock.advance(3_000)
  t.equal((await asking).answer.rcode, 2)
  t.equal(server.received.length, 2)
})

t.test('a spoofed or broken reply is waited over', async t => {
  await using server = await testUpstream(asked => [
    ...Object.values(spoilt).map(spoil => spoil(asked)),
    reply(asked, ['192.0.2.1']),
  ])
  const { show } = await start(t, `forward . ${to(server)}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
})

t.test('the next upstream is asked when one fails', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const { show } = await start(t, `forward . 127.0.0.1:1 ${to(server)} {\npolicy sequential\nmax_fails 0\n}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
  t.match(await show('a.org', 'A', tcp), ['rcode NOERROR RD RA', /192.0.2.1/])
})

t.test('max_connect_attempts', async t => {
  await using server = await testUpstream(answering('192.0.2.1'))
  const upstreams = `127.0.0.1:1 ${to(server)}`
  const once = await start(t, `forward . ${upstreams} {\npolicy sequential\nmax_connect_attempts 1\nmax_fails 0\n}`)
  const { answer, error } = await once.ask('a.org')
  t.equal(answer.rcode, 2)
  t.match(error, { code: 'PORTOLAN_UPSTREAM_UNREACHABLE', message: 'udp 127.0.0.1:1: connection refused' })
})

t.test('max_connect_attempts 0: until there is no time left, with pauses', async t => {
  await using server = await testUpstream(() => ['close'])
  const { ask, clock } = await start(t, `forward . ${to(server)} {\nmax_connect_attempts 0\nmax_fails 0\nforce_tcp\n}`)
  const asking = ask('a.org')
  let done = false
  void asking.then(() => {
    done = true
  })
  while (!done) {
    await new Promise(setImmediate)
    clock.advance(10)
  }
  t.equal((await asking).answer.rcode, 2)
  t.ok(server.received.length > 2 && server.received.length <= 50, `${server.received.length} tries`)
})

t.test('policies', async t => {
  await using a = await testUpstream(answering('192.0.2.1'))
  await using b = await testUpstream(answering('192.0.2.2'))
  await using c = await testUpstream(answering('192.0.2.3'))
  const counts = async (policy: string) => {
    for (const server of [a, b, c]) server.received.length = 0
    const { ask } = await start(t, `forward . ${to(a, b, c)} {\npolicy ${policy}\n}`)
    for (let i = 0; i < 6; i++) await ask('a.org')
    return [a, b, c].map(({ received }) => received.length)
  }
  t.strictSame(await counts('sequential'), [6, 0, 0])
  t.strictSame(await counts('round_robin'), [2, 2, 2])
  // Chance stands still in this test: the shuffle always brings the second one to the front.
  t.strictSame(await counts('random'), [0, 6, 0])
})

t.test('health checks begin with a failure and end with a reply', async t => {
  await using server = await testUpstream(silent)
  await using other = await testUpstream(answering('192.0.2.2'))
  const text = `forward . ${to(server, other)} {\npolicy sequential\n}`
  const { show, clock, exposition } = await start(t, text)
  const asking = show('a.org')
  await server.until(1)
  t.strictSame(names(server), ['a.org'])
  clock.advance(2_000)
  t.match(await asking, ['rcode NOERROR RD RA', /192.0.2.2/])
  for (let checks = 1; checks <= 3; checks++) {
    await server.until(1 + checks)
    clock.advance(1_000)
    await new Promise(setImmediate)
    clock.advance(500)
  }
  await server.until(5)
  t.match(decode(server.received[1]!.packet), { flags: 0x0100, questions: [{ name: '.', type: 'NS', class: 'IN' }] })
  t.match(await exposition(), `coredns_proxy_healthcheck_failures_total{proxy_name="forward",to="${to(server)}"} 3`)
  t.match(await exposition(), `coredns_forward_healthcheck_failures_total{to="${to(server)}"} 3`)

  t.match(await show('b.org'), ['rcode NOERROR RD RA', /192.0.2.2/])
  t.notMatch(names(server), ['b.org'], 'it is down')

  server.behaviour = failing(5)
  clock.advance(1_000)
  await new Promise(setImmediate)
  clock.advance(500)
  await server.until(6)
  while ((await show('c.org'))[0] !== 'rcode REFUSED RD RA') await new Promise(setImmediate)
  const count = server.received.length
  clock.advance(10_000)
  t.equal(server.received.length, count, 'no checks while it is well')
})

t.test('health_check: interval, no_rec, domain; by TCP with force_tcp', async t => {
  await using server = await testUpstream(silent)
  const text = `forward . ${to(server)} {\nhealth_check 5s no_rec domain example.org\nforce_tcp\nmax_connect_attempts 1\n}`
  const { ask, clock } = await start(t, text)
  const asking = ask('a.org')
  await server.until(1)
  clock.advance(2_000)
  await asking
  await server.until(2)
  t.match(decode(server.received[1]!.packet), { flags: 0, questions: [{ name: 'example.org', type: 'NS' }] })
  t.strictSame(protocols(server), ['tcp', 'tcp'])
  clock.advance(1_000)
  await new Promise(setImmediate)
  clock.advance(4_999)
  await new Promise(setImmediate)
  t.equal(server.received.length, 2)
  clock.advance(1)
  await server.until(3)
})

/** Lets an upstream that refuses at once fail so many health checks that it is down. */
async function bringDown({ ask, clock, exposition }: Started): Promise<void> {
  await ask('down.org')
  while (!/healthcheck_failures_total\{proxy_name.* 3$/m.test(await exposition())) {
    await new Promise(setImmediate)
    clock.advance(500)
  }
}

t.test('all down: any is tried, once', async t => {
  const started = await start(t, 'forward . 127.0.0.1:1')
  await bringDown(started)
  const { answer, error } = await started.ask('a.org')
  t.equal(answer.rcode, 2)
  t.match(error, { code: 'PORTOLAN_UPSTREAM_UNREACHABLE' })
  t.match(await started.exposition(), /^coredns_forward_healthcheck_broken_total 1$/m)
})

t.test('all down with failfast_all_unhealthy_upstreams: nobody is asked', async t => {
  const started = await start(t, 'forward . 127.0.0.1:1 {\nfailfast_all_unhealthy_upstreams\n}')
  await bringDown(started)
  const { answer, error } = await started.ask('a.org')
  t.equal(answer.rcode, 2)
  t.match(error, { code: 'PORTOLAN_FORWARD_UNHEALTHY', message: 'no healthy proxies' })
})

t.test('failover: another upstream for these rcodes, the last one’s word stands', async t => {
  await using a = await testUpstream(failing(2))
  await using b = await testUpstream(failing(5))
  await using c = await testUpstream(answering('192.0.2.3'))
  const { show } = await start(t, `forward . ${to(a, b, c)} {\npolicy sequential\nfailover SERVFAIL refused\n}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.3/])
  c.behaviour = failing(5)
  t.strictSame(await show('a.org'), ['rcode REFUSED RD RA'])
  a.behaviour = failing(3)
  t.strictSame(await show('a.org'), ['rcode NXDOMAIN RD RA'])
})

t.test('stopping gives back what is under way', async t => {
  await using server = await testUpstream(silent)
  const { ask, plugin } = await start(t, `forward . ${to(server)}`)
  const asking = ask('a.org')
  await server.until(1)
  await plugin.stop?.()
  t.match(await asking, { error: { code: 'PORTOLAN_UPSTREAM_STOPPED' } })
})

t.test('an HTTPS upstream that is out of order: another is asked, and it is probed until it answers', async t => {
  await using broken = await httpsTestUpstream(asked => send(asked, 'Bad Gateway', { ':status': 502 }))
  await using server = await testUpstream(answering('192.0.2.1'))
  const upstream = `https://127.0.0.1:${broken.port}`
  const options = 'policy sequential\ntls ca.crt\nhealth_check 0.5s no_rec domain example.org'
  const { show, exposition } = await start(t, `forward . ${upstream} ${to(server)} {\n${options}\n}`)
  t.match(await show('a.org'), ['rcode NOERROR RD RA', /192.0.2.1/])
  await broken.until(2)
  t.match(decode(broken.received[1]!.packet), { questions: [{ name: 'example.org', type: 'NS' }], flag_rd: false })
  const alone = await start(t, `forward . ${upstream} {\ntls ca.crt\nmax_fails 0\n}`)
  const { answer, error } = await alone.ask('a.org')
  t.strictSame(shown(answer, queryFor('a.org')), ['rcode SERVFAIL'])
  t.match(error, { code: 'PORTOLAN_UPSTREAM_REPLY', message: `https 127.0.0.1:${broken.port}: HTTP status 502` })
  const counted = `coredns_proxy_conn_cache_misses_total{proxy_name="forward",to="127.0.0.1:${broken.port}",proto="https"} 1`
  t.ok((await exposition()).includes(counted))
})
