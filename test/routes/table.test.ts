/** What the table says of services of every kind. */
import t from 'tap'
import type { ClusterObject } from '../../src/cluster/objects.ts'
import { nameOf, type Route } from '../../src/routes/route.ts'
import { isRouted, RouteTable } from '../../src/routes/table.ts'
import { cluster, service, slice } from '../helpers/cluster.ts'

function table(...objects: ClusterObject[]): RouteTable {
  const made = new RouteTable()
  cluster(...objects).follow(made)
  return made
}

const text = ({ kind, ip, port, protocol }: Route) => `${kind} ${ip} ${port}/${protocol}`
const destinations = (table: RouteTable, key: string) => {
  const found = table.service(key)
  return found !== undefined && isRouted(found) ? found : []
}

t.test('each address of each family leads to the endpoints of its family', async t => {
  const made = table(
    service('shop/web', {
      type: 'LoadBalancer',
      ip: ['10.96.0.1', 'FD00:96:0::1'],
      ports: ['http:80->web@30080', 'dns:53/UDP'],
      externalIPs: ['192.0.2.1', 'fd00:e::1'],
      loadBalancerIPs: ['203.0.113.1', '203.0.113.2'],
      proxyModeIPs: ['203.0.113.2'],
    }),
    slice('shop/web', ['10.0.0.10', '10.0.0.8'], { ports: ['http:8080', 'dns:53/UDP'] }),
    slice('shop/web', ['fd00:0::8'], { ports: ['http:8081'] }),
  )
  t.same([...made.all()].map(text), [
    'ClusterIP 10.96.0.1 80/TCP',
    'ExternalIP 192.0.2.1 80/TCP',
    'LoadBalancer 203.0.113.1 80/TCP',
    'NodePort 0.0.0.0 30080/TCP',
    'ClusterIP 10.96.0.1 53/UDP',
    'ExternalIP 192.0.2.1 53/UDP',
    'LoadBalancer 203.0.113.1 53/UDP',
    'ClusterIP fd00:96::1 80/TCP',
    'ExternalIP fd00:e::1 80/TCP',
    'NodePort :: 30080/TCP',
    'ClusterIP fd00:96::1 53/UDP',
    'ExternalIP fd00:e::1 53/UDP',
  ])
  const leads = (vip: string, port: number) =>
    made.find(vip, 'TCP', port)?.destination.backends.map(({ address }) => address)
  t.same(leads('10.96.0.1', 80), ['10.0.0.10:8080', '10.0.0.8:8080'], 'ordered as texts')
  t.same(leads('203.0.113.1', 80), leads('10.96.0.1', 80))
  t.same(leads('fd00:96:0:0::1', 80), ['[fd00::8]:8081'])
  t.same(leads('::', 30_080), ['[fd00::8]:8081'])
  t.same(made.find('fd00:96::1', 'UDP', 53)?.destination.backends, [], 'no port of that name')
  t.equal(made.find('10.96.0.1', 'UDP', 80), undefined)
  t.equal(made.find('203.0.113.2', 'TCP', 80), undefined, 'the load balancer keeps it to itself')
  t.equal(nameOf(made.find('10.96.0.1', 'TCP', 80)!.destination), 'shop/web:http')
})

t.test('services without routes say why', async t => {
  const label = (name: string) => ({ [`service.kubernetes.io/${name}`]: 'cilium' })
  const ip = '10.96.0.1'
  const made = table(
    service('a/alias', { externalName: 'www.test' }),
    service('a/bare', { ip, ports: [] }),
    service('a/headless', { ip: 'None', ports: ['80'] }),
    service('a/labelled', { ip, ports: ['80'], labels: label('headless') }),
    service('a/other', { ip, ports: ['80'], labels: label('service-proxy-name') }),
    service('a/pending', { ip: '', ports: ['80'] }),
  )
  t.same(
    [...made.routeless()].map(([key, { reason }]) => [key, reason]),
    [
      ['a/alias', 'ExternalName'],
      ['a/bare', 'no ports'],
      ['a/headless', 'headless'],
      ['a/labelled', 'headless'],
      ['a/other', 'other proxy'],
      ['a/pending', 'no address'],
    ],
  )
  t.match(made.service('a/other'), { text: /service-proxy-name leaves it to "cilium"/ })
  t.match(made.service('a/alias'), { text: /an alias of www.test/ })
  t.equal(made.service('a/none'), undefined)
  t.same([...made.all()], [])
})

t.test('slices that are somebody else’s business do not count', async t => {
  const web = service('a/web', { ip: '10.96.0.1', ports: ['80'] })
  const labels = { 'service.kubernetes.io/headless': '' }
  const [only] = destinations(
    table(
      web,
      slice('a/web', ['10.0.0.1'], { ports: ['80'], labels, name: 's1' }),
      slice('a/web', ['10.0.0.2'], { ports: ['80/UDP', 'x:80', '*'], name: 's2' }),
      slice('a/web', ['www.test'], { ports: ['80'], name: 's3' }),
      slice('a/web', [{ ip: ['10.0.0.3', '10.0.0.4'] }], { ports: ['80'], name: 's4' }),
    ),
    'a/web',
  )
  t.same(
    only?.backends.map(({ address }) => address),
    ['10.0.0.3:80'],
    'the first address of an endpoint, of the port with its name and protocol',
  )
})

t.test('of two services at one address the first has it, and the other when it goes', async t => {
  const state = cluster(
    service('b/web', { ip: '10.96.0.2', ports: ['80'], externalIPs: ['192.0.2.1'] }),
    service('a/web', { ip: '10.96.0.1', ports: ['80'], externalIPs: ['192.0.2.1'] }),
  )
  const made = new RouteTable()
  state.follow(made)
  const owner = () => made.find('192.0.2.1', 'TCP', 80)?.destination.service
  t.equal(owner(), 'a/web')
  state.remove('Service', 'a/web')
  t.equal(owner(), 'b/web')
  t.equal([...made.all()].length, 2)
})

t.test('policies hold where there is something for them to hold for', async t => {
  const external = { externalTrafficPolicy: 'Local', healthCheckNodePort: 30_001 } as const
  const made = table(
    service('a/inner', { ip: '10.96.0.1', ports: ['80'], ...external, internalTrafficPolicy: 'Local' }),
    service('a/port', { ip: '10.96.0.2', ports: ['80@30080'], ...external, type: 'NodePort', affinitySeconds: 60 }),
    service('a/balanced', {
      ip: ['10.96.0.3', 'fd00:96::3'],
      ports: ['80'],
      ...external,
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['192.0.2.7/24', '010.0.0.0/8', 'FD00::1/8'],
    }),
    service('a/open', { ip: '10.96.0.4', ports: ['80'], loadBalancerSourceRanges: ['192.0.2.0/24', '0.0.0.0/0'] }),
  )
  const usual = { affinitySeconds: 0, internalPolicy: 'Cluster', externalPolicy: 'Cluster', healthCheckNodePort: 0 }
  t.match(destinations(made, 'a/inner'), [{ ...usual, internalPolicy: 'Local' }])
  t.match(destinations(made, 'a/port'), [{ ...usual, externalPolicy: 'Local', affinitySeconds: 60 }])
  t.match(destinations(made, 'a/balanced'), [
    { externalPolicy: 'Local', healthCheckNodePort: 30_001, sourceRanges: ['192.0.2.0/24', '10.0.0.0/8'] },
    { family: 'IPv6', sourceRanges: ['fd00::/8'] },
  ])
  t.same(destinations(made, 'a/open')[0]?.sourceRanges, [], 'everybody is in a range of everybody')
})
