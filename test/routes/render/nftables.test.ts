/** What the rules of nftables look like. What they do to packets is the matter of `npm run test:routes`. */
import t from 'tap'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import type { Destination } from '../../../src/routes/route.ts'
import type { RenderOptions } from '../../../src/routes/setting.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, type EndpointSpec, type ServiceSpec, service, slice } from '../../helpers/cluster.ts'

const node = { name: 'n1', zone: '', internalIPs: ['192.168.77.10', 'fd00:77::10'] }
const both: EndpointSpec[] = [
  { ip: '10.244.0.1', node: 'n1' },
  { ip: '10.244.0.2', node: 'n2' },
]

function table(...objects: ClusterObject[]): RouteTable {
  const made = new RouteTable()
  cluster(...objects).follow(made)
  return made
}

function rules(spec: ServiceSpec, options: Partial<RenderOptions> = {}, endpoints = both): string {
  const web = service('a/web', { ip: '10.96.0.1', ports: ['80@30080'], ...spec })
  const text = renderNftables(table(web, slice('a/web', endpoints, { ports: ['80'] })), {
    family: 'IPv4',
    node,
    ...options,
  })
  return text.replace(/\s+/g, ' ')
}

t.test('plain services have no chains of their own', async t => {
  const services = Array.from({ length: 50 }, (_, i) => [
    service(`a/web-${i}`, { ip: `10.96.0.${i + 1}`, ports: ['80'] }),
    slice(`a/web-${i}`, [`10.244.0.${i + 1}`, `10.244.1.${i + 1}`], { ports: ['80'] }),
  ]).flat()
  const chains = (text: string) => text.match(/^\tchain /gm)?.length
  const few = renderNftables(table(...services.slice(0, 2)), { family: 'IPv4', node })
  const many = renderNftables(table(...services), { family: 'IPv4', node })
  t.equal(chains(many), chains(few))
  t.match(many, '10.96.0.50 . tcp . 80 : goto balance-2')
  t.match(many, '10.96.0.50 . tcp . 80 . 1 : 10.244.1.50 . 80')
})

t.test('each kind of address', async t => {
  const text = rules({ type: 'LoadBalancer', externalIPs: ['192.0.2.1'], loadBalancerIPs: ['203.0.113.1'] })
  t.match(
    text,
    'map services { type ipv4_addr . inet_proto . inet_service : verdict elements = { 10.96.0.1 . tcp . 80 : goto balance-2, 192.0.2.1 . tcp . 80 : goto external-2, 203.0.113.1 . tcp . 80 : goto external-2 }',
  )
  t.match(
    text,
    'map node-ports { type inet_proto . inet_service : verdict elements = { tcp . 30080 : goto node-port-2 }',
  )
  t.match(text, 'chain external-2 { meta mark set meta mark | 0x4000 goto balance-2 }')
  t.match(
    text,
    'set hairpins { type ipv4_addr . ipv4_addr elements = { 10.244.0.1 . 10.244.0.1, 10.244.0.2 . 10.244.0.2 }',
    'of the pods of all nodes, as with kube-proxy',
  )
  t.match(rules({ ip: 'fd00:96::1' }, { family: 'IPv6' }), 'fd00:96::1 . tcp . 80 : goto refuse')
})

t.test('refusals', async t => {
  const nothing = rules({ externalIPs: ['192.0.2.1'] }, {}, [])
  t.match(nothing, '10.96.0.1 . tcp . 80 : goto refuse, 192.0.2.1 . tcp . 80 : goto refuse')
  t.match(
    nothing,
    'map refused-node-ports { type inet_proto . inet_service : verdict elements = { tcp . 30080 : goto refuse }',
  )
  const local = rules(
    { type: 'NodePort', externalTrafficPolicy: 'Local' },
    { clusterCIDRs: ['10.244.0.0/16'] },
    both.slice(1),
  )
  t.match(local, 'elements = { tcp . 30080 : drop }')
  t.match(
    local,
    /chain outside-(\w{16}) { ip saddr 10.244.0.0\/16 goto cluster-\1 fib saddr type local meta mark set meta mark \| 0x4000 fib saddr type local goto cluster-\1 }/,
  )
  t.match(local, /tcp \. 30080 : goto outside-/, 'pods and the node get through')
})

