import t from 'tap'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { nameToText } from '../../src/wire/name.ts'
import { answerTo } from '../helpers/answer.ts'
import { cluster, namespace, service, slice } from '../helpers/cluster.ts'
import { check, type Rows, serveCluster } from './asking.ts'

/** The next plugin: it has an address for every name. */
const next: PluginDefinition = {
  name: 'next',
  setup: () => ({
    name: 'next',
    handle: query => ({
      answer: answerTo(query, { answers: [`${nameToText(query.name)} 60 IN A 192.0.2.1`] }),
      plugin: 'next',
    }),
  }),
}

const NEXT = '60 A 192.0.2.1 (no AA)'

const sample = () =>
  cluster(
    service('shop/web', { ip: '10.96.0.1' }),
    service('hl/six', { ip: 'None' }),
    slice('hl/six', ['fd00::1']),
    namespace('empty'),
  )

const asked = (options: string) => ({
  options,
  zones: '.',
  origins: 'cluster.local in-addr.arpa',
  others: 'next',
  plugins: [next],
})

const existing: Rows = [
  ['web.shop.svc A', 'A 10.96.0.1'],
  ['web.shop.svc AAAA', 'NODATA'],
  ['six.hl.svc A', 'NODATA'],
  ['empty.svc A', 'NODATA'],
  ['cluster.local. A', 'NODATA'],
  ['nosuch.shop.svc SOA', 'NODATA'],
]

t.test('without it the zones are the plugin’s alone', async t => {
  await check(t, await serveCluster(t, sample(), asked('')), [
    ...existing,
    ['nosuch.shop.svc A', 'NXDOMAIN'],
    ['1.1.1.1.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['elsewhere.test. A', NEXT],
  ])
})

t.test('names that do not exist go on, those without the type do not', async t => {
  await check(t, await serveCluster(t, sample(), asked('fallthrough')), [
    ...existing,
    ['nosuch.shop.svc A', NEXT],
    ['nosuch A', NEXT],
    ['web.shop.svc.in-addr.arpa. A', NEXT],
    ['1.1.1.1.in-addr.arpa. PTR', NEXT],
    ['1.0.96.10.in-addr.arpa. PTR', 'PTR web.shop.svc'],
    ['1.0.96.10.in-addr.arpa. A', NEXT],
    ['dns-version A', NEXT],
    ['cluster.local. AXFR', 'REFUSED (no SOA) (no AA)'],
  ])
})

t.test('zones are those of the question', async t => {
  await check(t, await serveCluster(t, sample(), asked('fallthrough in-addr.arpa')), [
    ...existing,
    ['nosuch.shop.svc A', 'NXDOMAIN'],
    ['1.1.1.1.in-addr.arpa. PTR', NEXT],
  ])
  await check(t, await serveCluster(t, sample(), asked('fallthrough shop.svc.cluster.local')), [
    ...existing,
    ['nosuch.shop.svc A', NEXT],
    ['a.nosuch.shop.svc A', NEXT],
    ['nosuch.hl.svc A', 'NXDOMAIN'],
    ['1.1.1.1.in-addr.arpa. PTR', 'NXDOMAIN'],
  ])
  await check(t, await serveCluster(t, sample(), asked('fallthrough other.test')), [
    ...existing,
    ['nosuch.shop.svc A', 'NXDOMAIN'],
  ])
})
