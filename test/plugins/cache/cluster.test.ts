import t from 'tap'
import { cluster, service } from '../../helpers/cluster.ts'
import { serve } from '../../helpers/serve.ts'

const corefile = `.:53 {
  cache 30
  kubernetes cluster.local {
    fallthrough
  }
}
`

t.test('a change of the cluster is seen with the next query, through the cache', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  const { ask } = await serve(t, corefile, { cluster: state })
  const web = 'web.shop.svc.cluster.local A'
  t.match(await ask(web), '10.96.0.1')
  state.upsert(service('shop/web', { ip: '10.96.0.2' }))
  t.match(await ask(web), '10.96.0.2')
  state.remove('Service', 'shop/web')
  t.equal(await ask(web), 'SERVFAIL', 'it falls through, and no plugin is left')
  state.upsert(service('shop/web', { ip: '10.96.0.3' }))
  t.match(await ask(web), '10.96.0.3', 'not even what was kept while the name was not there')
})
