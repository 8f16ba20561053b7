import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { parseCorefile } from '../../src/corefile/parser.ts'
import { systemClock } from '../../src/observe/clock.ts'
import type { Next, Reply, ServerControl } from '../../src/plugin/plugin.ts'
import { definition, loop, type Probe } from '../../src/plugins/loop/index.ts'
import { suspects } from '../../src/plugins/loop/suspects.ts'
import { NOTIMP, SERVFAIL } from '../../src/wire/answer.ts'
import { finish } from '../../src/wire/finish.ts'
import { type Peer, type Query, readQuery } from '../../src/wire/query.ts'
import { type BenchOptions, pluginBench, queryFor } from '../helpers/plugin.ts'

const peer: Peer = { protocol: 'udp', address: '127.0.0.1', port: 55_953, localAddress: '127.0.0.1', localPort: 1053 }
const upstream: Reply = { answer: NOTIMP, plugin: 'forward' }

/** Microtasks and what waits behind them. */
const settled = () => new Promise(resolve => setImmediate(resolve))

/** `loop` in a block of its own, with a network that a test plays. */
function bench(
  options: BenchOptions & { zone?: string; text?: string; bound?: ReturnType<ServerControl['addresses']> } = {},
) {
  const failures: Error[] = []
  const sent: { address: string; port: number; query: Query }[] = []
  const network = { bound: options.bound ?? [{ address: '0.0.0.0', port: 53 }], replies: true }
  const server: ServerControl = {
    republish: () => undefined,
    corefileHash: '',
    corefileChanged: async () => false,
    reload: async () => false,
    ask: () => t.fail('loop sends real packets') as never,
    fail: reason => failures.push(reason),
    addresses: () => network.bound,
  }
  const random = () => 0.25
  const made = pluginBench(definition, options.text ?? 'loop', { random, ...options, context: { server } })
  const probe: Probe = async (address, port, packet) => {
    sent.push({ address, port, query: readQuery(Uint8Array.from(packet), peer) as Query })
    if (!network.replies) throw new Error('no reply in 2000 ms')
  }
  const plugin = loop(made.context, probe)
  const pass = async (ms: number) => {
    made.clock.advance(ms)
    await settled()
  }
  return { ...made, plugin, network, failures, sent, pass }
}

t.test('asks itself for a name that nobody else knows', async t => {
  const { plugin, sent, failures } = bench({ zone: 'example.org cluster.local' })
  await plugin.start?.()
  await settled()
  t.match(sent, [{ address: '127.0.0.1', port: 53 }])
  const { query } = sent[0]!
  t.equal(query.key, '\x102251799813685247\x102251799813685247\x07example\x03org\0')
  t.equal(query.type, 13)
  t.equal(
    plugin.handle(query, () => upstream),
    upstream,
  )
  t.strictSame(failures, [])
  await plugin.stop?.()
})

t.test('a probe that comes back again ends the process', async t => {
  const { plugin, sent, failures } = bench()
  await plugin.start?.()
  await settled()
  const { query } = sent[0]!
  t.equal(
    plugin.handle(query, () => upstream),
    upstream,
  )
  t.equal(
    plugin.handle(query, () => upstream),
    upstream,
    'an upstream may ask twice',
  )
  t.strictSame(
    plugin.handle(query, () => upstream),
    { answer: SERVFAIL, plugin: 'loop' },
  )
  t.strictSame(
    plugin.handle(query, () => upstream),
    { answer: SERVFAIL, plugin: 'loop' },
  )
  t.match(failures, [
    {
      code: 'PORTOLAN_LOOP',
      message:
        'plugin/loop: Loop (127.0.0.1:55953 -> :1053) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO 2251799813685247.2251799813685247."',
    },
  ])
  t.equal(failures.length, 1)
})

t.test('other queries pass', async t => {
  const { plugin, sent } = bench()
  await plugin.start?.()
  await settled()
  const { query } = sent[0]!
  for (const other of [queryFor('a.test'), queryFor('a.test', 'HINFO'), query.with({ type: 1 })]) {
    for (let i = 0; i < 5; i++)
      t.equal(
        plugin.handle(other, () => upstream),
        upstream,
      )
  }
})

t.test('the probe does no harm two seconds after it was answered', async t => {
  const { plugin, sent, failures, pass } = bench()
  await plugin.start?.()
  await settled()
  await pass(1999)
  const { query } = sent[0]!
  plugin.handle(query, () => upstream)
  await pass(1)
  for (let i = 0; i < 5; i++)
    t.equal(
      plugin.handle(query, () => upstream),
      upstream,
    )
  t.strictSame(failures, [])
  await pass(60_000)
  t.equal(sent.length, 1)
})

