/** What the `kubernetes` plugin says of how well it follows the API server: in metrics, and to `ready`. */
import t from 'tap'
import type { KindStatus } from '../../src/cluster/contract.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { FollowMetrics } from '../../src/plugins/kubernetes/follow-metrics.ts'
import { freshnessOf } from '../../src/plugins/kubernetes/freshness.ts'
import { definition } from '../../src/plugins/kubernetes/index.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { storedService } from '../contract/source.ts'
import { testClock } from '../helpers/clock.ts'
import { until } from '../helpers/fake-apiserver.ts'
import { fakeApiServer } from '../helpers/followed-apiserver.ts'
import { pluginBench } from '../helpers/plugin.ts'

const fine: KindStatus = { kind: 'Service', following: true, problem: undefined, staleMs: 3_999, check: undefined }

t.test('a line for each kind', async t => {
  const status: KindStatus[] = [
    fine,
    { ...fine, kind: 'Pod', check: { ageMs: 41_000, differences: 0 } },
    { ...fine, kind: 'Namespace', staleMs: 130_000, following: false, problem: 'cannot reach https://api' },
    {
      ...fine,
      kind: 'EndpointSlice',
      staleMs: undefined,
      following: false,
      check: { ageMs: 0, differences: undefined },
    },
  ]
  t.strictSame(freshnessOf(status, { size: kind => kind.length }), {
    staleMs: Number.POSITIVE_INFINITY,
    lines: [
      'Service: 7 known, current 3 s ago, followed',
      'Pod: 3 known, current 3 s ago, followed, self-check 41 s ago found no difference',
      'Namespace: 9 known, current 130 s ago, not followed: cannot reach https://api',
      'EndpointSlice: 13 known, not all yet, not followed, self-check 0 s ago failed',
    ],
  })
  t.equal(freshnessOf(status.slice(0, 3), { size: () => 0 }).staleMs, 130_000, 'the oldest counts')
  t.strictSame(freshnessOf([], { size: () => 0 }), { staleMs: 0, lines: [] }, 'files cannot fall behind')
  const found = (differences: number) => freshnessOf([{ ...fine, check: { ageMs: 0, differences } }], { size: () => 1 })
  t.match(found(1).lines, [/found 1 difference$/])
  t.match(found(2).lines, [/found 2 differences$/])
})

t.test('of several clusters the metrics tell of the one that is followed worst', async t => {
  const measured = metrics()
  const followed = new FollowMetrics(measured)
  const lines = async () => (await measured.exposition()).split('\n').filter(line => /^portolan/.test(line))
  followed.add(() => [fine])
  const leave = followed.add(() => [
    { ...fine, staleMs: 61_500, following: false, problem: 'cannot reach it' },
    { ...fine, kind: 'Pod', staleMs: undefined, following: false },
  ])
  t.same(await lines(), [
    'portolan_apiserver_staleness_seconds{kind="Service"} 61.5',
    'portolan_apiserver_following{kind="Service"} 0',
    'portolan_apiserver_following{kind="Pod"} 0',
  ])
  leave()
  t.same(await lines(), [
    'portolan_apiserver_staleness_seconds{kind="Service"} 3.999',
    'portolan_apiserver_following{kind="Service"} 1',
  ])
  followed.close()
  t.same(await lines(), [])
})

t.test('the plugin tells of its cluster', async t => {
  const api = await fakeApiServer(t)
  api.put('Service', storedService('web', '10.96.0.1'))
  const clock = testClock()
  const measured = metrics()
  const resources = new ResourcePool().generation()
  const { plugin } = pluginBench(definition, `kubernetes cluster.local {\nendpoint ${api.url}\nnoendpoints\n}`, {
    context: { clock, metrics: measured, resources },
  })
  const lines = () => plugin.freshness?.().lines
  t.same(lines(), [], 'nothing is known before the start')
  await plugin.start?.()
  await until(() => lines()?.every(line => line.endsWith('ago, followed')) === true)
  clock.advance(2_000)
  t.same(lines(), ['Namespace: 0 known, current 2 s ago, followed', 'Service: 1 known, current 2 s ago, followed'])
  t.equal(plugin.freshness?.().staleMs, 2_000)
  t.match(await measured.exposition(), 'portolan_apiserver_staleness_seconds{kind="Service"} 2')
  await plugin.stop?.()
  await resources.release()
  t.notMatch(await measured.exposition(), 'portolan_apiserver_staleness_seconds{')
})
