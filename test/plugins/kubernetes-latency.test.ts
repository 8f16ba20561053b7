import t from 'tap'
import { cluster, service, slice } from '../helpers/cluster.ts'
import { serve } from '../helpers/serve.ts'

t.test('kubernetes: the time from a change of endpoints to its answer is measured', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }), slice('shop/web', ['10.244.0.1']))
  const { clock, metrics } = await serve(t, '.:53 {\n kubernetes cluster.local\n}', { cluster: state })
  state.upsert(slice('shop/web', ['10.244.0.1', '10.244.0.2'], { changedAt: clock.now() - 300 }))
  state.upsert(slice('shop/web', ['10.244.0.1'], { changedAt: clock.now() - 300 }))
  const text = await metrics.exposition()
  t.match(
    text,
    'coredns_kubernetes_dns_programming_duration_seconds_count{service_kind="cluster_ip"} 1',
    'once a trigger',
  )
  t.match(text, 'coredns_kubernetes_dns_programming_duration_seconds_sum{service_kind="cluster_ip"} 0.3')
})
