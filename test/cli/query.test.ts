import { decode, encode, type Packet } from 'dns-packet'
import t, { type Test } from 'tap'
import { portolan } from '../../src/cli/portolan.ts'
import type { Respond } from '../../src/server/listener.ts'
import { tcpListener } from '../../src/server/tcp.ts'
import { udpListener } from '../../src/server/udp.ts'
import { recordingLog } from '../contract/listener.ts'
import { testClock } from '../helpers/clock.ts'
import { run, testShell } from '../helpers/shell.ts'

/** Answers with 10.0.0.1 what comes over TCP and, whole or cut short, what comes over UDP. */
const answering =
  (udp: Packet = {}): Respond =>
  (packet, { protocol }) => {
    const { id, questions } = decode(Buffer.from(packet))
    const name = questions?.[0]?.name ?? ''
    const whole: Packet = { id, type: 'response', questions, answers: [{ name, type: 'A', ttl: 5, data: '10.0.0.1' }] }
    return encode(protocol === 'udp' ? { ...whole, ...udp } : whole)
  }

async function server(t: Test, respond: Respond = answering()) {
  const clock = testClock()
  const { log } = recordingLog()
  // TCP first: its ports are the ones that run short.
  const tcp = tcpListener({ address: '127.0.0.1', port: 0, clock, log })
  await tcp.listen(respond)
  t.teardown(() => tcp.close(0))
  const udp = udpListener({ address: '127.0.0.1', port: tcp.port, clock, log })
  await udp.listen(respond)
  t.teardown(() => udp.close(0))
  return udp.port
}

t.test('over UDP', async t => {
  const port = await server(t)
  const { code, out, err } = await run(['query', 'web.test', `@127.0.0.1:${port}`])
  t.equal(code, 0)
  t.equal(err, '')
  t.match(out, /^;; ->>HEADER<<- opcode: QUERY, status: NOERROR/)
  t.match(out, 'web.test.\t5\tIN\tA\t10.0.0.1\n')
  t.match(out, `;; Query time: 0 msec\n;; SERVER: 127.0.0.1#${port} (udp)\n;; MSG SIZE  rcvd: 50\n`)
})

t.test('the words may stand in any order', async t => {
  const port = await server(t)
  for (const words of [
    [`@127.0.0.1:${port}`, '+short', 'web.test', 'a'],
    ['+short', 'web.test', '-p', `${port}`, '@127.0.0.1'],
    ['web.test', 'TYPE1', '@127.0.0.1', `-port=${port}`, '+short'],
  ]) {
    t.strictSame(await run(['query', ...words]), { code: 0, out: '10.0.0.1\n', err: '' })
  }
})

t.test('what is asked', async t => {
  let asked: ReturnType<typeof decode> | undefined
  const port = await server(t, (packet, peer) => {
    asked = decode(Buffer.from(packet))
    return answering()(packet, peer)
  })
  await run(['query', '_http._tcp.web.test.', 'srv', `@127.0.0.1:${port}`])
  t.match(asked, { questions: [{ name: '_http._tcp.web.test', type: 'SRV', class: 'IN' }], flag_rd: true })
  t.match(asked?.additionals, [{ type: 'OPT', udpPayloadSize: 1232 }])
})

t.test('over TCP, where that is asked for or needed', async t => {
  const port = await server(t, answering({ flags: 0x0200, answers: [] }))
  const asked = await run(['query', 'web.test', `@127.0.0.1:${port}`, '+tcp'])
  t.match(asked, { code: 0, out: '(tcp)', err: '' })
  const needed = await run(['query', 'web.test', `@127.0.0.1:${port}`])
  t.match(needed, { code: 0, out: /10\.0\.0\.1.*\(tcp\)/s, err: /truncated: asking again over TCP/ })
})

