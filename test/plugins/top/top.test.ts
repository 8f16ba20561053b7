import t, { type Test } from 'tap'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import type { PluginDefinition } from '../../../src/plugin/plugin.ts'
import { workloadAt } from '../../../src/plugins/kubernetes/workload.ts'
import { adviceFor } from '../../../src/plugins/top/advice.ts'
import { definition } from '../../../src/plugins/top/index.ts'
import type { Report } from '../../../src/plugins/top/report.ts'
import { bare } from '../../../src/wire/answer.ts'
import { keyFromText } from '../../../src/wire/name.ts'
import { isSampled, SAMPLED_ONE_IN } from '../../../src/wire/sample.ts'
import { Rcode } from '../../../src/wire/types.ts'
import { cluster, pod, service } from '../../helpers/cluster.ts'
import { testHub } from '../../helpers/http.ts'
import { pluginBench, queryFor } from '../../helpers/plugin.ts'
import { type AskOptions, questionPacket, serve } from '../../helpers/serve.ts'
import { run } from '../../helpers/shell.ts'

const deny: PluginDefinition = {
  name: 'forward',
  setup(directive) {
    directive.rest()
    return { name: 'forward', handle: () => ({ answer: bare(Rcode.NXDOMAIN), plugin: 'forward' }) }
  },
}

const CART = '10.244.0.7'

async function topServer(t: Test, { beside = '', objects = [] as readonly ClusterObject[] } = {}) {
  const state = cluster(
    service('shop/web', { ip: '10.96.0.1' }),
    pod('shop/cart-5d4f8c7b9-x2x4z', CART, { labels: { 'pod-template-hash': '5d4f8c7b9' } }),
    ...objects,
  )
  const corefile = `.:53 {
  top 127.0.0.1:0
  ${beside}
  kubernetes cluster.local in-addr.arpa {
    pods verified
    fallthrough in-addr.arpa web.cluster.local
  }
  forward . up
}
`
  const served = await serve(t, corefile, { cluster: state, inPlace: [deny] })
  /** Asks with every id there is: one in 64 is looked at. */
  const askAll = async (question: string, asked: AskOptions = {}) => {
    for (let id = 0; id < SAMPLED_ONE_IN; id++) {
      const packet = questionPacket(question)
      packet.writeUInt16BE(id, 0)
      await served.exchange(packet, { client: CART, ...asked })
    }
  }
  return { ...served, askAll }
}

const misses = async ({ metrics }: Awaited<ReturnType<typeof topServer>>) =>
  Number(/^portolan_search_misses_total\{.*\} (\d+)$/m.exec(await metrics.exposition())?.[1] ?? 0)

t.test('what a search list makes of a name, right below the zone, is counted as three queries', async t => {
  const server = await topServer(t)
  await server.askAll('api.example.org.cluster.local')
  t.equal(await misses(server), 192, '64 searches')
  for (const other of [
    'api.example.org.shop.svc.cluster.local',
    'api.example.org.svc.cluster.local',
    '10-0-0-1.shop.pod.cluster.local',
    'cluster.local',
    'dns-version.cluster.local TXT',
    'api.example.org',
    '1.0.96.10.in-addr.arpa PTR',
  ])
    await server.askAll(other)
  t.equal(await misses(server), 192, 'nothing else')
  await server.askAll('web.cluster.local')
  t.equal(await misses(server), 384, 'whoever denies it')
})

t.test('what autopath spares is not counted', async t => {
  const server = await topServer(t, { beside: 'autopath @kubernetes' })
  await server.askAll('web.shop.shop.svc.cluster.local')
  t.equal(await misses(server), 0)
})

