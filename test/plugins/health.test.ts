import t from 'tap'
import { metrics } from '../../src/observe/metrics.ts'
import { definition, type HealthOptions, health } from '../../src/plugins/health/index.ts'
import { refusingHub, testHub } from '../helpers/http.ts'
import { pluginBench } from '../helpers/plugin.ts'

t.test('/health says OK, and nothing else is there', async t => {
  const http = testHub(t)
  const { plugin } = pluginBench(definition, 'health 127.0.0.1:0', { context: { http } })
  t.equal(plugin.handle, undefined, 'it is no link of the chain')
  await plugin.start?.()
  t.strictSame(await http.get('/health'), { status: 200, type: 'text/plain', body: 'OK' })
  t.match(await http.get('/health?x=1'), { status: 200 })
  t.match(await http.get('/'), { status: 404 })
  t.match(await http.get('//'), { status: 404 }, 'a path that is no URL harms nobody')
  await plugin.stop?.()
  await t.rejects(http.get('/health'))
})

t.test('the default is port 8080 on all addresses', async t => {
  const asked: string[] = []
  const http = refusingHub(asked)
  for (const text of ['health', 'health localhost:8091', 'health [::1]:80']) {
    const { plugin } = pluginBench(definition, text, { context: { http } })
    await t.rejects(plugin.start!(), { message: 'taken' })
    await plugin.stop?.()
  }
  t.strictSame(asked, [':8080', 'localhost:8091', '[::1]:80'])
})

t.test('lameduck delays the end', async t => {
  const { plugin, clock, lines } = pluginBench(definition, 'health {\nlameduck 5s\n}')
  let drained = false
  const draining = plugin.drain!().then(() => {
    drained = true
  })
  t.strictSame(lines, ['[INFO] Going into lameduck mode for 5s'])
  clock.advance(4999)
  await null
  t.equal(drained, false)
  clock.advance(1)
  await draining
  t.equal(drained, true)
  await pluginBench(definition, 'health').plugin.drain?.()
})

const listen = { host: '', port: 0 }

t.test('it asks itself once a second, and says how long that took', async t => {
  const http = testHub(t)
  const options: HealthOptions = { listen, lameduckMs: 0 }
  const { context, clock, lines } = pluginBench(definition, 'health', { context: { http, metrics: metrics() } })
  const asked: unknown[][] = []
  let answer: () => Promise<number> = async () => 200
  const fixture = health(options, context, (...args) => {
    asked.push(args)
    return answer()
  })
  const exposed = async () => {
    const text = await context.metrics.exposition()
    return /^coredns_health_request_(duration_seconds_(sum|count)|failures_total) .*$/gm
      [Symbol.match](text)
      ?.map(line => line.slice(23))
  }
  await fixture.start?.()
  clock.advance(1000)
  await null
  t.strictSame(asked, [['localhost', http.port, '/health', 3000]])
  t.strictSame(await exposed(), ['duration_seconds_sum 0', 'duration_seconds_count 1', 'failures_total 0'])

  const slow = Promise.withResolvers<number>()
  answer = () => slow.promise
  clock.advance(1000)
  clock.advance(1500)
  t.equal(asked.length, 2, 'one check at a time')
  slow.resolve(200)
  await exposed()
  t.strictSame(lines.splice(0), [
    `[WARNING] Local health request to "http://localhost:${http.port}/health" took more than 1s: 1.5s`,
  ])

  answer = () => Promise.reject(new Error('no reply in 3000 ms'))
  clock.advance(500)
  await exposed()
  t.strictSame(lines.splice(0), [
    `[WARNING] Local health request to "http://localhost:${http.port}/health" failed: no reply in 3000 ms`,
  ])
  t.strictSame(await exposed(), ['duration_seconds_sum 1.5', 'duration_seconds_count 3', 'failures_total 1'])

  const { promise, reject } = Promise.withResolvers<number>()
  answer = () => promise
  clock.advance(1000)
  await fixture.stop?.()
  reject(new Error('socket hang up'))
  t.strictSame(await exposed(), ['duration_seconds_sum 1.5', 'duration_seconds_count 3', 'failures_total 1'])
  t.strictSame(lines, [], 'the end of the listener is no failure')
})

t.test('the check goes over the network', async t => {
  const http = testHub(t)
  const { plugin, context, clock } = pluginBench(definition, 'health 127.0.0.1:0', { context: { http } })
  await plugin.start?.()
  clock.advance(1000)
  const deadline = Date.now() + 5000
  const counted = async () => /duration_seconds_count 1/.test(await context.metrics.exposition())
  while (!(await counted()) && Date.now() < deadline) await new Promise(resolve => setImmediate(resolve))
  t.equal(await counted(), true)
  await plugin.stop?.()
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['health 127.0.0.1', 'Corefile:2:8: health: address must be an address with a port such as 127.0.0.1:8080'],
    ['health :1 extra', 'Corefile:2:11: health: unexpected argument "extra"'],
    ['health {\nlameduck\n}', 'Corefile:3:1: health: lameduck needs its duration'],
    ['health {\nlameduck 5\n}', 'Corefile:3:10: health: lameduck duration must be a duration'],
    ['health {\nbogus\n}', 'Corefile:3:1: health: unknown option "bogus"'],
  ]
  for (const [text, message] of mistakes) t.throws(() => pluginBench(definition, text), { message })
})