t.test('waits for the server to listen, and asks again where no reply comes', async t => {
  const { plugin, network, sent, pass } = bench({ bound: [] })
  network.replies = false
  await plugin.start?.()
  await pass(0)
  t.equal(sent.length, 0)
  network.bound = [{ address: '::', port: 53 }]
  await pass(250)
  t.match(sent, [{ address: '127.0.0.1', port: 53 }])
  const { query } = sent[0]!
  plugin.handle(query, () => upstream)
  plugin.handle(query, () => upstream)
  await pass(250)
  t.equal(sent.length, 2)
  t.equal(
    plugin.handle(query, () => upstream),
    upstream,
    'an attempt without a reply counts for nothing',
  )
  for (let i = 0; i < 200; i++) await pass(250)
  t.equal(sent.length, 119, 'it gives up after 30 s')
})

t.test('nothing is sent after the end', async t => {
  const { plugin, network, sent, pass } = bench()
  network.replies = false
  await plugin.start?.()
  await settled()
  await plugin.stop?.()
  await pass(60_000)
  t.equal(sent.length, 1)
})

t.test('asks at an address of its own block', async t => {
  const bound = [
    { address: '127.0.0.1', port: 53 },
    { address: '127.0.0.2', port: 54 },
    { address: '169.254.20.10', port: 53 },
  ]
  const { plugin, context, sent, failures } = bench({ bound })
  context.block.listen = ['169.254.20.10']
  await plugin.start?.()
  await settled()
  t.match(sent, [{ address: '169.254.20.10', port: 53 }])
  for (let i = 0; i < 3; i++) plugin.handle(sent[0]!.query, () => upstream)
  t.match(failures[0]?.message, 'Loop (127.0.0.1:55953 -> 169.254.20.10:1053)')
})

t.test('a zone without room for the probe is not watched', async t => {
  const label = 'x'.repeat(60)
  const { plugin, sent } = bench({ zone: `${label}.${label}.${label}.${label}` })
  await plugin.start?.()
  await settled()
  t.equal(sent.length, 0)
  t.equal(
    plugin.handle(queryFor('a.test', 'HINFO'), () => upstream),
    upstream,
  )
})

t.test('over a real network', async t => {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const own = socket.address()
  const text = 'loop\nforward . 127.0.0.1'
  const { promise, resolve } = Promise.withResolvers<Error>()
  const { context } = bench({ bound: [own], text, clock: { ...systemClock, advance: () => undefined } })
  context.block.listen = ['127.0.0.1']
  const plugin = definition.setup(context.block.directives[0]!, {
    ...context,
    block: { ...context.block, port: 0 },
    server: { ...context.server, fail: resolve },
  })
  // Every query that leaves comes back, as it does when the upstream is the server itself.
  const again: Next = query => plugin.handle!(query, again)
  socket.on('message', (packet, from) => {
    const query = readQuery(packet, { ...peer, port: from.port }) as Query
    const out = new Uint8Array(512)
    const { answer } = plugin.handle!(query, again) as Reply
    socket.send(out.subarray(0, finish(query, answer, out)), from.port, from.address)
  })
  await plugin.start?.()
  const { message } = await promise
  t.match(message, /^plugin\/loop: Loop \(127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+\) detected for zone "\."/)
  t.match(
    message,
    '\n  Corefile:3:11: forward sends queries to 127.0.0.1, which is this machine: name another upstream',
  )
  await plugin.stop?.()
})

t.test('suspects', async t => {
  const suspected = (text: string, read?: (path: string) => string) =>
    suspects(parseCorefile(`. {\n${text}\n}`)[0]!.directives, read)
  const files = (contents: string) => (path: string) => (path === '/etc/resolv.conf' ? contents : '')

  t.strictSame(suspected('forward . 192.0.2.1 127.0.0.1:54 dns://[::1]:53'), [
    'Corefile:2:21: forward sends queries to 127.0.0.1, which is this machine: name another upstream',
    'Corefile:2:34: forward sends queries to ::1, which is this machine: name another upstream',
  ])
  const stub = '# made by systemd\nsearch example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n'
  t.strictSame(suspected('cache\nforward . /etc/resolv.conf', files(stub)), [
    '/etc/resolv.conf:3: nameserver 127.0.0.53 is this machine itself, where systemd-resolved listens on a host: ' +
      "set resolvConf in the kubelet's configuration to a file with real servers (/run/systemd/resolve/resolv.conf), " +
      'or name them at Corefile:3:11',
  ])
  t.match(suspected('forward . /etc/resolv.conf', files('  nameserver ::1\n')), [
    /^\/etc\/resolv\.conf:1: nameserver ::1 is this machine itself: set resolvConf/,
  ])
  const elsewhere = 'Corefile:2:1: an upstream that forward names sends queries back here'
  t.strictSame(suspected('forward . 192.0.2.1 dns.example', files('')), [elsewhere])
  t.strictSame(suspected(`forward . ${join(t.testdir(), 'missing')}`), [elsewhere])
  t.strictSame(suspected('hosts'), [])
})

t.test('mistakes in the directive', async t => {
  t.throws(() => pluginBench(definition, 'loop x'), { message: 'Corefile:2:6: loop: unexpected argument "x"' })
  t.throws(() => pluginBench(definition, 'loop {\nx\n}'), { message: 'Corefile:3:1: loop: unknown option "x"' })
})
