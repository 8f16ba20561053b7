import t from 'tap'
import { definition } from '../../src/plugins/whoami/index.ts'
import type { Query } from '../../src/wire/query.ts'
import { shown } from '../helpers/answer.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'

const next = () => t.fail('whoami answers everything') as never

function ask(query: Query) {
  const reply = pluginBench(definition, 'whoami').plugin.handle(query, next)
  if (reply instanceof Promise) throw new Error('no need to wait')
  return reply
}

t.test('names the client in the additional section', async t => {
  const query = queryFor('Example.ORG')
  t.strictSame(shown(ask(query).answer, query), [
    'rcode NOERROR AA',
    '+ Example.ORG. 0 IN A 192.0.2.1',
    '+ _udp.Example.ORG. 0 IN SRV 0 0 40000 .',
  ])
})

t.test('knows IPv6 and TCP', async t => {
  const query = queryFor('.', 'AAAA', { peer: { protocol: 'tcp', address: '2001:db8::1', port: 853 } })
  t.strictSame(shown(ask(query).answer, query), [
    'rcode NOERROR AA',
    '+ . 0 IN AAAA 2001:db8::1',
    '+ _tcp. 0 IN SRV 0 0 853 .',
  ])
})

t.test('leaves the port out where its name would be too long', async t => {
  const label = 'x'.repeat(62)
  const query = queryFor([label, label, label, label].join('.'))
  t.equal(ask(query).answer.additionals, 1)
})

t.test('is never to be cached: it depends on the client', async t => {
  t.equal(ask(queryFor('a.')).current, true)
})

t.test('takes neither arguments nor options', async t => {
  t.throws(() => pluginBench(definition, 'whoami example.org'), { code: 'PORTOLAN_COREFILE_OPTION' })
  t.throws(() => pluginBench(definition, 'whoami {\n ttl 3\n}'), { code: 'PORTOLAN_COREFILE_OPTION' })
})
