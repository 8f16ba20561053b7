/** What the `routes` plugin answers over HTTP, and what it needs of the server block. */
import t, { type Test } from 'tap'
import type { Inclusion, SharedCluster } from '../../src/cluster/contract.ts'
import { definition } from '../../src/plugins/routes/index.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { cluster, node, service, sharedCluster, slice } from '../helpers/cluster.ts'
import { refusingHub, testHub } from '../helpers/http.ts'
import { pluginBench } from '../helpers/plugin.ts'

const web = service('shop/web', { ip: '10.96.0.20', ports: ['http:80'] })
const endpoints = slice(
  'shop/web',
  [
    { ip: '10.0.0.1', node: 'one' },
    { ip: '10.0.0.2', node: 'two' },
  ],
  {
    ports: ['http:8080'],
  },
)
const objects = [node('one', ['172.18.0.11'], 'a'), node('two'), web, endpoints, service('shop/db', { ip: 'None' })]

interface Options {
  readonly shared?: SharedCluster
  readonly text?: string
}

async function started(t: Test, { shared = sharedCluster(cluster(...objects)), text = '' }: Options = {}) {
  const http = testHub(t)
  const resources = new ResourcePool().generation()
  const { plugin } = pluginBench(definition, `routes 127.0.0.1:0 {\n${text}\n}\nkubernetes cluster.local`, {
    plugins: [{ name: 'kubernetes', shares: shared }],
    context: { http, resources },
  })
  t.teardown(async () => {
    await plugin.stop?.()
    await resources.release()
  })
  await plugin.start?.()
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${http.port}${path}`, init)
    const text = await response.text()
    const type = response.headers.get('content-type')
    const body = type === 'application/json' ? JSON.parse(text || '{}') : text
    return { status: response.status, headers: response.headers, type, text, body }
  }
  const known = async () => {
    while ((await ask('/routes')).status === 503) await new Promise(setImmediate)
  }
  return { plugin, ask, known, http, shared }
}

t.test('a list, a lookup and rules', async t => {
  const { ask, known, plugin } = await started(t)
  t.equal(plugin.handle, undefined, 'it is no link of the chain')
  await known()
  t.match(await ask('/routes'), {
    status: 200,
    body: { routes: [{ address: '10.96.0.20', usable: 2 }], without: [{ service: 'shop/db', reason: 'headless' }] },
  })
  const { body } = await ask('/routes/lookup?address=10.96.0.20:80/TCP&node=one&from=10.0.0.9&cluster-cidr=10.0.0.0/8')
  t.match(body, { service: 'shop/web', portName: 'http', action: 'forward', masquerade: false, node: 'one' })
  t.match(body.endpoints, [{ address: '10.0.0.1:8080', probability: 0.5 }, { address: '10.0.0.2:8080' }])
  const rules = await ask('/routes/render?form=iptables&family=4&node=one')
  t.match(rules, { status: 200, type: 'text/plain; charset=utf-8', text: /^\*filter\n/ })
  t.match(rules.text, 'shop/web:http')
  t.notMatch((await ask('/routes/render?form=iptables&family=4&node=one&no-jumps')).text, '-A PREROUTING')
  t.match((await ask('/routes/render?form=nftables&node=one')).text, /^table|^add table|^#/m)
})

t.test('what cannot be answered says what to do', async t => {
  const { ask, known } = await started(t)
  await known()
  const refused = async (path: string) => {
    const { status, body } = await ask(path)
    return `${status} ${body.error.code} ${body.error.message}`
  }
  t.match(await refused('/routes/lookup'), /^400 PORTOLAN_USAGE which address\? write one like/)
  t.match(
    await refused('/routes/lookup?address=10.96.0.20:81'),
    /^404 PORTOLAN_ROUTES_NONE no route: .* it has 80\/TCP/,
  )
  t.match(await refused('/routes/lookup?address=10.96.0.20:80&from=shop/x'), /^404 PORTOLAN_ROUTES_POD there is no pod/)
  t.match(await refused('/routes?nod=one'), /^400 PORTOLAN_USAGE there is no parameter "nod": did you mean "node"\?/)
  t.match(await refused('/routes?node=tow'), /^400 PORTOLAN_USAGE there is no node "tow": did you mean "two"/)
  t.match(await refused('/routes/render?form=ipchains'), /^400 .* which rules\? There are iptables, nftables/)
  t.match(await refused('/routes/render?form=nftables'), /^400 .* for which node/)
  t.match(await ask('/routes/nothing'), { status: 404 })
})

t.test('only GET and HEAD', async t => {
  const { ask, known } = await started(t)
  await known()
  const posted = await ask('/routes', { method: 'POST', body: 'x' })
  t.match(posted, { status: 405, body: { error: { message: 'POST changes nothing here: use GET' } } })
  t.equal(posted.headers.get('allow'), 'GET, HEAD')
  const { text: full } = await ask('/routes')
  const head = await ask('/routes', { method: 'HEAD' })
  t.match(head, { status: 200, text: '' })
  t.equal(head.headers.get('content-length'), `${full.length}`)
  t.match(await ask('/routes/changes', { method: 'HEAD' }), { status: 200, text: '', type: 'text/event-stream' })
})

t.test('what the Corefile says holds where a question says nothing', async t => {
  const text = 'node one\ncluster_cidr 10.0.0.0/8 fd00::/64\nmasquerade_all\nnodeport_addresses primary'
  const { ask, known } = await started(t, { text })
  await known()
  t.match((await ask('/routes/lookup?address=10.96.0.20:80')).body, { node: 'one', masquerade: true })
  const asked = '/routes/lookup?address=10.96.0.20:80&from=10.0.0.9&node=two&masquerade-all=false'
  t.match((await ask(asked)).body, { node: 'two', masquerade: false, why: 'it comes from a pod (10.0.0.0/8)' })
})

t.test('nobody gets half a table', async t => {
  const synced = Promise.withResolvers<void>()
  const { ask, known, plugin } = await started(t, { shared: sharedCluster(cluster(...objects), synced.promise) })
  const early = await ask('/routes')
  t.match(early, { status: 503, body: { error: { code: 'PORTOLAN_ROUTES_LATER' } } })
  t.equal(early.headers.get('retry-after'), '1')
  t.equal(plugin.ready?.(), true, 'names do not wait for it')
  t.same(plugin.freshness?.(), { staleMs: 0, lines: ['not all routes known yet'] })
  synced.resolve()
  await known()
  t.same(plugin.freshness?.(), { staleMs: 0, lines: ['all routes known'] })
})

t.test('without nodes it works, and says what is missing', async t => {
  const problem = 'cannot list nodes: 403 Forbidden for coredns'
  const nodes: Inclusion = {
    synced: new Promise(() => undefined),
    status: () => ({ kind: 'Node', following: false, problem, staleMs: undefined, check: undefined }),
    end: () => undefined,
  }
  const shared = sharedCluster(cluster(web, endpoints))
  const include: SharedCluster['include'] = kind => (kind === 'Node' ? nodes : shared.include(kind))
  const { ask, known, plugin } = await started(t, { shared: { ...shared, kinds: ['Service'], include } })
  await known()
  const lack = `nodes are not known: ${problem}: addresses and zone of one do not count here`
  t.match((await ask('/routes?node=one')).body, { lack })
  t.match((await ask('/routes/lookup?address=10.96.0.20:80&node=one')).body, { lack, action: 'forward' })
  const { headers } = await ask('/routes/render?form=nftables&node=one')
  t.equal(headers.get('portolan-lack'), lack)
  t.equal((await ask('/routes')).body.lack, undefined, 'nothing is missing where no node was asked for')
  t.match(
    (await ask('/routes/lookup?address=10.96.0.20:80&from=shop/client')).body.error.message,
    /pods are not followed, so give the address of shop\/client/,
  )
  t.same(plugin.freshness?.().lines, ['all routes known', `Node: 0 known, not all yet, not followed: ${problem}`])
})

t.test('it ends what it had followed', async t => {
  let ended = 0
  const shared = sharedCluster(cluster(...objects))
  const included = (): Inclusion => ({ synced: Promise.resolve(), status: () => undefined, end: () => void ended++ })
  const http = testHub(t)
  const resources = new ResourcePool().generation()
  const { plugin } = pluginBench(definition, 'routes 127.0.0.1:0\nkubernetes', {
    plugins: [{ name: 'kubernetes', shares: { ...shared, include: included } }],
    context: { http, resources },
  })
  await plugin.start?.()
  await plugin.stop?.()
  t.equal(ended, 0, 'another generation may have it too')
  await resources.release()
  t.equal(ended, 2)
})

t.test('mistakes in the Corefile', async t => {
  const setUp = (text: string) => () => pluginBench(definition, text)
  t.throws(setUp('routes'), {
    message:
      'Corefile:2:1: routes: routes are those of a cluster: put it into the server block of "kubernetes", or add that here',
  })
  t.throws(setUp('routes {\nnodes a\n}\nkubernetes'), { message: /did you mean "node"/ })
  t.throws(setUp('routes {\ncluster_cidr 10.0.0.0\n}\nkubernetes'), {
    message: /^Corefile:3:14: routes: cluster_cidr must be a range such as 10.244.0.0\/16, got "10.0.0.0"/,
  })
  t.throws(setUp('routes {\nnodeport_addresses primary 10.0.0.0/8\n}\nkubernetes'), { message: /must be a range/ })
  t.throws(setUp('routes 9154\nkubernetes'), { message: /must be an address with a port/ })
  const asked: string[] = []
  const resources = new ResourcePool().generation()
  const { plugin } = pluginBench(definition, 'routes\nkubernetes', {
    plugins: [{ name: 'kubernetes', shares: sharedCluster(cluster()) }],
    context: { http: refusingHub(asked), resources },
  })
  await t.rejects(plugin.start!(), { message: 'taken' })
  t.same(asked, ['127.0.0.1:9154'], 'the default')
  await plugin.stop?.()
  await resources.release()
})

t.test('two clusters cannot share an address', async t => {
  const http = refusingHub([])
  const resources = new ResourcePool().generation()
  const start = (key: string) =>
    pluginBench(definition, 'routes\nkubernetes', {
      plugins: [{ name: 'kubernetes', shares: { ...sharedCluster(cluster()), key } }],
      context: { http, resources },
    }).plugin.start!()
  await t.rejects(start('one'), { message: 'taken' })
  await t.rejects(start('one'), { message: 'taken' })
  await t.rejects(start('two'), { code: 'PORTOLAN_ROUTES_ADDRESS' })
  await resources.release()
})
