import t from 'tap'
import { hostPorts, hostPortText } from '../../src/client/host-ports.ts'
import type { ClusterObject } from '../../src/cluster/objects.ts'
import { cluster, object, pod } from '../helpers/cluster.ts'

interface Spec {
  readonly node?: string
  readonly phase?: string
  readonly hostNetwork?: boolean
}

const withPorts = (
  name: string,
  ports: readonly object[],
  { node = 'n1', phase = 'Running', hostNetwork }: Spec = {},
) =>
  object('Pod', `shop/${name}`, { spec: { nodeName: node, hostNetwork, containers: [{ ports }] }, status: { phase } })

const web = withPorts('web', [{ containerPort: 8080, hostPort: 80 }, { containerPort: 9090 }])

t.test('host ports: where a pod is reached at its node', async t => {
  const [port, ...rest] = hostPorts(cluster(web), web)
  t.same(port, { node: 'n1', ip: '', protocol: 'TCP', port: 80, containerPort: 8080, conflicts: [] })
  t.same(rest, [])
  t.equal(hostPortText(port!), 'TCP port 8080 is also reached at node n1, port 80')
  const own = withPorts('own', [{ containerPort: 53, protocol: 'UDP' }], { hostNetwork: true })
  t.match(
    hostPorts(cluster(own), own),
    [{ protocol: 'UDP', port: 53, containerPort: 53 }],
    'on the network of the node',
  )
  t.same(hostPorts(cluster(), withPorts('new', [{ containerPort: 1, hostPort: 1 }], { node: '' })), [])
  t.same(hostPorts(cluster(), pod('shop/bare', '10.0.0.1', { node: 'n1' })), [])
})

t.test('host ports: two pods of a node that want the same', async t => {
  const port = (more: object) => [{ containerPort: 1, hostPort: 80, ...more }]
  const conflictsOf = (...others: ClusterObject[]) =>
    hostPorts(cluster(web, ...others), web).map(({ conflicts }) => conflicts)
  t.same(conflictsOf(withPorts('b', port({}))), [['shop/b']])
  t.same(conflictsOf(withPorts('b', port({ hostIP: '127.0.0.1' }))), [['shop/b']])
  t.same(conflictsOf(withPorts('b', [{ containerPort: 80 }], { hostNetwork: true })), [['shop/b']])
  t.same(conflictsOf(withPorts('b', port({ protocol: 'UDP' }))), [[]])
  t.same(conflictsOf(withPorts('b', port({}), { node: 'n2' })), [[]])
  t.same(conflictsOf(withPorts('b', port({}), { phase: 'Succeeded' })), [[]])
  const here = withPorts('here', port({ hostIP: '127.0.0.1' }))
  const there = withPorts('there', port({ hostIP: '172.18.0.1' }))
  t.match(hostPorts(cluster(here, there), here), [{ ip: '127.0.0.1', conflicts: [] }])
  const all = withPorts('all', port({ hostIP: '0.0.0.0' }))
  const [clash] = hostPorts(cluster(here, all), here)
  t.equal(hostPortText(clash!), 'TCP port 1 is also reached at 127.0.0.1 of node n1, port 80, which shop/all wants too')
})
