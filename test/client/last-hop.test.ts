import t from 'tap'
import { lastHop } from '../../src/client/last-hop.ts'
import { cluster, object, pod } from '../helpers/cluster.ts'

const flannel = (type: string, ip = '172.18.0.2') => ({
  'flannel.alpha.coreos.com/backend-type': type,
  'flannel.alpha.coreos.com/public-ip': ip,
  'flannel.alpha.coreos.com/public-ipv6': 'fd00:18::2',
})

interface NodeSpec {
  readonly annotations?: Record<string, string>
  readonly podCIDRs?: readonly string[]
  readonly networkReason?: string
}

const node = (
  name: string,
  { annotations, podCIDRs = ['10.244.2.0/24', 'fd00:244:2::/64'], networkReason }: NodeSpec,
) =>
  object('Node', name, {
    metadata: { annotations },
    spec: { podCIDRs },
    status: { conditions: [{ type: 'NetworkUnavailable', reason: networkReason }] },
  })

const web = pod('shop/web', ['10.244.2.9', 'fd00:244:2::9'], { node: 'n2' })

/** From node n1 to the pod on node n2. */
function hop(there: NodeSpec, here: NodeSpec = {}, ip = '10.244.2.9') {
  return lastHop(cluster(web, node('n1', here), node('n2', there)), 'n1', web, ip)
}

t.test('last hop: what needs no way', async t => {
  const state = cluster(node('n2', {}))
  t.same(lastHop(state, 'n2', web, '10.244.2.9'), {
    kind: 'same node',
    from: 'n2',
    to: 'n2',
    via: '',
    evidence: [],
    caveats: [],
    why: 'pod shop/web is on the same node, n2: the packet stays there',
  })
  const host = pod('shop/host', '172.18.0.2', { node: 'n2', hostNetwork: true })
  t.match(lastHop(state, 'n1', host, '172.18.0.2'), {
    kind: 'node',
    via: '172.18.0.2',
    why: "pod shop/host uses the network of node n2: whatever leads to the node's address leads to it",
  })
  t.match(lastHop(state, 'n1', pod('shop/new', []), ''), { kind: 'unknown', why: 'pod shop/new is on no node' })
  t.match(lastHop(cluster(), 'n1', web, '10.244.2.9'), { kind: 'unknown', why: 'nothing is known of node n2' })
})

t.test('last hop: flannel', async t => {
  const evidence = (type: string) => [
    `Node n2: flannel.alpha.coreos.com/backend-type=${type}`,
    'Node n2: flannel.alpha.coreos.com/public-ip=172.18.0.2',
  ]
  t.match(hop({ annotations: flannel('host-gw') }), {
    kind: 'route',
    via: '172.18.0.2',
    evidence: evidence('host-gw'),
    why: "flannel's host-gw: a route by way of node n2 at 172.18.0.2, unchanged on the wire",
  })
  t.match(hop({ annotations: flannel('vxlan') }), {
    kind: 'tunnel',
    evidence: evidence('vxlan'),
    caveats: [/DirectRouting/],
    why: "flannel's VXLAN tunnel to node n2 at 172.18.0.2",
  })
  for (const [type, name] of [
    ['udp', 'UDP'],
    ['wireguard', 'WireGuard'],
    ['ipip', 'IPIP'],
    ['ipsec', 'IPsec'],
  ] as const) {
    t.match(hop({ annotations: flannel(type) }), {
      kind: 'tunnel',
      why: `flannel's ${name} tunnel to node n2 at 172.18.0.2`,
    })
  }
  t.match(hop({ annotations: flannel('aws-vpc') }), {
    kind: 'route',
    why: "flannel's aws-vpc: a route in the cloud's network to node n2 at 172.18.0.2",
  })
  t.match(hop({ annotations: flannel('vxlan') }, {}, 'fd00:244:2::9'), { via: 'fd00:18::2' })
  t.match(hop({ annotations: flannel('host-gw', '') }), {
    via: '',
    why: "flannel's host-gw: a route by way of node n2, unchanged on the wire",
  })
})

