/** The name servers of a zone: the services that stand before this server, or its own addresses. */
import t from 'tap'
import type { ClusterObject } from '../../src/cluster/objects.ts'
import { NameServers } from '../../src/plugins/kubernetes/name-server.ts'
import type { Answer } from '../../src/wire/answer.ts'
import { keyFromText } from '../../src/wire/name.ts'
import { Type } from '../../src/wire/types.ts'
import { ClusterZones } from '../../src/zone/cluster-zones.ts'
import { shown } from '../helpers/answer.ts'
import { cluster, service, slice } from '../helpers/cluster.ts'

const APEX = 'cluster.local.'

function nameServers(local: readonly string[], ...objects: readonly ClusterObject[]) {
  const naming = { endpointPodNames: false, ignoreEmptyService: false }
  const zones = new ClusterZones({
    ...naming,
    origins: [keyFromText(APEX)!],
    ttl: 5,
    pods: 'disabled',
    noEndpoints: false,
    zonal: false,
    namespaces: new Set(),
    dnsNode: () => true,
    now: () => 1,
  })
  const state = cluster(...objects)
  state.follow(zones)
  const servers = new NameServers(zones, local, 5, naming)
  const [zone] = zones.zones
  const text = (answer: Answer | undefined, name: Uint8Array) => answer && shown(answer, { name }).slice(1)
  return {
    state,
    records: () => text(servers.records(zone!), zone!.originName),
    addresses: (type: number) => {
      const name = Buffer.from(`\x02ns\x03dns${zone!.origin}`, 'latin1')
      return text(servers.addresses(type, name.length), name)
    },
  }
}

t.test('without a service: its own addresses under ns.dns', async t => {
  const { records, addresses } = nameServers(['192.0.2.1', '2001:db8::1', '192.0.2.2'])
  t.strictSame(records(), [
    '= cluster.local. 5 IN NS ns.dns.cluster.local.',
    '+ ns.dns.cluster.local. 5 IN A 192.0.2.1',
    '+ ns.dns.cluster.local. 5 IN AAAA 2001:db8::1',
    '+ ns.dns.cluster.local. 5 IN A 192.0.2.2',
  ])
  t.strictSame(addresses(Type.A), [
    '= ns.dns.cluster.local. 5 IN A 192.0.2.1',
    '= ns.dns.cluster.local. 5 IN A 192.0.2.2',
  ])
  t.strictSame(addresses(Type.AAAA), ['= ns.dns.cluster.local. 5 IN AAAA 2001:db8::1'])
})

t.test('no address, no name server', async t => {
  for (const local of [[], ['fe80::1%eth0']]) {
    const { records, addresses } = nameServers(local)
    t.equal(records(), undefined)
    t.equal(addresses(Type.A), undefined)
  }
  t.equal(nameServers(['192.0.2.1']).addresses(Type.AAAA), undefined)
})

t.test('behind a service: its name and cluster addresses', async t => {
  const { records, addresses } = nameServers(
    ['10.244.0.10', '192.0.2.1', 'fd00:244::10'],
    service('kube-system/kube-dns', { ip: ['10.96.0.10', 'fd00:96::10'], ports: ['dns:53/UDP'] }),
    slice('kube-system/kube-dns', ['fd00:244::10'], { ports: ['dns:53/UDP'] }),
    slice('kube-system/kube-dns', ['10.244.0.10', '10.244.0.11'], { ports: ['dns:53/UDP'] }),
  )
  t.strictSame(records(), [
    '= cluster.local. 5 IN NS kube-dns.kube-system.svc.cluster.local.',
    '+ kube-dns.kube-system.svc.cluster.local. 5 IN A 10.96.0.10',
    '+ kube-dns.kube-system.svc.cluster.local. 5 IN AAAA fd00:96::10',
  ])
  t.strictSame(addresses(Type.A), ['= ns.dns.cluster.local. 5 IN A 10.96.0.10'])
})

t.test('behind a headless service: the names of its endpoints', async t => {
  const { records } = nameServers(
    ['10.244.0.10'],
    service('kube-system/dns', { ip: 'None' }),
    slice('kube-system/dns', [
      { ip: '10.244.0.10', hostname: 'dns-0' },
      '10.244.0.11',
      { ip: '10.244.0.12', ready: false },
    ]),
  )
  t.strictSame(records(), [
    '= cluster.local. 5 IN NS dns-0.dns.kube-system.svc.cluster.local.',
    '= cluster.local. 5 IN NS 10-244-0-11.dns.kube-system.svc.cluster.local.',
    '+ dns-0.dns.kube-system.svc.cluster.local. 5 IN A 10.244.0.10',
    '+ 10-244-0-11.dns.kube-system.svc.cluster.local. 5 IN A 10.244.0.11',
  ])
})

t.test('an endpoint that is not ready, or of no service, does not count', async t => {
  const { records } = nameServers(
    ['10.244.0.10'],
    service('kube-system/kube-dns', { ip: '10.96.0.10' }),
    slice('kube-system/kube-dns', [{ ip: '10.244.0.10', ready: false }]),
    slice('kube-system/orphan', ['10.244.0.10']),
  )
  t.match(records(), ['= cluster.local. 5 IN NS ns.dns.cluster.local.'])
})

t.test('a change of the cluster is seen at once', async t => {
  const { state, addresses } = nameServers(['10.244.0.10'], slice('kube-system/kube-dns', ['10.244.0.10']))
  t.strictSame(addresses(Type.A), ['= ns.dns.cluster.local. 5 IN A 10.244.0.10'])
  state.upsert(service('kube-system/kube-dns', { ip: '10.96.0.10' }))
  t.strictSame(addresses(Type.A), ['= ns.dns.cluster.local. 5 IN A 10.96.0.10'])
})
