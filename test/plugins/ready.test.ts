import t from 'tap'
import type { ServerControl } from '../../src/plugin/plugin.ts'
import { definition } from '../../src/plugins/ready/index.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { refusingHub, testHub } from '../helpers/http.ts'
import { pluginBench } from '../helpers/plugin.ts'

/** A plugin whose readiness a test sets; counts how often it is asked. */
function fake(name: string, isReady = false) {
  return {
    name,
    isReady,
    asked: 0,
    ready() {
      this.asked++
      return this.isReady
    },
  }
}

/** Server blocks with `ready` in surroundings that they share, and a way to ask. */
function bench(t: Parameters<typeof testHub>[0]) {
  const http = testHub(t)
  const pool = new ResourcePool()
  const addresses = [{ address: '127.0.0.1', port: 53 }]
  const server = { addresses: () => addresses } as Partial<ServerControl> as ServerControl
  const block = (plugins: ReturnType<typeof fake>[], { zone = '.', options = '' } = {}) =>
    pluginBench(definition, `ready 127.0.0.1:0 ${options}`, {
      zone,
      plugins: [...plugins, { name: 'silent' }],
      context: { http, resources: pool.generation(), server },
    })
  return { http, block, addresses }
}

t.test('503 and the plugins that are not ready, then 200 and OK', async t => {
  const { http, block } = bench(t)
  const [kubernetes, forward] = [fake('kubernetes'), fake('forward')]
  const { plugin, lines } = block([kubernetes, forward])
  await plugin.start?.()
  t.strictSame(await http.get('/ready'), { status: 503, type: 'text/plain', body: 'forward,kubernetes' })
  t.strictSame(lines, ['[INFO] Plugins not ready: "forward,kubernetes"'])
  forward.isReady = true
  t.match(await http.get('/ready'), { status: 503, body: 'kubernetes' })
  kubernetes.isReady = true
  t.strictSame(await http.get('/ready'), { status: 200, type: 'text/plain', body: 'OK' })
  t.match(await http.get('/'), { status: 404 })
  await plugin.stop?.()
  await t.rejects(http.get('/ready'))
})

t.test('nobody is told that it is ready who could not be answered yet', async t => {
  const { http, block, addresses } = bench(t)
  const [listening] = addresses.splice(0)
  const { plugin } = block([fake('kubernetes', true)])
  await plugin.start?.()
  t.match(await http.get('/ready'), { status: 503, body: 'Not listening yet' })
  addresses.push(listening!)
  t.match(await http.get('/ready'), { status: 200, body: 'OK' })
  // While a reload starts its plugins it has no addresses, and the old ones are served.
  addresses.splice(0)
  t.match(await http.get('/ready'), { status: 200, body: 'OK' })
  await plugin.stop?.()
})

t.test('a plugin that was ready is not asked again', async t => {
  const { http, block } = bench(t)
  const hosts = fake('hosts', true)
  const { plugin } = block([hosts], { options: '{\nmonitor until-ready\n}' })
  await plugin.start?.()
  await http.get('/ready')
  hosts.isReady = false
  t.match(await http.get('/ready'), { status: 200 })
  t.equal(hosts.asked, 1)
})

t.test('unless monitored continuously', async t => {
  const { http, block } = bench(t)
  const hosts = fake('hosts', true)
  const { plugin } = block([hosts], { options: '{\nmonitor continuously\n}' })
  await plugin.start?.()
  t.match(await http.get('/ready'), { status: 200 })
  hosts.isReady = false
  t.match(await http.get('/ready'), { status: 503, body: 'hosts' })
})

t.test('a plugin that has not heard from its source for long is not ready where the Corefile says so', async t => {
  const { http, block } = bench(t)
  const cluster = {
    ...fake('kubernetes', true),
    age: 0,
    freshness: () => ({ staleMs: cluster.age, lines: ['Service: 3'] }),
  }
  const { plugin } = block([cluster], { options: '{\nstale 5m\n}' })
  await plugin.start?.()
  t.match(await http.get('/ready'), { status: 200 })
  cluster.age = 300_000
  t.match(await http.get('/ready'), { status: 200 })
  cluster.age = 300_001
  t.strictSame(await http.get('/ready'), { status: 503, type: 'text/plain', body: 'kubernetes' })
  t.match(await http.get('/ready?verbose'), { status: 503, body: 'kubernetes (.): not ready\n  Service: 3\n' })
  cluster.age = 0
  t.match(await http.get('/ready?verbose'), { status: 200, body: 'kubernetes (.): ready\n  Service: 3\n' })
})

t.test('age is no reason otherwise', async t => {
  const { http, block } = bench(t)
  const cluster = { ...fake('kubernetes', true), freshness: () => ({ staleMs: Number.POSITIVE_INFINITY, lines: [] }) }
  const { plugin } = block([cluster], { options: '{\nmonitor continuously\n}' })
  await plugin.start?.()
  t.strictSame(await http.get('/ready'), { status: 200, type: 'text/plain', body: 'OK' })
})

t.test('server blocks with one address report together', async t => {
  const { http, block } = bench(t)
  const [cluster, other] = [fake('kubernetes', true), fake('kubernetes')]
  const first = block([cluster], { zone: 'cluster.local in-addr.arpa' })
  const second = block([other], { zone: 'other.test' })
  await first.plugin.start?.()
  await second.plugin.start?.()
  t.match(await http.get('/ready'), { status: 503, body: 'kubernetes' })
  t.match(await http.get('/ready?verbose'), {
    status: 503,
    body: 'kubernetes (cluster.local. in-addr.arpa.): ready\nkubernetes (other.test.): not ready\n',
  })
  await first.plugin.stop?.()
  other.isReady = true
  t.match(await http.get('/ready?verbose'), { status: 200, body: 'kubernetes (other.test.): ready\n' })
  await second.plugin.stop?.()
})

t.test('not ready any more when the process is to end', async t => {
  const { http, block } = bench(t)
  const { plugin } = block([])
  await plugin.start?.()
  t.match(await http.get('/ready'), { status: 200, body: 'OK' })
  await plugin.drain?.()
  t.match(await http.get('/ready'), { status: 503, body: 'Shutting down' })
})

t.test('the default is port 8181 on all addresses', async t => {
  const asked: string[] = []
  const http = refusingHub(asked)
  const resources = new ResourcePool().generation()
  const { plugin } = pluginBench(definition, 'ready', { context: { http, resources } })
  await t.rejects(plugin.start!(), { message: 'taken' })
  await plugin.stop?.()
  t.strictSame(asked, [':8181'])
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['ready 127.0.0.1', 'Corefile:2:7: ready: address must be an address with a port'],
    ['ready {\nmonitor\n}', 'Corefile:3:1: ready: monitor needs an argument'],
    ['ready {\nmonitor sometimes\n}', 'Corefile:3:9: ready: monitor must be "until-ready" or "continuously"'],
    ['ready {\nstale 0\n}', 'Corefile:3:7: ready: stale must be above 0, got "0"'],
    ['ready {\nbogus\n}', 'Corefile:3:1: ready: unknown option "bogus"'],
  ]
  for (const [text, message] of mistakes) t.throws(() => pluginBench(definition, text), { message })
})