t.test('replies with another id are waited over', async t => {
  let late: Promise<Uint8Array> | undefined
  const port = await server(t, (packet, peer) => {
    const reply = Buffer.from(answering()(packet, peer) as Uint8Array)
    if (late === undefined) {
      // The first goes astray; the second comes when the question is asked again.
      late = Promise.resolve(reply)
      const wrong = Buffer.from(reply)
      wrong[0]! ^= 1
      queueMicrotask(() => advance())
      return wrong
    }
    return late
  })
  const clock = testClock()
  const advance = () => clock.advance(3_000)
  t.match(await run(['query', 'web.test', `@127.0.0.1:${port}`], { clock }), { code: 0, out: '10.0.0.1' })
})

for (const [flag, expected] of [
  ['', /^portolan: no reply from 127\.0\.0\.1#\d+ \(udp\) in 6 s\n$/],
  ['+tcp', /^portolan: no reply from 127\.0\.0\.1#\d+ \(tcp\) in 3 s\n$/],
] as const) {
  t.test(`silence ${flag}`, async t => {
    const clock = testClock()
    const asked = Promise.withResolvers<void>()
    const port = await server(t, () => {
      asked.resolve()
      return undefined
    })
    const ended = run(['query', 'web.test', `@127.0.0.1:${port}`, ...(flag ? [flag] : [])], { clock })
    await asked.promise
    clock.advance(6_000)
    t.match(await ended, { code: 1, out: '', err: expected })
  })
}

t.test('nobody there', async t => {
  const log = recordingLog().log
  const gone = udpListener({ address: '127.0.0.1', port: 0, clock: testClock(), log })
  await gone.listen(() => undefined)
  const { port } = gone
  await gone.close(0)
  t.strictSame(await run(['query', 'web.test', `@127.0.0.1:${port}`]), {
    code: 1,
    out: '',
    err: `portolan: 127.0.0.1#${port} (udp): nothing listens there\n`,
  })
  t.match(await run(['query', 'web.test', `@127.0.0.1:${port}`, '+tcp']), {
    code: 1,
    err: /\(tcp\): nothing listens there/,
  })
})

t.test('a reply that makes no sense', async t => {
  const port = await server(t, packet => Buffer.concat([packet.subarray(0, 2), Buffer.alloc(10, 0xff)]))
  t.match(await run(['query', 'web.test', `@127.0.0.1:${port}`, '+tcp']), {
    code: 1,
    err: /the reply of .* cannot be read/,
  })
})

t.test('a connection that is closed without a reply', async t => {
  const listener = tcpListener({ address: '127.0.0.1', port: 0, clock: testClock(), log: recordingLog().log })
  await listener.listen(() => new Promise(() => undefined))
  const { shell, err } = testShell()
  const ended = portolan(['query', 'web.test', `@127.0.0.1:${listener.port}`, '+tcp'], shell)
  await listener.close(0)
  t.equal(await ended, 1)
  t.match(err(), /closed the connection|nothing listens|ECONNRESET/)
})

t.test('mistakes', async t => {
  const mistake = async (...words: string[]) => (await run(['query', ...words])).err.split('\n')[0]
  t.equal(await mistake(), 'portolan: which name is to be asked for?')
  t.equal(await mistake('a', 'SVR'), 'portolan: unknown type "SVR": did you mean "SRV"?')
  t.equal(await mistake('a', 'A', 'b'), 'portolan: "b" is one argument too many')
  t.equal(await mistake('a..b'), 'portolan: not a name: "a..b"')
  t.equal(await mistake('a', '+tpc'), 'portolan: unknown flag "+tpc": did you mean "+tcp"?')
  t.equal(await mistake('a', '+dnssec'), 'portolan: unknown flag "+dnssec" (there are +tcp, +short, +search)')
  t.equal(await mistake('a', '@'), 'portolan: @: not a server; write @HOST or @HOST:PORT')
  t.equal(await mistake('a', '@1.2.3.4:99999'), 'portolan: @1.2.3.4:99999: not a server; write @HOST or @HOST:PORT')
})
