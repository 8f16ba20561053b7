import t from 'tap'
import type { Reply } from '../../src/plugin/plugin.ts'
import { definition } from '../../src/plugins/prometheus/index.ts'
import { version } from '../../src/version.ts'
import { NOTIMP, SERVFAIL } from '../../src/wire/answer.ts'
import { keyFromText } from '../../src/wire/name.ts'
import { refusingHub, testHub } from '../helpers/http.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'

const reply: Reply = { answer: SERVFAIL, plugin: 'forward' }

/** The samples of a metric, its name cut off. */
function samples(text: string, name: string): string[] {
  return text.split('\n').flatMap(line => (line.startsWith(`${name}{`) ? [line.slice(name.length)] : []))
}

t.test('queries are counted by zone, and exported at /metrics', async t => {
  const http = testHub(t)
  const zone = 'cluster.local example.org'
  const { plugin, clock } = pluginBench(definition, 'prometheus 127.0.0.1:0', { zone, context: { http } })
  await plugin.start?.()
  const ask = (name: string, origin: string, answered: () => Reply | Promise<Reply>) =>
    plugin.handle(queryFor(name).with({ origin: keyFromText(origin)! }), answered)
  const slow = () => {
    clock.advance(3)
    return reply
  }
  t.equal(ask('a.cluster.local', 'cluster.local', slow), reply)
  t.equal(await ask('b.cluster.local', 'cluster.local', async () => slow()), reply)
  ask('a.example.org', 'example.org', () => ({ answer: NOTIMP, plugin: '' }))

  const { status, type, body } = await http.get('/metrics')
  t.equal(status, 200)
  t.match(type, /^text\/plain; version=0\.0\.4/)
  t.strictSame(samples(body, 'coredns_dns_responses_total'), [
    '{server="dns://:53",zone="cluster.local.",view="",rcode="SERVFAIL",plugin="forward"} 2',
    '{server="dns://:53",zone="example.org.",view="",rcode="NOTIMP",plugin=""} 1',
  ])
  t.strictSame(samples(body, 'coredns_dns_request_duration_seconds_sum'), [
    '{server="dns://:53",zone="cluster.local.",view=""} 0.006',
    '{server="dns://:53",zone="example.org.",view=""} 0',
  ])
  t.strictSame(samples(body, 'coredns_build_info'), [
    `{version="${version}",revision="",goversion="${process.version}"} 1`,
  ])
  t.match(body, /^process_resident_memory_bytes \d+$/m)
  await plugin.stop?.()
  await t.rejects(http.get('/metrics'))
})

t.test('enabled plugins are those of the chain, as long as the block is served', async t => {
  const http = testHub(t)
  const plugins = [{ name: 'cache', handle: () => reply }, { name: 'reload' }]
  const zone = 'a.test b.test'
  const { plugin, context } = pluginBench(definition, 'prometheus 127.0.0.1:0', { zone, plugins, context: { http } })
  context.block.listen = ['127.0.0.1', '::1']
  const enabled = async () => samples(await context.metrics.exposition(), 'coredns_plugin_enabled')
  await plugin.start?.()
  t.strictSame(await enabled(), [
    '{server="dns://127.0.0.1:53",zone="a.test.",view="",name="cache"} 1',
    '{server="dns://127.0.0.1:53",zone="b.test.",view="",name="cache"} 1',
    '{server="dns://[::1]:53",zone="a.test.",view="",name="cache"} 1',
    '{server="dns://[::1]:53",zone="b.test.",view="",name="cache"} 1',
  ])
  await plugin.stop?.()
  t.strictSame(await enabled(), [])
})

t.test('with several addresses the server label is the one that was asked', async t => {
  const { plugin, context } = pluginBench(definition, 'prometheus')
  context.block.listen = ['169.254.20.10', 'fd00::a']
  for (const localAddress of ['169.254.20.10', 'fd00::a', '10.0.0.1']) {
    plugin.handle(queryFor('a.test', 'A', { peer: { localAddress } }), () => reply)
  }
  t.strictSame(samples(await context.metrics.exposition(), 'coredns_dns_responses_total'), [
    '{server="dns://169.254.20.10:53",zone=".",view="",rcode="SERVFAIL",plugin="forward"} 1',
    '{server="dns://[fd00::a]:53",zone=".",view="",rcode="SERVFAIL",plugin="forward"} 1',
    `{server="${context.block.label}",zone=".",view="",rcode="SERVFAIL",plugin="forward"} 1`,
  ])
})

t.test('the default is port 9153 of localhost', async t => {
  const asked: string[] = []
  for (const text of ['prometheus', 'prometheus :9253 {\nruntime_metrics\n}']) {
    const { plugin } = pluginBench(definition, text, { context: { http: refusingHub(asked) } })
    await t.rejects(plugin.start!(), { message: 'taken' })
    await plugin.stop?.()
  }
  t.strictSame(asked, ['localhost:9153', ':9253'])
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['prometheus 127.0.0.1', 'Corefile:2:12: prometheus: address must be an address with a port'],
    ['prometheus :1 x', 'Corefile:2:15: prometheus: unexpected argument "x"'],
    ['prometheus {\nruntime_metrics x\n}', 'Corefile:3:17: prometheus: unexpected argument "x" for runtime_metrics'],
    ['prometheus {\nbogus\n}', 'Corefile:3:1: prometheus: unknown option "bogus"'],
  ]
  for (const [text, message] of mistakes) t.throws(() => pluginBench(definition, text), { message })
})
