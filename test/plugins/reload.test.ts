import t from 'tap'
import type { ServerControl } from '../../src/plugin/plugin.ts'
import { definition } from '../../src/plugins/reload/index.ts'
import { pluginBench } from '../helpers/plugin.ts'

/** A server whose Corefile a test changes; counts what is asked of it. */
function fakeServer() {
  return {
    changed: async () => false,
    taken: true,
    checks: 0,
    reloads: 0,
    control(): ServerControl {
      return {
        republish: () => t.fail('reload publishes nothing'),
        corefileHash: 'abc123',
        corefileChanged: () => {
          this.checks++
          return this.changed()
        },
        reload: async () => {
          this.reloads++
          return this.taken
        },
        ask: () => t.fail('reload asks nothing') as never,
        fail: () => t.fail('reload ends nothing'),
        addresses: () => [],
      }
    },
  }
}

function bench(text: string, random = 0.5) {
  const server = fakeServer()
  const made = pluginBench(definition, text, { random: () => random, context: { server: server.control() } })
  /** Lets time pass, and what falls due come to its end. */
  const pass = async (ms: number) => {
    made.clock.advance(ms)
    await new Promise(resolve => setImmediate(resolve))
  }
  const exposed = async () => (await made.context.metrics.exposition()).match(/^coredns_reload_.*$/gm)
  return { ...made, server, pass, exposed }
}

t.test('a changed Corefile is loaded', async t => {
  const { plugin, server, pass, exposed, lines } = bench('reload 10s 0s')
  t.equal(plugin.handle, undefined, 'it is no link of the chain')
  await plugin.start?.()
  t.strictSame(lines.splice(0), ['[INFO] Running configuration SHA512 = abc123'])
  t.strictSame(await exposed(), [
    'coredns_reload_failed_total 0',
    'coredns_reload_version_info{hash="sha512",value="abc123"} 1',
  ])
  await pass(9999)
  t.equal(server.checks, 0)
  await pass(1)
  t.equal(server.checks, 1)
  t.equal(server.reloads, 0)
  server.changed = async () => true
  await pass(10_000)
  t.equal(server.reloads, 1)
  await plugin.stop?.()
  await pass(60_000)
  t.equal(server.checks, 2)
  t.strictSame(await exposed(), ['coredns_reload_failed_total 0'])
})

t.test('a Corefile that is refused is counted', async t => {
  const { plugin, server, pass, exposed } = bench('reload 10s 0s')
  await plugin.start?.()
  server.changed = async () => true
  server.taken = false
  await pass(10_000)
  t.match(await exposed(), ['coredns_reload_failed_total 1'])
})

t.test('a Corefile that cannot be read is reported, and looked at again', async t => {
  const { plugin, server, pass, lines } = bench('reload 10s 0s')
  await plugin.start?.()
  lines.length = 0
  server.changed = () => Promise.reject(new Error('Corefile:1:1: a brace is missing'))
  await pass(10_000)
  await pass(10_000)
  t.strictSame(lines, Array(2).fill('[WARNING] Corefile parse failed: Corefile:1:1: a brace is missing'))
  t.equal(server.reloads, 0)
})

t.test('checks do not overlap, and none reloads after the end', async t => {
  const { plugin, server, pass } = bench('reload 10s 0s')
  await plugin.start?.()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  server.changed = () => promise
  await pass(10_000)
  await pass(10_000)
  t.equal(server.checks, 1)
  await plugin.stop?.()
  resolve(true)
  await pass(0)
  t.equal(server.reloads, 0)
})

t.test('interval and jitter', async t => {
  const intervals: [text: string, random: number, ms: number][] = [
    ['reload', 0.5, 30_000],
    ['reload', 0, 22_500],
    ['reload', 0.999999, 37_500],
    ['reload 10s', 0, 7500],
    ['reload 10s 2s', 0, 9000],
    ['reload 10s 0', 0, 10_000],
    ['reload 1h30m 1m', 0, 5_370_000],
  ]
  for (const [text, random, ms] of intervals) {
    const { plugin, server, pass } = bench(text, random)
    await plugin.start?.()
    await pass(ms - 1)
    t.equal(server.checks, 0, text)
    await pass(1)
    t.equal(server.checks, 1, text)
  }
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['reload 1s', 'Corefile:2:8: reload: interval must be at least 2s, got "1s"'],
    ['reload 10', 'Corefile:2:8: reload: interval must be a duration'],
    ['reload 10s 500ms', 'Corefile:2:12: reload: jitter must be 0 or at least 1s, got "500ms"'],
    ['reload 10s 2s x', 'Corefile:2:15: reload: unexpected argument "x"'],
    ['reload 10s {\nx\n}', 'Corefile:3:1: reload: unknown option "x"'],
  ]
  for (const [text, message] of mistakes) t.throws(() => pluginBench(definition, text), { message })
})
