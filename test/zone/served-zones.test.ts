/** The compiled zones of a `kubernetes` directive: who shares them, where their names are, and what is left when nobody has them. */
import t from 'tap'
import { clusterFollower } from '../../src/plugins/kubernetes/follower.ts'
import { definition, type Kubernetes } from '../../src/plugins/kubernetes/index.ts'
import { readKubernetes } from '../../src/plugins/kubernetes/options.ts'
import { type ServedZones, servedZones } from '../../src/plugins/kubernetes/served-zones.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { keyFromText } from '../../src/wire/name.ts'
import { Type } from '../../src/wire/types.ts'
import { ClusterZones } from '../../src/zone/cluster-zones.ts'
import { cluster, service, slice } from '../helpers/cluster.ts'
import { pluginBench } from '../helpers/plugin.ts'

const ORIGIN = keyFromText('cluster.local')!

/** The zones of several directives in one generation. */
function zonesOf(...blocks: readonly string[]): ServedZones[] {
  const { share } = new ResourcePool().generation()
  const found: ServedZones[] = []
  const setup: typeof definition.setup = (directive, context) => {
    const options = readKubernetes(directive, context)
    found.push(servedZones(options, clusterFollower(options, context), context))
    return { name: 'kubernetes' }
  }
  for (const block of blocks) {
    pluginBench({ name: 'kubernetes', setup }, `kubernetes cluster.local {\n${block}\n}`, {
      context: { resources: { share } },
    })
  }
  return found
}

t.test('directives whose names are the same share them', async t => {
  const same: readonly (readonly [string, string])[] = [
    ['', 'startup_timeout 9s'],
    ['namespaces a b', 'namespaces b a'],
    ['fallthrough in-addr.arpa', 'fallthrough ip6.arpa'],
  ]
  for (const [one, other] of same) {
    const [first, second] = zonesOf(one, other)
    t.equal(first, second, `${one} and ${other}`)
  }
  const all = zonesOf(
    '',
    'ttl 30',
    'pods insecure',
    'pods verified',
    'endpoint_pod_names',
    'noendpoints',
    'zonal',
    'ignore empty_service',
    'namespaces a',
    'labels a=b',
    'namespace_labels a=b',
    'fallthrough',
    'endpoint http://a',
  )
  t.equal(new Set(all).size, all.length)
})

t.test('names are in the answer table while somebody has them, and another generation finds them there', async t => {
  const table = new AnswerTable({ limit: 2 ** 24 })
  const pool = new ResourcePool()
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  const follower = { state, synced: Promise.resolve(), follow: async () => undefined, close: () => undefined }
  let published = 0
  const generation = async () => {
    const { share, release } = pool.generation()
    const resources = {
      share: ((key, create) =>
        share(key, () => (key.startsWith('cluster ') ? (follower as never) : create()))) as typeof share,
    }
    const server = { republish: () => published++ } as never
    const { plugin } = pluginBench(definition, 'kubernetes cluster.local', { context: { resources, server, table } })
    await plugin.start!()
    return { plugin: plugin as Kubernetes, release }
  }
  const first = await generation()
  const { entries } = table.usage()
  t.ok(entries > 5)
  t.equal(published, 1)
  const second = await generation()
  t.equal(table.usage().entries, entries, 'nothing is compiled twice')
  await first.plugin.stop!()
  await first.release()
  state.upsert(service('shop/new', { ip: '10.96.0.2' }))
  t.ok(table.usage().entries > entries, 'the other goes on')
  await second.plugin.stop!()
  await second.release()
  t.equal(table.usage().entries, 0)
})

t.test('a table that is full ends the process, or refuses what would begin with it', async t => {
  const table = new AnswerTable({ limit: 2 ** 17 })
  const pool = new ResourcePool()
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  const reasons: Error[] = []
  const generation = (origin: string, synced: Promise<void>) => {
    const { share, release } = pool.generation()
    const follower = { state, synced, follow: async () => undefined, close: () => undefined }
    const resources = {
      share: ((key, create) =>
        share(key, () => (key.startsWith('cluster ') ? (follower as never) : create()))) as typeof share,
    }
    const server = { republish: () => undefined, fail: (reason: Error) => reasons.push(reason) } as never
    const bench = pluginBench(definition, `kubernetes ${origin}`, { context: { resources, server, table } })
    return { ...bench, plugin: bench.plugin as Kubernetes, release }
  }
  const { plugin, release } = generation('cluster.local', Promise.resolve())
  await plugin.start()
  for (let i = 0; reasons.length === 0; i++)
    state.upsert(service(`shop/web-${i}`, { ip: `10.96.${i >> 8}.${i & 255}` }))
  const reason = { code: 'PORTOLAN_TABLE_FULL', message: /^the answer table is full: it may take 131072 octets/ }
  t.match(reasons, [reason])

  const refused = generation('other.test', Promise.resolve())
  await t.rejects(refused.plugin.start(), reason)
  t.notOk(refused.plugin.ready())
  await refused.release()
  await release()
})

t.test('an answer that no message has room for is made when it is asked for', async t => {
  const table = new AnswerTable({ limit: 2 ** 24 })
  const space = table.zoneSpace()
  const zones = new ClusterZones({
    origins: [ORIGIN],
    ttl: 5,
    pods: 'disabled',
    endpointPodNames: false,
    ignoreEmptyService: false,
    noEndpoints: false,
    zonal: false,
    namespaces: new Set(),
    dnsNode: () => true,
    store: () => space,
    now: () => 1,
  })
  const addresses = Array.from({ length: 1200 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
  const state = cluster(service('hl/big', { ip: 'None' }), slice('hl/big', addresses, { ports: ['a:1'] }))
  state.follow(zones)
  const key = keyFromText('big.hl.svc.cluster.local')!
  const counts = (type: number) => {
    const found = zones.find(zones.zones[0]!, key, type)
    return 'answers' in found ? [found.answers, found.additionals] : []
  }
  t.strictSame(counts(Type.A), [1200, 0])
  t.strictSame(counts(Type.SRV), [1200, 1200])
  t.match(space.get(key)?.types, [
    { type: Type.A, verdict: 3 },
    { type: Type.SRV, verdict: 2 },
  ])
  state.upsert(slice('hl/big', addresses.slice(0, 10), { ports: ['a:1'] }))
  t.strictSame(counts(Type.SRV), [10, 10])
  t.match(space.get(key)?.types, [
    { type: Type.A, verdict: 3 },
    { type: Type.SRV, verdict: 3 },
  ])
})
