import t from 'tap'
import type { Plugin, PluginDefinition, Reply } from '../../src/plugin/plugin.ts'
import { bare } from '../../src/wire/answer.ts'
import { nameToText } from '../../src/wire/name.ts'
import type { Query } from '../../src/wire/query.ts'
import { Bit, Rcode } from '../../src/wire/types.ts'
import { answerTo } from '../helpers/answer.ts'
import { cluster, service, slice } from '../helpers/cluster.ts'
import { answered, check, serveCluster } from './asking.ts'

/** Names elsewhere, and what an upstream says of them. */
const elsewhere: { readonly [name: string]: (query: Query) => Reply['answer'] } = {
  'www.test.': query =>
    answerTo(
      query,
      { answers: ['www.test. 120 IN CNAME host.test.', 'host.test. 60 IN A 192.0.2.1'] },
      { bits: Bit.RA },
    ),
  'host.test.': query => answerTo(query, { answers: ['host.test. 60 IN A 192.0.2.1'] }),
  'big.test.': query => answerTo(query, { answers: ['big.test. 60 IN A 192.0.2.1'] }, { bits: Bit.TC }),
  'back.test.': query => answerTo(query, { answers: ['back.test. 60 IN CNAME web.shop.svc.cluster.local.'] }),
  'nodata.test.': () => bare(Rcode.NOERROR),
  'refused.test.': () => bare(Rcode.REFUSED),
  'servfail.test.': () => bare(Rcode.SERVFAIL),
}

/** A plugin in the place of `forward` that notes what it is asked. */
function upstream(asked: string[] = []): PluginDefinition {
  const plugin: Plugin = {
    name: 'upstream',
    handle(query) {
      const name = nameToText(query.name)
      asked.push(name)
      const answer = elsewhere[name.toLowerCase()]?.(query) ?? bare(Rcode.NXDOMAIN, Bit.AA)
      return { answer, plugin: 'upstream' }
    },
  }
  return { name: 'upstream', setup: () => plugin }
}

const alias = (key: string, externalName: string) => service(key, { externalName })

/** `chain-1` leads to `chain-2`, …, and the last to `web`. */
const chained = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const next = i + 1 < count ? `${prefix}-${i + 2}` : 'web'
    return alias(`shop/${prefix}-${i + 1}`, `${next}.shop.svc.cluster.local`)
  })

const sample = () =>
  cluster(
    service('shop/web', { ip: '10.96.0.1', ports: ['http:80'] }),
    service('shop/six', { ip: 'fd00:96::1' }),
    alias('shop/out', 'www.test'),
    alias('shop/dot', 'host.test.'),
    alias('shop/big', 'big.test'),
    alias('shop/upper', 'HOST.Test'),
    alias('shop/nx', 'nosuch.test'),
    alias('shop/nodata', 'nodata.test'),
    alias('shop/refused', 'refused.test'),
    alias('shop/servfail', 'servfail.test'),
    alias('shop/back', 'back.test'),
    alias('shop/in', 'web.shop.svc.cluster.local'),
    alias('shop/in-upper', 'WEB.shop.svc.cluster.local'),
    alias('shop/missing', 'nosuch.shop.svc.cluster.local'),
    alias('shop/family', 'six.shop.svc.cluster.local'),
    alias('shop/apex', 'cluster.local'),
    alias('shop/self', 'self.shop.svc.cluster.local'),
    alias('shop/ping', 'pong.shop.svc.cluster.local'),
    alias('shop/pong', 'ping.shop.svc.cluster.local'),
    alias('shop/address', '192.0.2.5'),
    alias('shop/address6', '2001:db8::5'),
    alias('shop/reverse', '1.0.96.10.in-addr.arpa'),
    service('shop/ports', { externalName: 'host.test', ports: ['http:80'] }),
    ...chained('eleven', 11),
    ...chained('twelve', 12),
  )

/** A server of `.` whose upstream notes what it is asked. */
function withUpstream(asked: string[] = []) {
  const zones = { zones: '.', origins: 'cluster.local in-addr.arpa' }
  return serveCluster(t, sample(), { ...zones, others: 'upstream', plugins: [upstream(asked)] })
}

t.test('a target elsewhere is asked for through the server’s own chain', async t => {
  await check(t, await withUpstream(), [
    ['out.shop.svc A', 'CNAME www.test., www.test. 120 CNAME host.test., host.test. 60 A 192.0.2.1'],
    ['dot.shop.svc A', 'CNAME host.test., host.test. 60 A 192.0.2.1'],
    ['upper.shop.svc A', 'CNAME HOST.Test., host.test. 60 A 192.0.2.1'],
    ['big.shop.svc A', 'CNAME big.test., big.test. 60 A 192.0.2.1 (truncated)'],
  ])
})

