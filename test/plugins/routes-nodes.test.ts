/** Kinds that names do not need and routes do, on the one watch of a cluster: an API server that forbids them, and allows them later. */
import t, { type Test } from 'tap'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { type ClusterFollower, clusterFollower } from '../../src/plugins/kubernetes/follower.ts'
import { readKubernetes } from '../../src/plugins/kubernetes/options.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { storedService } from '../contract/source.ts'
import { type TestClock, testClock } from '../helpers/clock.ts'
import { until } from '../helpers/fake-apiserver.ts'
import { fakeApiServer } from '../helpers/followed-apiserver.ts'
import { testHub } from '../helpers/http.ts'
import { pluginBench } from '../helpers/plugin.ts'
import { serve } from '../helpers/serve.ts'

/** Between attempts, as they grow; other timers only watch over requests. */
const pausesMs: ReadonlySet<number> = new Set([750, 1_500, 3_000, 6_000, 12_000, 15_000])

t.test('nodes that may not be read keep nobody from being served', async t => {
  const api = await fakeApiServer(t)
  api.put('Namespace', { metadata: { name: 'shop' } })
  api.put('Service', storedService('web', '10.96.0.1'))
  api.put('Node', { metadata: { name: 'one', labels: { 'topology.kubernetes.io/zone': 'a' } } })
  api.fail(
    { kind: 'Node' },
    { status: 403, message: 'nodes is forbidden: User "system:serviceaccount:kube-system:coredns"' },
  )
  const http = testHub(t)
  const corefile = `. {\n kubernetes cluster.local {\n endpoint ${api.url}\n}\n routes 127.0.0.1:0\n}\n`
  const clock = testClock()
  const pauses: number[] = []
  const noting: TestClock = {
    ...clock,
    after(delayMs, task) {
      if (pausesMs.has(delayMs)) pauses.push(delayMs)
      return clock.after(delayMs, task)
    },
  }
  const passPause = async (nth: number) => {
    await until(() => pauses.length >= nth)
    clock.advance(pauses[nth - 1]!)
  }
  const { ask, log, instance, metrics } = await serve(t, corefile, { http, clock: noting })
  t.equal(await ask('web.shop.svc.cluster.local A'), 'web.shop.svc.cluster.local. 5 IN A 10.96.0.1')
  const list = async () => JSON.parse((await http.get('/routes?node=one')).body)
  await until(() => log.length > 0)
  while ((await http.get('/routes')).status === 503) await new Promise(setImmediate)
  t.match(
    (await list()).lack,
    /^nodes are not known: cannot list nodes: 403 Forbidden for system:serviceaccount:kube-system:coredns: addresses and zone of one/,
  )
  const [kubernetes, routes] = ['kubernetes', 'routes'].map(
    name => instance.blocks[0]!.plugins.find(plugin => plugin.name === name)!,
  )
  t.equal(kubernetes!.ready?.(), true)
  t.match(
    kubernetes!.freshness?.().lines.map(line => line.split(':')[0]),
    ['Namespace', 'Service', 'EndpointSlice'],
  )
  t.equal(kubernetes!.freshness?.().staleMs, 0, 'nodes make names no older')
  t.match(routes!.freshness?.().lines[1], /^Node: 0 known, not all yet, not followed: cannot list nodes: 403/)
  for (let attempt = 1; attempt < 12; attempt++) await passPause(attempt)
  const complaints = log.filter(line => line.includes('nodes'))
  t.match(complaints, [/add to its ClusterRole: apiGroups \[""\], resources \["nodes"\], verbs \["list", "watch"\]/])
  t.equal(complaints.length, 1, 'once, not once a minute')
  t.equal(
    api.asked('Service', 'list').filter(({ headers }) => !headers.accept?.includes('Metadata')).length,
    1,
    'services are listed once, whoever reads',
  )
  await until(() => pauses.length >= 12)
  api.heal()
  await passPause(12)
  await until(() => api.watches('Node') === 1)
  t.same((await list()).lack, undefined)
  t.match((await list()).node, 'one')
  t.match(await metrics.exposition(), 'portolan_apiserver_following{kind="Node"} 1')
})

function followerOf(t: Test, option: string): ClusterFollower {
  const resources = new ResourcePool().generation()
  t.teardown(() => resources.release())
  const found: ClusterFollower[] = []
  const setup: PluginDefinition['setup'] = (directive, context) => {
    found.push(clusterFollower(readKubernetes(directive, context), context))
    return { name: 'kubernetes' }
  }
  pluginBench({ name: 'kubernetes', setup }, `kubernetes cluster.local {\n${option}\n}`, { context: { resources } })
  return found[0]!
}

t.test('a kind is followed for as long as somebody wants it', async t => {
  const api = await fakeApiServer(t)
  api.put('Node', { metadata: { name: 'one' } })
  const follower = followerOf(t, `endpoint ${api.url}`)
  const { state, kinds } = follower
  t.notOk(kinds.includes('Node'))
  await follower.follow()
  t.equal(api.asked('Node', 'list').length, 0, 'nobody asked for it')
  const nodes = follower.include('Node')
  await nodes.synced
  await until(() => api.watches('Node') === 1)
  t.ok(state.get('Node', 'one'))
  await until(() => follower.statusOfIncluded()[0]?.following === true)
  t.match(
    follower.status().map(({ kind }) => kind),
    kinds,
  )
  api.put('Node', { metadata: { name: 'two' } })
  await until(() => state.get('Node', 'two') !== undefined)
  nodes.end()
  nodes.end()
  await until(() => api.watches('Node') === 0)
  t.same([...state.list('Node')], [], 'and forgotten')
  t.same(follower.statusOfIncluded(), [])
  const again = follower.include('Node')
  await again.synced
  t.ok(state.get('Node', 'two'), 'and may be wanted again')
})

t.test('what cannot be read at all is told', async t => {
  const nodes = followerOf(t, 'kubeconfig /nonexistent/config').include('Node')
  await until(() => nodes.status() !== undefined)
  t.match(nodes.status(), { kind: 'Node', following: false, problem: /nonexistent/ })
})
