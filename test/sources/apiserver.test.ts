import { Socket } from 'node:net'
import t from 'tap'
import type { Kind } from '../../src/cluster/objects.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { apiserverSource } from '../../src/sources/apiserver/index.ts'
import { sourceContract, storedService } from '../contract/source.ts'
import { until } from '../helpers/fake-apiserver.ts'
import { fakeApiServer, follow, followed } from '../helpers/followed-apiserver.ts'

sourceContract(t, 'apiserver', async t => {
  const api = await fakeApiServer(t)
  api.put('Namespace', { metadata: { name: 'shop' } })
  return {
    source: apiserverSource({
      access: { from: 'endpoint', url: api.host },
      kinds: ['Namespace', 'Service', 'EndpointSlice'],
      clock: systemClock,
      random: () => 0.5,
      selfCheckMs: 0,
      log: logger({ format: 'text', write: () => {} }),
      metrics: metrics(),
    }),
    put: object => api.put(object.kind as Kind, object),
    remove: ({ kind, metadata }) => api.delete(kind as Kind, `${metadata.namespace}/${metadata.name}`),
  }
})

const web = storedService('web', '10.96.0.1')

t.test('apiserver: a list comes in pages, and the watch goes on where it ended', async t => {
  const api = await fakeApiServer(t, { pageSize: 2 })
  for (const name of ['a', 'b', 'c', 'd', 'e']) api.put('Service', storedService(name, '10.96.0.1'))
  const { services } = await followed(t, api)
  t.same(services(), ['a', 'b', 'c', 'd', 'e'])
  t.same(
    api.requests.map(({ parameters }) => parameters),
    [
      { limit: '500', resourceVersion: '0' },
      { limit: '500', continue: '1005:2' },
      { limit: '500', continue: '1005:4' },
      { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '1005', timeoutSeconds: '450' },
    ],
  )
  t.equal(new Set(api.requests.map(({ port }) => port)).size, 1, 'one connection serves them all')
})

t.test('apiserver: a page is handed on before the next one is there', async t => {
  const api = await fakeApiServer(t, { pageSize: 1 })
  api.put('Service', web)
  api.put('Service', storedService('api', '10.96.0.2'))
  api.fail({ continued: true }, 'hang')
  const { services, state } = follow(t, api)
  await until(() => services().length === 1)
  t.equal(state.synced, false)
})

