/** The way of a connection: who may, where to, and whose address is seen there. */
import t from 'tap'
import { pathOf } from '../../src/routes/path.ts'
import { type RenderOptions, settingOf } from '../../src/routes/setting.ts'
import { RouteTable } from '../../src/routes/table.ts'
import { cluster, type EndpointSpec, type ServiceSpec, service, slice } from '../helpers/cluster.ts'

const node = { name: 'n1', zone: '', internalIPs: ['192.168.77.10'] }
const pods = { clusterCIDRs: ['10.244.0.0/16'] }
const both: EndpointSpec[] = [
  { ip: '10.244.0.1', node: 'n1' },
  { ip: '10.244.0.2', node: 'n2' },
]
const [pod, outside] = ['10.244.7.7', '198.51.100.7']

interface Case {
  readonly spec?: ServiceSpec
  readonly endpoints?: readonly EndpointSpec[]
  readonly vip?: string
  readonly port?: number
  readonly options?: Partial<RenderOptions>
}

/** `1,2 masqueraded`, or the verdict and why. */
function way(
  source: string | undefined,
  { spec, endpoints = both, vip = '10.96.0.1', port = 80, options = pods }: Case,
) {
  const table = new RouteTable()
  const web = service('a/web', { ip: '10.96.0.1', ports: ['80@30080'], ...spec })
  cluster(web, slice('a/web', endpoints, { ports: ['80@30080'] })).follow(table)
  const { outcome } = pathOf(table.find(vip, 'TCP', port)!, settingOf({ family: 'IPv4', node, ...options }), source)
  if (outcome.action !== 'forward') return `${outcome.action}: ${outcome.why}`
  const reached = outcome.backends.map(({ ip }) => ip.at(-1)).join()
  const hairpin = outcome.hairpin === undefined ? '' : `, hairpin ${outcome.hairpin.ip.at(-1)}`
  return `${outcome.choice} ${reached} ${outcome.masquerade ? 'masqueraded' : 'as it is'}${hairpin}`
}

t.test('a cluster address', async t => {
  t.equal(way(pod, {}), 'cluster 1,2 as it is')
  t.equal(way(outside, {}), 'cluster 1,2 masqueraded')
  t.equal(way(undefined, {}), 'cluster 1,2 masqueraded')
  t.equal(way(outside, { options: {} }), 'cluster 1,2 as it is')
  t.equal(way(pod, { options: { ...pods, masqueradeAll: true } }), 'cluster 1,2 masqueraded')
  t.equal(way('10.244.0.2', {}), 'cluster 1,2 as it is, hairpin 2')
  t.equal(way(pod, { spec: { internalTrafficPolicy: 'Local' } }), 'local 1 as it is')
  t.match(way(pod, { endpoints: [] }), /^REJECT: there are no endpoints/)
  t.match(
    way(pod, { spec: { internalTrafficPolicy: 'Local' }, endpoints: both.slice(1) }),
    /^DROP: internalTrafficPolicy/,
  )
})

t.test('a node port, and an external address', async t => {
  const port = { vip: '0.0.0.0', port: 30_080 }
  t.equal(way(outside, { ...port, spec: { type: 'NodePort' } }), 'cluster 1,2 masqueraded')
  const spec: ServiceSpec = { type: 'NodePort', externalTrafficPolicy: 'Local' }
  t.equal(way(outside, { ...port, spec }), 'local 1 as it is')
  t.equal(way(undefined, { ...port, spec }), 'local 1 as it is')
  t.equal(way(pod, { ...port, spec }), 'cluster 1,2 as it is', 'a pod reaches all')
  t.equal(way(node.internalIPs[0], { ...port, spec }), 'cluster 1,2 masqueraded', 'and so does the node')
  t.equal(way('127.0.0.1', { ...port, spec }), 'cluster 1,2 masqueraded')
  t.match(way(outside, { ...port, spec, endpoints: both.slice(1) }), /^DROP: externalTrafficPolicy/)
  t.equal(way(pod, { ...port, spec, endpoints: both.slice(1) }), 'cluster 2 as it is')
  t.match(way(pod, { ...port, spec, endpoints: [] }), /^REJECT/)
  t.equal(way(outside, { spec: { externalIPs: ['192.0.2.1'] }, vip: '192.0.2.1' }), 'cluster 1,2 masqueraded')
})

t.test("a load balancer's address is for its source ranges", async t => {
  const spec = (...loadBalancerSourceRanges: string[]): Case => ({
    spec: { type: 'LoadBalancer', loadBalancerIPs: ['203.0.113.1'], loadBalancerSourceRanges },
    vip: '203.0.113.1',
  })
  t.equal(way(outside, spec('198.51.100.0/24')), 'cluster 1,2 masqueraded')
  t.match(way('198.51.101.7', spec('198.51.100.0/24')), /^DROP: loadBalancerSourceRanges of 203\.0\.113\.1 \(198/)
  t.match(way(undefined, spec('198.51.100.0/24')), /^DROP/)
  t.equal(
    way(outside, { ...spec('10.0.0.0/8'), vip: '10.96.0.1' }),
    'cluster 1,2 masqueraded',
    'other addresses are not',
  )
  t.match(way('203.0.113.1', spec('198.51.100.0/24')), /^DROP/)
  t.match(way('203.0.113.1', spec('192.168.77.0/24')), /^cluster/, 'from the node, which has the address on itself')
  t.match(way(outside, { ...spec('10.0.0.0/8'), endpoints: [] }), /^REJECT/)
})
