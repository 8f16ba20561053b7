/** Which cluster a `kubernetes` directive follows, and with whom it shares it. */
import t from 'tap'
import { ClusterFollower, clusterFollower } from '../../src/plugins/kubernetes/follower.ts'
import { readKubernetes } from '../../src/plugins/kubernetes/options.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { pluginBench } from '../helpers/plugin.ts'
import { serve } from '../helpers/serve.ts'

/** The followers of several directives in one generation. */
function followers(...blocks: readonly string[]): ClusterFollower[] {
  const { share } = new ResourcePool().generation()
  const found: ClusterFollower[] = []
  const setup: Parameters<typeof pluginBench>[0]['setup'] = (directive, context) => {
    found.push(clusterFollower(readKubernetes(directive, context), context))
    return { name: 'kubernetes' }
  }
  for (const block of blocks) {
    const text = `kubernetes cluster.local {\n${block}\n}`
    pluginBench({ name: 'kubernetes', setup }, text, { directory: '/etc', context: { resources: { share } } })
  }
  return found
}

t.test('directives that say the same of their source share one', async t => {
  const same: readonly (readonly [string, string])[] = [
    ['', 'ttl 30\npods insecure\nfallthrough'],
    ['manifests a', 'manifests /etc/a\nzonal'],
    ['endpoint http://a', 'endpoint http://a\nnamespaces x'],
    ['pods verified', 'pods verified'],
    ['labels a=b', 'labels a=b'],
  ]
  for (const [one, other] of same) {
    const [first, second] = followers(one, other)
    t.equal(first, second, `${one} and ${other}`)
  }
})

t.test('those that say otherwise do not', async t => {
  const all = followers(
    '',
    'pods verified',
    'noendpoints',
    'labels a=b',
    'namespace_labels a=b',
    'endpoint http://a',
    'endpoint http://b',
    'kubeconfig /c',
    'kubeconfig /c other',
    'apiserver_qps 5',
    'self_check 5m',
    'manifests a',
    'manifests b',
    'manifests a\nservice_range 10.0.0.0/16',
    'manifests a\npod_range 10.0.0.0/16',
  )
  t.equal(new Set(all).size, all.length)
})

t.test('a source that there is none for says so at the start', async t => {
  const [kubeconfig] = followers('kubeconfig /nonexistent/config')
  await t.rejects(kubeconfig!.follow(), /nonexistent/)
  t.equal(kubeconfig!.state.synced, false)
})

t.test('one that could not follow tries again when the next configuration asks', async t => {
  let tries = 0
  const follower = new ClusterFollower(['Service'], async () => {
    if (++tries === 1) throw new Error('no such file')
    return { name: 'a source', kinds: ['Service'], follow: async into => into.replace('Service').done() }
  })
  await t.rejects(follower.follow(), /no such file/)
  await Promise.all([follower.follow(), follower.follow()])
  t.equal(tries, 2)
  t.equal(follower.state.synced, true)
})

t.test('manifests are a cluster', async t => {
  const folder = t.testdir({
    'shop.yaml': `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.96.0.1, ports: [{ name: http, port: 80 }] }
`,
  })
  const served = await serve(t, `cluster.local {\n kubernetes {\n manifests ${folder}\n }\n}`)
  t.equal(await served.ask('web.shop.svc.cluster.local A'), 'web.shop.svc.cluster.local. 5 IN A 10.96.0.1')
  t.equal(await served.ask('web.data.svc.cluster.local A'), 'NXDOMAIN')
})