t.test('apiserver: selectors go to the kinds that they are for', async t => {
  const api = await fakeApiServer(t)
  await followed(t, api, {
    kinds: ['Namespace', 'Service', 'EndpointSlice', 'Pod'],
    labels: 'app in (a, b)',
    namespaceLabels: 'team=x',
  })
  const selectors = (kind: Kind) =>
    (['list', 'watch'] as const).map(verb => {
      const { labelSelector, fieldSelector } = api.asked(kind, verb)[0]!.parameters
      return [labelSelector, fieldSelector]
    })
  const twice = (...selector: (string | undefined)[]) => [selector, selector]
  t.same(selectors('Namespace'), twice('team=x', undefined))
  t.same(selectors('Service'), twice('app in (a, b)', undefined))
  t.same(selectors('EndpointSlice'), twice('app in (a, b)', undefined))
  t.same(selectors('Pod'), twice('app in (a, b)', 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown'))
})

t.test('apiserver: of secrets only metadata is asked for, and only of certificates', async t => {
  const api = await fakeApiServer(t)
  const secret = (name: string) => ({
    metadata: { name, namespace: 'shop' },
    type: 'kubernetes.io/tls',
    data: { a: 'b' },
  })
  api.put('Secret', secret('old'))
  const { state } = await followed(t, api, { kinds: ['Secret'] })
  await until(() => api.watches('Secret') === 1)
  api.put('Secret', secret('new'))
  await until(() => state.size('Secret') === 2)
  for (const { name, type } of state.list('Secret')) t.equal(type, '', name)
  for (const { headers, parameters } of api.requests) {
    t.match(headers.accept, /^application\/json;as=PartialObjectMetadata(List)?;g=meta.k8s.io;v=v1$/)
    t.match(parameters, { fieldSelector: 'type=kubernetes.io/tls' })
  }
})

t.test('apiserver: details are kept where they are asked for', async t => {
  const api = await fakeApiServer(t)
  api.put('Service', { metadata: { name: 'web', namespace: 'shop' } })
  const detailOf = async (detail: boolean) => (await followed(t, api, { detail })).state.service('shop/web')?.detail
  t.match(await detailOf(true), { resourceVersion: api.version })
  t.equal(await detailOf(false), undefined)
})

t.test('apiserver: a watch that ended is taken up from the last version seen, bookmarks included', async t => {
  const api = await fakeApiServer(t)
  const { services } = await followed(t, api)
  api.put('Service', web)
  await until(() => services().length === 1)
  api.bookmark()
  const { version } = api
  api.end('Service')
  await until(() => api.watches('Service') === 1)
  t.equal(api.asked('Service', 'watch')[1]?.parameters['resourceVersion'], version)
  t.equal(api.asked('Service', 'list').length, 1)
  api.put('Service', storedService('api', '10.96.0.2'))
  await until(() => services().length === 2)
})

t.test('apiserver: an event that was cut off comes whole in the next watch', async t => {
  const api = await fakeApiServer(t)
  const { services, passPause, problems } = await followed(t, api)
  api.write('Service', '{"type":"ADDED","object":{"kind":"Service","metadata":{"name":"we')
  api.end('Service', 'drop')
  await until(() => problems.length === 1)
  api.put('Service', web)
  await passPause(1)
  await until(() => services().length === 1)
  t.same(problems, ['Service unreachable', 'Service undefined'])
  t.equal(api.asked('Service', 'list').length, 1)
  t.equal(api.asked('Service', 'watch').length, 2)
})

for (const goneAs of ['status', 'event'] as const) {
  t.test(`apiserver: lists again when the history is gone (${goneAs}), and drops what went meanwhile`, async t => {
    const api = await fakeApiServer(t)
    api.goneAs = goneAs
    api.put('Service', storedService('old', '10.96.0.1'))
    api.put('Service', storedService('kept', '10.96.0.2'))
    const { services, lines, passPause } = await followed(t, api)
    await api.stop()
    api.delete('Service', 'shop/old')
    api.put('Service', storedService('new', '10.96.0.3'))
    api.compact()
    await api.start()
    await passPause(1)
    await until(() => services().join() === 'kept,new')
    t.equal(api.asked('Service', 'list').length, 2)
    t.ok(lines.some(line => line.includes('services: the API server no longer has the history')))
  })
}

t.test('apiserver: a list that expires between two pages starts again', async t => {
  const api = await fakeApiServer(t, { pageSize: 1 })
  api.put('Service', web)
  api.put('Service', storedService('api', '10.96.0.2'))
  api.fail({ continued: true, times: 1 }, { status: 410, message: 'The provided continue parameter is too old' })
  const { services, pauses, problems } = await followed(t, api)
  t.same(services(), ['api', 'web'])
  t.same(
    api.asked('Service', 'list').map(({ parameters }) => parameters['continue']),
    [undefined, '1002:1', undefined, '1002:1'],
  )
  t.same(pauses, [], 'at once')
  t.same(problems, [])
})

t.test('apiserver: a history that is gone again and again is not asked for without pause', async t => {
  const api = await fakeApiServer(t)
  api.fail({ verb: 'watch' }, { status: 410 })
  const { passPause, pauses } = follow(t, api)
  for (const nth of [1, 2, 3]) await passPause(nth)
  await until(() => pauses.length === 4)
  t.same(pauses, [750, 1500, 3000, 6000])
})

t.test('apiserver: an API server that restarts is followed again', async t => {
  const api = await fakeApiServer(t)
  const { services, passPause, pauses, lines, problems } = await followed(t, api)
  await api.stop()
  for (const nth of [1, 2, 3, 4, 5, 6, 7]) await passPause(nth)
  await until(() => pauses.length === 8)
  t.same(pauses, [750, 1500, 3000, 6000, 12_000, 15_000, 15_000, 15_000])
  await api.start()
  api.put('Service', web)
  await passPause(8)
  await until(() => services().length === 1)
  t.same(problems, ['Service unreachable', 'Service undefined'])
  t.equal(lines.at(-1), '[INFO] the API server is followed again after 68 s')
  api.end('Service', 'drop')
  await until(() => pauses.length === 9)
  t.equal(pauses[8], 750, 'the event was a sign of progress')
})

t.test('apiserver: a watch that falls silent beyond its time is opened again', async t => {
  const api = await fakeApiServer(t)
  const { clock, problems, pauses, lines, passPause, waits } = await followed(t, api)
  clock.advance(479_999)
  t.same(pauses, [])
  clock.advance(1)
  await passPause(1)
  await until(() => waits() === 2)
  t.same(problems, ['Service slow', 'Service undefined'])
  t.match(lines[0], /^\[WARNING\] http:\S+ sent nothing for 480 s; retrying, and serving what was known 480 s ago$/)
})

t.test('apiserver: a watch whose bookmarks stay away is opened again', async t => {
  const api = await fakeApiServer(t)
  const { clock, problems, passPause, waits, lines } = await followed(t, api)
  api.bookmark()
  await until(() => waits() === 2)
  const { version } = api
  clock.advance(149_999)
  t.same(problems, [])
  clock.advance(1)
  await passPause(1)
  await until(() => waits() === 3)
  t.same(problems, ['Service slow', 'Service undefined'])
  t.match(lines[0], 'sent nothing for 150 s; retrying, and serving what was known 150 s ago')
  t.equal(api.asked('Service', 'watch')[1]?.parameters['resourceVersion'], version)
  t.equal(api.asked('Service', 'list').length, 1)
  clock.advance(150_000)
  t.equal(problems.length, 2, 'the new one has yet to show that it has bookmarks')
})

t.test('apiserver: a peer that has vanished is noticed by probes of the connection', async t => {
  const probes = t.capture(Socket.prototype, 'setKeepAlive', Socket.prototype.setKeepAlive)
  const api = await fakeApiServer(t)
  await followed(t, api)
  t.ok(probes().some(({ args }) => `${args}` === 'true,15000,5000,3'))
})

t.test('apiserver: a clock that jumps changes nothing', async t => {
  const api = await fakeApiServer(t)
  let jump = 0
  const now = () => Date.UTC(2026, 0, 1) + jump
  const { clock, services, problems, lines, waits, source } = await followed(t, api, { now })
  for (const days of [1, -1, 10_000]) {
    jump = days * 86_400_000
    api.put('Service', storedService(`after-${days}`, '10.96.0.1'))
    await until(() => services().includes(`after-${days}`))
    clock.advance(1_000)
    t.match(source.status?.(), [{ following: true, staleMs: 1_000 }])
  }
  api.end('Service', 'drop')
  await until(() => problems.length === 1)
  jump = -86_400_000
  clock.advance(1_000)
  await until(() => waits() === 5)
  t.match(lines, [/serving what was known 1 s ago$/, /followed again after 1 s$/])
})

t.test('apiserver: a server that ends each watch at once is asked ever more seldom', async t => {
  const api = await fakeApiServer(t)
  api.fail({ verb: 'watch' }, { body: '' })
  const { passPause, pauses, problems } = follow(t, api)
  for (const nth of [1, 2, 3]) await passPause(nth)
  await until(() => pauses.length === 4)
  t.same(pauses, [750, 1500, 3000, 6000])
  t.equal(problems[0], 'Service failed')
})

t.test('apiserver: an error event or a line that is no event leads to a new list', async t => {
  const api = await fakeApiServer(t)
  const { passPause, lines, waits } = await followed(t, api)
  const mishaps = [
    '{"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError","message":"etcd is away"}}\n',
    'what?\n',
    '"text"\n',
    '{"type":"ADDED"}\n',
  ]
  for (const [index, text] of mishaps.entries()) {
    api.write('Service', text)
    await passPause(index + 1)
    await until(() => waits() === index + 2)
    t.equal(api.asked('Service', 'list').length, index + 2)
  }
  t.match(lines[0], /cannot watch services: 500 InternalError: etcd is away; retrying/)
})

t.test('apiserver: objects that cannot be used are skipped, named and counted', async t => {
  const api = await fakeApiServer(t)
  for (let i = 0; i < 8; i++) api.put('Service', { ...storedService(`bad-${i}`, 'nowhere') })
  api.put('Service', web)
  const { services, lines, metrics } = await followed(t, api)
  t.same(services(), ['web'])
  t.equal(lines.length, 6)
  t.match(lines[0], '[WARNING] skipped Service shop/bad-0: spec.clusterIP')
  t.equal(lines[5], '[WARNING] services: 3 more of the list were skipped')
  api.put('Service', storedService('late', 'nowhere'))
  await until(() => lines.length === 7)
  t.match(lines[6], /skipped Service shop\/late/)
  t.match(await metrics.exposition(), 'portolan_apiserver_objects_skipped_total{kind="Service"} 9')
})

t.test('apiserver: an object that cannot be used any more is gone, as it is for one who lists now', async t => {
  const api = await fakeApiServer(t)
  api.put('Service', web)
  const { services, lines } = await followed(t, api)
  api.put('Service', { ...storedService('web', 'nowhere') })
  await until(() => services().length === 0)
  t.match(lines, [/skipped Service shop\/web: spec.clusterIP/])
  api.put('Service', web)
  await until(() => services().length === 1)
})

t.test('apiserver: a list that breaks off half-way leaves what was known', async t => {
  const api = await fakeApiServer(t, { pageSize: 1 })
  for (const name of ['a', 'b', 'c']) api.put('Service', storedService(name, '10.96.0.1'))
  const { services, passPause, metrics } = await followed(t, api)
  api.fail({ continued: true, times: 1 }, 'cut')
  api.silently(() => api.delete('Service', 'shop/c'))
  api.write('Service', 'what?\n')
  await passPause(1)
  await until(() => api.asked('Service', 'list').length === 5)
  t.same(services(), ['a', 'b', 'c'], 'nothing is removed before the list is complete')
  await passPause(2)
  await until(() => services().join() === 'a,b')
  t.match(await metrics.exposition(), 'portolan_apiserver_relists_total{kind="Service",reason="failed"} 1')
})

t.test('apiserver: follow rejects when it is aborted before everything is there', async t => {
  const api = await fakeApiServer(t)
  api.fail({}, 'hang')
  const { synced, stop, problems, lines } = follow(t, api)
  await until(() => api.requests.length === 1)
  const reason = new Error('enough')
  stop.abort(reason)
  await t.rejects(synced, reason)
  t.same([...problems, ...lines], [])
})

t.test('apiserver: requests are counted under the names that dashboards know', async t => {
  const api = await fakeApiServer(t)
  api.fail({ verb: 'list', times: 1 }, { status: 500 })
  api.fail({ verb: 'list', times: 1 }, 'drop')
  const { passPause, metrics, waits } = follow(t, api)
  await passPause(1)
  await passPause(2)
  await until(() => waits() === 1)
  const text = await metrics.exposition()
  const prefix = 'coredns_kubernetes_rest_client'
  const count = (code: string) => `${prefix}_requests_total{code="${code}",method="GET",host="${api.host}"}`
  t.match(text, `${count('200')} 2`)
  t.match(text, `${count('500')} 1`)
  t.match(text, `${count('<error>')} 1`)
  t.match(text, `${prefix}_request_duration_seconds_count{verb="GET",host="${api.host}"} 3`)
  t.match(text, `${prefix}_rate_limiter_duration_seconds_count{verb="GET",host="${api.host}"} 3`)
})