t.test('the report, and `portolan top`', async t => {
  const http = testHub(t)
  const shared = new Map<string, unknown>()
  const zone = {
    name: 'kubernetes',
    current: () => true,
    footprint: { suffixes: () => [keyFromText('cluster.local')!], declare() {} },
  }
  const clients = { workloadAt: (address: string) => (address === CART ? 'shop/cart' : undefined) }
  const bench = pluginBench(definition, 'top 127.0.0.1:0', {
    plugins: [{ ...zone, ...clients, handle: () => ({ answer: bare(Rcode.NXDOMAIN), plugin: 'kubernetes' }) }],
    context: {
      http,
      resources: {
        share: (name, create) => {
          if (!shared.has(name)) shared.set(name, create())
          return shared.get(name) as ReturnType<typeof create>
        },
      },
    },
  })
  await bench.plugin.start?.()
  t.teardown(() => bench.plugin.stop?.())
  const ask = (name: string, address: string) => {
    const query = queryFor(name, 'A', { peer: { address } })
    const packet = new Uint8Array(query.packet)
    packet.set([0, 7])
    return bench.plugin.handle(query.with({ packet, depth: 0 }), () => ({
      answer: bare(Rcode.NXDOMAIN),
      plugin: 'kubernetes',
    }))
  }
  await ask('Api.Example.org.cluster.local', CART)
  await ask('api.example.org.cluster.local', CART)
  await ask('api.example.org.cluster.local', '192.0.2.1')
  bench.clock.advance(5000)
  const { status, type, body } = await http.get('/top')
  t.same([status, type], [200, 'application/json'])
  const report: Report = JSON.parse(body)
  t.match(report, { seconds: 5, sampledOneIn: 64, searches: 192, misses: 576 })
  t.match(report.rows, [
    { name: 'api.example.org', client: 'shop/cart', searches: 128, misses: 384, error: 0 },
    { name: 'api.example.org', client: '192.0.2.1', searches: 64, misses: 192 },
  ])
  const server = `http://127.0.0.1:${http.port}`
  t.same(await run(['top', '-server', server]), {
    code: 0,
    out: `576 queries in 5 s were for nothing: 192 searches went through the cluster (from one query in 64)

misses  share  name             by         what helps
384     67 %   api.example.org  shop/cart  ${adviceFor('api.example.org', false).join(', or ')}
192     33 %   api.example.org  192.0.2.1  ${adviceFor('api.example.org', false).join(', or ')}
`,
    err: '',
  })
  const json = await run(['top', '-server', server, '-n', '1', '-o', 'json'])
  t.match(JSON.parse(json.out), { misses: 576, rows: { length: 1 } })
})

t.test('where nobody tells', async t => {
  const { code, err } = await run(['top', '-server', 'http://127.0.0.1:1'])
  t.equal(code, 1)
  t.match(err, /http:\/\/127\.0\.0\.1:1 does not tell .*is `top` in its Corefile\?/)
  t.match(await run(['top', '-server', 'nonsense']), { code: 2, err: /-server is a URL such as/ })
  t.match(await run(['top', '-n', '0']), { code: 2, err: /-names is a whole number above 0/ })
})

t.test('advice', async t => {
  t.same(adviceFor('api.example.org', true), [
    'write it with a dot at its end (api.example.org.)',
    "ndots:2 in the pod's dnsConfig",
  ])
  t.equal(adviceFor('redis', false).length, 2, 'ndots:0 helps nobody')
  t.equal(adviceFor('a.b.c.d.e.f', true).length, 1, 'it is asked as it is first')
})

t.test('workloads', async t => {
  const at = (...pods: readonly ClusterObject[]) => workloadAt(cluster(...pods), CART)
  const labelled = (name: string, label: string, value: string) =>
    pod(`shop/${name}`, CART, { labels: { [label]: value } })
  t.equal(at(labelled('cart-5d4f8c7b9-x2x4z', 'pod-template-hash', '5d4f8c7b9')), 'shop/cart')
  t.equal(at(labelled('db-0', 'statefulset.kubernetes.io/pod-name', 'db-0')), 'shop/db')
  t.equal(at(labelled('agent-x2x4z', 'controller-revision-hash', '77c8')), 'shop/agent')
  t.equal(at(labelled('sync-28-x2x4z', 'batch.kubernetes.io/job-name', 'sync-28')), 'shop/sync-28')
  t.equal(at(pod('shop/by-hand', CART)), 'shop/by-hand')
  t.equal(at(), undefined)
  t.equal(at(pod('shop/agent', CART, { hostNetwork: true })), undefined)
  t.equal(at(pod('shop/a', CART), pod('data/b', CART)), undefined)
  t.equal(at(pod('shop/a', CART), pod('data/b', CART, { phase: 'Succeeded' })), 'shop/a')
})

t.test('one query in 64, and never id 0', async t => {
  const sampled = Array.from({ length: 0x10000 }, (_, id) => id).filter(isSampled)
  t.equal(sampled.length, 0x10000 / SAMPLED_ONE_IN)
  t.notOk(isSampled(0))
})
