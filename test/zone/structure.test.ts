import t from 'tap'
import { testClock } from '../helpers/clock.ts'
import { cluster, namespace, service, slice } from '../helpers/cluster.ts'
import { check, serveCluster } from './asking.ts'

const SERIAL = '1767225600'
const soa = (zone: string, ttl = '') => `${ttl}SOA ns.dns.${zone} hostmaster.${zone} ${SERIAL} 7200 1800 86400 5`

function sample() {
  return cluster(
    namespace('empty'),
    service('shop/web', { ip: '10.96.0.1', ports: ['http:80/TCP'] }),
    slice('shop/web', ['10.244.0.1'], { ports: ['http:80/TCP'] }),
  )
}

t.test('names that stand above others', async t => {
  await check(t, await serveCluster(t, sample()), [
    ...['A', 'AAAA', 'SRV', 'CNAME', 'PTR', 'MX', 'ANY', 'HTTPS', 'TYPE0'].flatMap(type =>
      ['cluster.local.', 'svc', 'pod', 'shop.svc', 'empty.svc'].map(name => [`${name} ${type}`, 'NODATA'] as const),
    ),
    // CoreDNS looks for TXT records in its own way.
    ...['cluster.local.', 'svc', 'shop.svc'].map(name => [`${name} TXT`, 'NXDOMAIN'] as const),
    ['nosuch.svc A', 'NXDOMAIN'],
    ['nosuch A', 'NXDOMAIN'],
    ['svc.svc A', 'NXDOMAIN'],
    ['shop A', 'NXDOMAIN'],
  ])
})

t.test('namespaces below pod exist unless pods are disabled', async t => {
  await check(t, await serveCluster(t, sample()), [
    ['shop.pod A', 'NXDOMAIN'],
    ['nosuch.pod A', 'NXDOMAIN'],
  ])
  for (const mode of ['insecure', 'verified']) {
    await check(t, await serveCluster(t, sample(), { options: `pods ${mode}` }), [
      ['shop.pod A', 'NODATA'],
      ['empty.pod AAAA', 'NODATA'],
      ['nosuch.pod A', 'NXDOMAIN'],
    ])
  }
})

t.test('ns.dns stands for the server itself, which `bind` hides', async t => {
  await check(t, await serveCluster(t, sample()), [
    ['ns.dns A', 'NODATA'],
    ['ns.dns AAAA', 'NODATA'],
    ['ns.dns SRV', 'NODATA'],
    ['ns.dns TXT', 'NXDOMAIN'],
    ['x.ns.dns A', 'NXDOMAIN'],
    ['apex.dns A', 'NXDOMAIN'],
    ['ns.dns.in-addr.arpa. A', 'NODATA'],
    ['cluster.local. NS', 'NODATA'],
  ])
})

t.test(
  'dns exists, because ns.dns does (RFC 8020), but not in reverse zones, and where NXDOMAIN falls through',
  async t => {
    await check(t, await serveCluster(t, sample()), [
      ['dns A', 'NODATA'],
      ['dns TXT', 'NXDOMAIN'],
      ['dns.in-addr.arpa. A', 'NXDOMAIN'],
    ])
    await check(t, await serveCluster(t, sample(), { options: 'fallthrough ip6.arpa' }), [
      ['dns A', 'NODATA'],
      ['dns.ip6.arpa. A', 'SERVFAIL (no SOA) (no AA)'],
    ])
    await check(t, await serveCluster(t, sample(), { options: 'fallthrough' }), [
      ['dns A', 'SERVFAIL (no SOA) (no AA)'],
    ])
  },
)

t.test('SOA at the apex, and NODATA for it everywhere below', async t => {
  const clock = testClock(1_767_225_600_999)
  await check(t, await serveCluster(t, sample(), { clock }), [
    ['cluster.local. SOA', soa('cluster.local.').replaceAll('.cluster.local.', '')],
    ['in-addr.arpa. SOA', soa('in-addr.arpa.')],
    ['web.shop.svc SOA', 'NODATA'],
    ['nosuch.shop.svc SOA', 'NODATA'],
    ['1.96.10.in-addr.arpa. SOA', 'NODATA'],
  ])
})

