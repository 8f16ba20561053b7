import t from 'tap'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { bare, SERVFAIL } from '../../src/wire/answer.ts'
import { Rcode } from '../../src/wire/types.ts'
import { serve } from '../helpers/serve.ts'

const moody: PluginDefinition = {
  name: 'moody',
  setup: () => ({
    name: 'moody',
    handle: query =>
      query.key.startsWith('\x03bad')
        ? { answer: SERVFAIL, plugin: 'moody', error: new Error('no upstream') }
        : { answer: bare(Rcode.NOERROR), plugin: 'moody' },
  }),
}

t.test('the plugins that watch a server, in one block', async t => {
  const corefile = `example.org cluster.local {
    moody
    log . "{name} {type} {rcode}" {
      class error
    }
    log . "never {name}"
    errors
    prometheus 127.0.0.1:0
    health 127.0.0.1:0
    ready 127.0.0.1:0
    bind 127.0.0.1
    debug
  }`
  const { ask, log, metrics, logger, instance } = await serve(t, corefile, { plugins: [moody] })
  t.equal(await ask('good.example.org A'), 'NODATA')
  t.equal(await ask('BAD.cluster.local AAAA'), 'SERVFAIL')
  t.strictSame(log, [
    '[INFO] bad.cluster.local. AAAA SERVFAIL',
    '[ERROR] plugin/errors: 2 bad.cluster.local. AAAA: no upstream',
  ])
  t.equal(logger.debugging, true)

  const exposed = async (name: string) =>
    (await metrics.exposition())
      .split('\n')
      .filter(line => line.startsWith(`${name}{`))
      .map(line => line.slice(name.length))
  t.strictSame(await exposed('coredns_dns_responses_total'), [
    '{server="dns://127.0.0.1:53",zone="example.org.",view="",rcode="NOERROR",plugin="moody"} 1',
    '{server="dns://127.0.0.1:53",zone="cluster.local.",view="",rcode="SERVFAIL",plugin="moody"} 1',
  ])
  const enabled = (await exposed('coredns_plugin_enabled')).filter(line => line.includes('zone="example.org."'))
  t.strictSame(
    enabled.map(line => /name="(\w+)"/.exec(line)?.[1]),
    ['prometheus', 'errors', 'log', 'moody'],
  )
  await instance.stop()
  t.equal(logger.debugging, false)
  t.strictSame(await exposed('coredns_plugin_enabled'), [])
})