t.test('last hop: nothing is added where nothing is open', async t => {
  const calico = { 'projectcalico.org/IPv4Address': '172.18.0.2/24' }
  const encrypted = { annotations: { ...calico, 'projectcalico.org/WireguardPublicKey': 'k' } }
  t.same(hop({ annotations: flannel('host-gw') }).caveats, [])
  t.same(hop({ annotations: flannel('udp') }).caveats, [])
  t.same(hop({ annotations: calico }, { annotations: calico }).caveats, [])
  t.same(hop(encrypted, encrypted).caveats, [])
  t.equal(hop({ annotations: flannel('vxlan') }).caveats.length, 1)
})

t.test('last hop: an address outside of its node is found by no route', async t => {
  const elsewhere = { annotations: flannel('host-gw'), podCIDRs: ['10.244.7.0/24'] }
  t.same(hop(elsewhere).caveats, ['10.244.2.9 is not in a range of node n2 (10.244.7.0/24): no route leads to it'])
  t.same(hop({ annotations: flannel('host-gw'), podCIDRs: [] }).caveats, [])
  t.same(
    hop({ annotations: { 'projectcalico.org/IPv4Address': '172.18.0.2/24' }, podCIDRs: ['10.244.7.0/24'] }).caveats,
    [],
  )
})

t.test('last hop: Calico', async t => {
  const calico = (ip: string, more = {}) => ({ annotations: { 'projectcalico.org/IPv4Address': ip, ...more } })
  const [near, far] = [calico('172.18.0.1/24'), calico('172.18.1.1/24')]
  t.match(hop(calico('172.18.0.2/24'), near), {
    kind: 'route',
    via: '172.18.0.2',
    evidence: ['Node n2: projectcalico.org/IPv4Address=172.18.0.2/24'],
    why: "Calico's BGP: a route by way of node n2 at 172.18.0.2, unchanged on the wire",
  })
  for (const [name, annotation] of [
    ['IPIP', 'IPv4IPIPTunnelAddr'],
    ['VXLAN', 'IPv4VXLANTunnelAddr'],
  ] as const) {
    const tunnelled = calico('172.18.0.2/24', { [`projectcalico.org/${annotation}`]: '10.244.2.1' })
    t.match(hop(tunnelled, near), {
      kind: 'tunnel',
      caveats: [/CrossSubnet/],
      why: `Calico's ${name} tunnel to node n2 at 172.18.0.2`,
    })
    t.same(hop(tunnelled, far).caveats, [])
  }
  const encrypted = {
    'projectcalico.org/WireguardPublicKey': 'k',
    'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.2.1',
  }
  const there = calico('172.18.0.2/24', encrypted)
  t.match(hop(there, calico('172.18.0.1/24', encrypted)), {
    kind: 'tunnel',
    why: "Calico's WireGuard tunnel to node n2 at 172.18.0.2",
  })
  t.match(hop(there, near), { why: "Calico's VXLAN tunnel to node n2 at 172.18.0.2" }, 'one node alone cannot')
  const six = { annotations: { 'projectcalico.org/IPv6VXLANTunnelAddr': 'fd00:244:2::1' } }
  t.match(hop(six, {}, 'fd00:244:2::9'), { kind: 'tunnel', via: '', why: "Calico's VXLAN tunnel to node n2" })
  t.match(hop(six, {}), { kind: 'unknown' }, 'of the other family nothing is said')
  t.match(
    hop({ annotations: { ...flannel('vxlan'), ...calico('172.18.0.2/24').annotations } }),
    { why: /^flannel/ },
    'Canal',
  )
})

t.test('last hop: what else Node objects tell', async t => {
  t.match(hop({ networkReason: 'RouteCreated' }), {
    kind: 'route',
    evidence: ['Node n2: NetworkUnavailable has the reason RouteCreated'],
    why: "a route in the cloud's network leads 10.244.2.0/24, fd00:244:2::/64 to node n2",
  })
  t.match(hop({ annotations: { 'network.cilium.io/ipv4-pod-cidr': '10.244.2.0/24' } }), {
    kind: 'unknown',
    evidence: ['Node n2: network.cilium.io/ipv4-pod-cidr=10.244.2.0/24'],
    why: 'Cilium leads to node n2: whether by routes or in a tunnel, Node objects do not tell',
  })
  t.match(hop({}), {
    kind: 'unknown',
    why: 'Node objects do not tell how packets get to node n2, which has the range 10.244.2.0/24, fd00:244:2::/64',
  })
  t.match(hop({ podCIDRs: [] }), { why: 'Node objects do not tell how packets get to node n2' })
})