t.test('the SOA record lives as long as `ttl` says, 300 seconds at most', async t => {
  const ask = async (ttl: number) => {
    const served = await serveCluster(t, sample(), { options: `ttl ${ttl}`, clock: testClock(1_767_225_600_000) })
    return served.ask('CLUSTER.local. SOA')
  }
  const data = `ns.dns.cluster.local. hostmaster.cluster.local. ${SERIAL} 7200 1800 86400`
  t.equal(await ask(30), `CLUSTER.local. 30 IN SOA ${data} 30`)
  t.equal(await ask(3600), `CLUSTER.local. 300 IN SOA ${data} 3600`)
  t.equal(await ask(0), `CLUSTER.local. 0 IN SOA ${data} 0`)
})

t.test('dns-version is a TXT record in every zone and nothing else', async t => {
  await check(t, await serveCluster(t, sample()), [
    ['dns-version TXT', '28800 TXT "1.1.0"'],
    ['DNS-Version TXT', '28800 TXT "1.1.0"'],
    ['dns-version.in-addr.arpa. TXT', '28800 TXT "1.1.0"'],
    ['dns-version A', 'NXDOMAIN'],
    ['dns-version ANY', 'NXDOMAIN'],
    ['x.dns-version TXT', 'NXDOMAIN'],
  ])
})

t.test('types that have no records: NODATA or NXDOMAIN as for A', async t => {
  const types = ['ANY', 'HTTPS', 'DS', 'MX', 'CAA', 'NS', 'TYPE0', 'TYPE65400', 'PTR', 'TXT', 'CNAME']
  await check(t, await serveCluster(t, sample()), [
    ...types.map(type => [`web.shop.svc ${type}`, 'NODATA'] as const),
    ...types.map(type => [`nosuch.shop.svc ${type}`, 'NXDOMAIN'] as const),
  ])
})

t.test('zone transfers are refused', async t => {
  const served = await serveCluster(t, sample())
  for (const protocol of ['udp', 'tcp'] as const) {
    await check(
      t,
      served,
      [
        ['cluster.local. AXFR', 'REFUSED (no SOA) (no AA)'],
        ['cluster.local. IXFR', 'REFUSED (no SOA) (no AA)'],
        ['in-addr.arpa. AXFR', 'REFUSED (no SOA) (no AA)'],
      ],
      { protocol },
    )
  }
})

t.test('reverse zones hold addresses only', async t => {
  await check(t, await serveCluster(t, sample()), [
    ['in-addr.arpa. A', 'NODATA'],
    ['in-addr.arpa. PTR', 'NODATA'],
    ['svc.in-addr.arpa. A', 'NODATA'],
    ['pod.in-addr.arpa. A', 'NODATA'],
    ['shop.svc.in-addr.arpa. A', 'NXDOMAIN'],
    ['web.shop.svc.in-addr.arpa. A', 'NXDOMAIN'],
    ['10.in-addr.arpa. A', 'NXDOMAIN'],
  ])
})

t.test('names are found in any letter case and answered in the question’s', async t => {
  const served = await serveCluster(t, sample())
  t.equal(await served.ask('wEb.SHOP.svc.Cluster.LOCAL A'), 'wEb.SHOP.svc.Cluster.LOCAL. 5 IN A 10.96.0.1')
  t.equal(
    await served.ask('_HTTP._tcp.wEb.SHOP.svc.Cluster.LOCAL SRV'),
    '_HTTP._tcp.wEb.SHOP.svc.Cluster.LOCAL. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.',
  )
})

t.test('a dot within a label does not end it', async t => {
  await check(t, await serveCluster(t, sample()), [
    ['web\\.shop.svc A', 'NXDOMAIN'],
    ['web.shop\\.svc A', 'NXDOMAIN'],
    ['\\000.shop.svc A', 'NXDOMAIN'],
  ])
})

t.test('the longest origin of a plugin answers', async t => {
  const served = await serveCluster(t, sample(), { zones: 'local cluster.local' })
  await check(t, served, [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['web.shop.svc.local. A', 'A 10.96.0.1'],
    ['cluster.local. A', 'NODATA'],
    ['svc.local. A', 'NODATA'],
  ])
})