t.test('affinity', async t => {
  const text = rules({ affinitySeconds: 60 })
  t.match(
    text,
    /set (clients-\w+) { type ipv4_addr; flags dynamic,timeout; timeout 60s; }.*chain cluster-(\w+)-0 { update @\1 { ip saddr } meta l4proto tcp dnat ip to 10\.244\.0\.1:80 }/,
  )
  t.match(
    text,
    /chain cluster-\w{16} { ip saddr @clients-\w+ goto cluster-\w+-0 ip saddr @clients-\w+ goto cluster-\w+-1 numgen random mod 2 vmap/,
  )
})

t.test('a client keeps its endpoint whatever address it comes to', async t => {
  const text = rules({ type: 'NodePort', internalTrafficPolicy: 'Local', affinitySeconds: 60 })
  const clients = (chain: string) => new RegExp(`chain ${chain}-\\w{16}-0 { update @(clients-\\w+)`).exec(text)?.[1]
  t.ok(clients('local'))
  t.equal(clients('local'), clients('cluster'))
})

t.test('source ranges may overlap', async t => {
  const spec: ServiceSpec = { type: 'LoadBalancer', loadBalancerIPs: ['203.0.113.1'] }
  const ranges = ['10.0.0.0/8', '10.1.0.0/16', '192.168.0.0/16']
  t.match(
    rules({ ...spec, loadBalancerSourceRanges: ranges }),
    /{ ip saddr 10\.0\.0\.0\/8 return ip saddr 10\.1\.0\.0\/16 return ip saddr 192\.168\.0\.0\/16 return ip saddr 203\.0\.113\.1 return drop comment "a\/web" }/,
  )
  t.notMatch(rules({ ...spec, loadBalancerSourceRanges: ranges }, {}, []), /chain guard-\w{16} /)
})

t.test('where node ports are, and what is masqueraded', async t => {
  t.match(rules({}), 'set node-port-ips { type ipv4_addr elements = { 192.168.77.10 } }')
  t.match(rules({}, { nodePortAddresses: ['127.0.0.0/8', '192.168.0.0/16'] }), 'elements = { 192.168.77.10 } }')
  t.match(rules({}, { nodePortAddresses: ['0.0.0.0/0'] }), 'fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto')
  t.match(rules({}, { node: { ...node, internalIPs: [] } }), 'set node-port-ips { type ipv4_addr }')
  t.notMatch(rules({}), '@cluster-ports meta mark')
  t.match(
    rules({}, { clusterCIDRs: ['10.244.0.0/16'] }),
    'route { ip saddr != 10.244.0.0/16 ip daddr . meta l4proto . th dport @cluster-ports meta mark set',
  )
  t.match(rules({}, { masqueradeAll: true }), 'route { ip daddr . meta l4proto . th dport @cluster-ports meta mark set')
})

t.test('one service cannot have the others refused', async t => {
  const twice = table(
    service('a/web', { ip: '10.96.0.1', ports: ['80@30080'], externalIPs: ['192.0.2.1'] }),
    service('b/web', { ip: '10.96.0.2', ports: ['80@30080'], externalIPs: ['192.0.2.1'], affinitySeconds: 60 }),
    slice('a/web', ['10.244.0.1'], { ports: ['80'] }),
    slice('b/web', ['10.244.0.2', '10.244.0.3'], { ports: ['80'] }),
  )
  const text = renderNftables(twice, { family: 'IPv4', node })
  t.equal(text.match(/192\.0\.2\.1 \. tcp \. 80 :/g)?.length, 1, 'an address that two services claim is there once')
  t.equal(text.match(/tcp \. 30080 :/g)?.length, 1)
  const [destination] = twice.destinations() as [Destination, ...Destination[]]
  const bad = { ...destination, portName: `"\n}\n${'x'.repeat(300)}`, affinitySeconds: 1 }
  const comments = [
    ...renderNftables({ destinations: () => [bad] }, { family: 'IPv4', node }).matchAll(/comment "(.*)"$/gm),
  ]
  t.ok(comments.length > 0)
  for (const [, comment] of comments) t.ok(comment!.length <= 128 && !/["\n]/.test(comment!))
})