t.test('where it fails, the CNAME stands alone', async t => {
  const names = { nx: 'nosuch', nodata: 'nodata', refused: 'refused', servfail: 'servfail' }
  await check(t, await withUpstream(), [
    ...Object.entries(names).flatMap(([service, target]) =>
      ['A', 'AAAA'].map(type => [`${service}.shop.svc ${type}`, `CNAME ${target}.test.`] as const),
    ),
    ['dot.shop.svc AAAA', 'CNAME host.test., host.test. 60 A 192.0.2.1'],
  ])
  const alone = await serveCluster(t, sample())
  await check(t, alone, [['out.shop.svc A', 'CNAME www.test.']])
})

t.test('an upstream’s way back into the zone is not followed', async t => {
  const asked: string[] = []
  await check(t, await withUpstream(asked), [['back.shop.svc A', 'CNAME back.test., back.test. 60 CNAME web.shop.svc']])
  t.strictSame(asked, ['back.test.'])
})

t.test('a target in the zone is looked up there', async t => {
  const asked: string[] = []
  await check(t, await withUpstream(asked), [
    ['in.shop.svc A', 'CNAME web.shop.svc, web.shop.svc A 10.96.0.1'],
    ['in-upper.shop.svc A', 'CNAME WEB.shop.svc, WEB.shop.svc A 10.96.0.1'],
    ['IN.shop.svc A', 'CNAME web.shop.svc, web.shop.svc A 10.96.0.1'],
    ['family.shop.svc AAAA', 'CNAME six.shop.svc, six.shop.svc AAAA fd00:96::1'],
  ])
  t.strictSame(asked, [], 'no upstream is asked')
})

t.test('where nothing comes of it the CNAME is kept', async t => {
  await check(t, await withUpstream(), [
    ['missing.shop.svc A', 'CNAME nosuch.shop.svc'],
    ['in.shop.svc AAAA', 'CNAME web.shop.svc'],
    ['family.shop.svc A', 'CNAME six.shop.svc'],
  ])
})

t.test('a way that leads nowhere is NODATA, yet its CNAME can be asked for', async t => {
  await check(t, await withUpstream(), [
    ['self.shop.svc A', 'NODATA'],
    ['self.shop.svc AAAA', 'NODATA'],
    ['self.shop.svc CNAME', 'CNAME self.shop.svc'],
    ['ping.shop.svc A', 'NODATA'],
    ['apex.shop.svc CNAME', 'CNAME cluster.local.'],
  ])
})

t.test('eleven names are followed, twelve are not', async t => {
  const served = await withUpstream()
  const answer = (await served.ask('eleven-1.shop.svc.cluster.local A', { protocol: 'tcp' })).split('\n')
  t.equal(answer.filter(line => line.includes(' CNAME ')).length, 11)
  t.equal(answer.filter(line => line.endsWith(' IN A 10.96.0.1')).length, 1)
  await check(t, served, [
    ['twelve-1.shop.svc A', 'NODATA'],
    ['twelve-1.shop.svc CNAME', 'CNAME twelve-2.shop.svc'],
  ])
})

t.test('a name in another zone of the plugin is asked for like any other', async t => {
  await check(t, await withUpstream(), [['reverse.shop.svc A', 'CNAME 1.0.96.10.in-addr.arpa.']])
})

t.test('other types have no records', async t => {
  await check(t, await withUpstream(), [
    ['out.shop.svc CNAME', 'CNAME www.test.'],
    ...['SRV', 'TXT', 'MX', 'ANY', 'HTTPS'].map(type => [`out.shop.svc ${type}`, 'NODATA'] as const),
    ['out.shop.svc SOA', 'NODATA'],
    ['_http._tcp.ports.shop.svc SRV', 'NXDOMAIN'],
    ['_http._tcp.ports.shop.svc A', 'NXDOMAIN'],
    ['x.out.shop.svc A', 'NXDOMAIN'],
  ])
})

t.test('an address is no name', async t => {
  for (const type of ['A', 'AAAA', 'CNAME', 'SRV', 'ANY']) {
    await check(t, await withUpstream(), [
      [`address.shop.svc ${type}`, 'NXDOMAIN'],
      [`address6.shop.svc ${type}`, 'NXDOMAIN'],
    ])
  }
})

t.test('names that each stand for many are not followed without end', async t => {
  const ten = (layer: number) => Array.from({ length: 10 }, (_, i) => `n${i}-${layer}`)
  const layers = [0, 1, 2].flatMap(layer =>
    ten(layer).flatMap(name => [
      service(`shop/${name}`, { ip: 'None' }),
      slice(
        `shop/${name}`,
        ten(layer + 1).map(next => `${next}.shop.svc.cluster.local`),
      ),
    ]),
  )
  const last = ten(3).map(name => alias(`shop/${name}`, 'nosuch.test'))
  const asked: string[] = []
  const state = cluster(...layers, ...last)
  const zones = { zones: '.', origins: 'cluster.local in-addr.arpa' }
  const served = await serveCluster(t, state, { ...zones, others: 'upstream', plugins: [upstream(asked)] })
  t.match(await answered(served, 'n0-0.shop.svc A', { protocol: 'tcp' }), /^CNAME n0-1\.shop\.svc, /)
  t.ok(asked.length > 100 && asked.length < 1000, `${asked.length} questions to the upstream`)
})
