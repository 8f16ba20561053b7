import t from 'tap'
import { metrics } from '../../src/observe/metrics.ts'
import { DROPPED, trafficMetrics } from '../../src/observe/traffic.ts'
import { bare, REFUSED } from '../../src/wire/answer.ts'
import { fullSize } from '../../src/wire/finish.ts'
import { Rcode } from '../../src/wire/types.ts'
import { queryFor } from '../helpers/plugin.ts'

const NOERROR = bare(Rcode.NOERROR)

async function exposed(all: ReturnType<typeof metrics>, pattern: RegExp) {
  const lines = (await all.exposition()).split('\n')
  return lines.filter(line => !line.startsWith('#') && pattern.test(line))
}

t.test('names, labels and buckets are those of CoreDNS', async t => {
  const all = metrics()
  const traffic = trafficMetrics(all).of('dns://:53', 'cluster.local.')
  const query = queryFor('web.shop.svc.cluster.local', 'A', { edns: { flags: 0x8000 } })
  traffic.count(query, NOERROR, 'kubernetes', 0.0003)
  t.strictSame(await exposed(all, /requests_total|responses_total|_(sum|count)/), [
    'coredns_dns_requests_total{server="dns://:53",zone="cluster.local.",view="",proto="udp",family="1",type="A"} 1',
    'coredns_dns_do_requests_total{server="dns://:53",zone="cluster.local.",view=""} 1',
    'coredns_dns_request_duration_seconds_sum{server="dns://:53",zone="cluster.local.",view=""} 0.0003',
    'coredns_dns_request_duration_seconds_count{server="dns://:53",zone="cluster.local.",view=""} 1',
    `coredns_dns_request_size_bytes_sum{server="dns://:53",zone="cluster.local.",view="",proto="udp"} ${query.packet.length}`,
    'coredns_dns_request_size_bytes_count{server="dns://:53",zone="cluster.local.",view="",proto="udp"} 1',
    `coredns_dns_response_size_bytes_sum{server="dns://:53",zone="cluster.local.",view="",proto="udp"} ${fullSize(query, NOERROR)}`,
    'coredns_dns_response_size_bytes_count{server="dns://:53",zone="cluster.local.",view="",proto="udp"} 1',
    'coredns_dns_responses_total{server="dns://:53",zone="cluster.local.",view="",rcode="NOERROR",plugin="kubernetes"} 1',
  ])
  const bounds = async (name: string) =>
    (await exposed(all, new RegExp(`${name}_bucket`))).map(line => /le="([^"]+)"/.exec(line)![1])
  t.strictSame(
    await bounds('duration_seconds'),
    '0.00025 0.0005 0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192 +Inf'.split(
      ' ',
    ),
  )
  const sizes = '0 100 200 300 400 511 1023 2047 4095 8291 16000 32000 48000 64000 +Inf'.split(' ')
  t.strictSame(await bounds('request_size_bytes'), sizes)
  t.strictSame(await bounds('response_size_bytes'), sizes)
})

t.test('protocol, family and type tell requests apart', async t => {
  const all = metrics()
  const traffic = trafficMetrics(all).of('dns://:53', '.')
  const named = 'A AAAA CNAME DNSKEY DS MX NSEC3 NSEC NS PTR RRSIG SOA SRV TXT HTTPS SVCB IXFR AXFR ANY'.split(' ')
  for (const type of [...named, 'HINFO', 'CAA', 'TYPE0', 'TYPE65400']) {
    traffic.count(queryFor('a.test', type), NOERROR, '', 0)
  }
  traffic.count(queryFor('a.test', 'A', { peer: { protocol: 'tcp', address: '2001:db8::1' } }), NOERROR, '', 0)
  const lines = await exposed(all, /requests_total/)
  const labels = lines.map(line => /proto="(\w+)",family="(\d)",type="(\w+)"\} (\d+)/.exec(line)!.slice(1).join(' '))
  t.strictSame(labels, [...named.map(type => `udp 1 ${type} 1`), 'udp 1 other 4', 'tcp 2 A 1'])
})

t.test('what no server block took is counted as dropped', async t => {
  const all = metrics()
  trafficMetrics(all).of('dns://:53', DROPPED).count(queryFor('a.test'), REFUSED, '', 0)
  // Another generation of the configuration counts on.
  trafficMetrics(all).of('dns://:53', DROPPED).count(queryFor('a.test'), REFUSED, '', 0)
  t.strictSame(await exposed(all, /responses_total/), [
    'coredns_dns_responses_total{server="dns://:53",zone="dropped",view="",rcode="REFUSED",plugin=""} 2',
  ])
})

t.test('server, zone and view tell traffic apart', async t => {
  const traffic = trafficMetrics(metrics())
  t.equal(traffic.of('dns://:53', '.'), traffic.of('dns://:53', '.', ''))
  t.not(traffic.of('dns://:53', '.'), traffic.of('dns://:53', '.', 'inside'))
  t.not(traffic.of('dns://:53', '.'), traffic.of('dns://:54', '.'))
})
