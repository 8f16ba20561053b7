import { createServer } from 'node:net'
import t from 'tap'
import type { Kind } from '../../src/cluster/objects.ts'
import { failureOf } from '../../src/sources/apiserver/failure.ts'
import { storedService } from '../contract/source.ts'
import { type Fault, until } from '../helpers/fake-apiserver.ts'
import { fakeApiServer, follow, followed } from '../helpers/followed-apiserver.ts'

const kinds: readonly Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod']

const forbidden =
  'endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:kube-system:coredns" cannot list resource "endpointslices" in API group "discovery.k8s.io" at the cluster scope'

const table: readonly { fault: Fault; problem: string; line: string | RegExp }[] = [
  {
    fault: { status: 401, message: 'Unauthorized' },
    problem: 'unauthorized',
    line: '[WARNING] cannot list endpointslices: 401 Unauthorized; the API server does not accept these credentials: check the token or certificate, and whether it expired; retrying',
  },
  {
    fault: { status: 403, message: forbidden },
    problem: 'forbidden',
    line: '[WARNING] cannot list endpointslices: 403 Forbidden for system:serviceaccount:kube-system:coredns; add to its ClusterRole: apiGroups ["discovery.k8s.io"], resources ["endpointslices"], verbs ["list", "watch"]; retrying',
  },
  { fault: { status: 403 }, problem: 'forbidden', line: /403 Forbidden for this user; add to its ClusterRole/ },
  {
    fault: { status: 404, message: 'page not found' },
    problem: 'failed',
    line: /of version 1\.21 or later\?; retrying$/,
  },
  {
    fault: { status: 500, message: 'etcd is away' },
    problem: 'failed',
    line: '[WARNING] cannot list endpointslices: 500 Internal Server Error: etcd is away; retrying',
  },
  { fault: 'drop', problem: 'unreachable', line: /cannot reach http:\S+: socket hang up; check its address/ },
  { fault: 'cut', problem: 'unreachable', line: /closed the connection before its answer was complete/ },
  {
    fault: { body: '<html>' },
    problem: 'failed',
    line: /not an answer of a Kubernetes API server: "<html>"; retrying/,
  },
  { fault: { body: '{"items":[]}' }, problem: 'failed', line: /not an answer of a Kubernetes API server/ },
]

for (const { fault, problem, line } of table) {
  t.test(`apiserver: ${JSON.stringify(fault).slice(0, 40)} is ${problem}, and cured by a retry`, async t => {
    const api = await fakeApiServer(t)
    api.fail({ times: 1 }, fault)
    const { problems, lines, passPause, synced } = follow(t, api, { kinds: ['EndpointSlice'] })
    await passPause(1)
    await synced
    t.equal(problems[0], `EndpointSlice ${problem}`)
    t.equal(lines.length, 1)
    t.match(lines[0], line)
  })
}

t.test('apiserver: a watch that is forbidden says so, while the list is used', async t => {
  const api = await fakeApiServer(t)
  api.put('Service', storedService('web', '10.96.0.1'))
  api.fail({ verb: 'watch', times: 2 }, { status: 403 })
  const { services, synced, passPause, problems, lines, waits } = follow(t, api)
  await synced
  t.same(services(), ['web'])
  await passPause(1)
  await passPause(2)
  await until(() => waits() === 1)
  t.same(problems, ['Service forbidden', 'Service undefined'])
  t.match(lines, [/cannot watch services: 403 Forbidden/, /followed again/])
  t.equal(api.asked('Service', 'list').length, 1)
})

t.test('apiserver: what keeps all kinds away is one line, and comes again after a minute', async t => {
  const api = await fakeApiServer(t)
  await api.stop()
  const { clock, lines, pauses, problems } = follow(t, api, { kinds })
  await until(() => pauses.length === 4)
  t.same([...problems].sort(), kinds.map(kind => `${kind} unreachable`).sort())
  t.equal(lines.length, 1)
  t.match(lines[0], /^\[WARNING\] cannot reach http:\S+: connect ECONNREFUSED \S+; check its address, that it runs/)
  for (let attempt = 2; pauses.at(-1) !== 15_000; attempt++) {
    clock.advance(pauses.at(-1)!)
    await until(() => pauses.length === 4 * attempt)
  }
  t.equal(lines.length, 1)
  clock.advance(60_000)
  await until(() => lines.length === 2)
  t.equal(problems.length, 4, 'each kind told its problem once')
})

t.test('apiserver: each forbidden kind has a line of its own', async t => {
  const api = await fakeApiServer(t)
  api.fail({}, { status: 403 })
  const { lines, pauses } = follow(t, api, { kinds })
  await until(() => pauses.length === 4)
  t.same(lines.map(line => /list (\w+):/.exec(line)?.[1]).sort(), ['endpointslices', 'namespaces', 'pods', 'services'])
})

t.test('apiserver: a server that is overloaded is left alone for as long as it asks', async t => {
  const api = await fakeApiServer(t)
  api.fail({ times: 1 }, { status: 429, headers: { 'retry-after': '7' } })
  const { passPause, pauses, synced, problems } = follow(t, api)
  await passPause(1)
  await synced
  t.same(pauses, [7_000])
  t.equal(problems[0], 'Service slow')
})

for (const status of [429, 502, 503]) {
  t.test(`apiserver: a watch that has to wait (${status}) resumes where it was`, async t => {
    const api = await fakeApiServer(t)
    const { passPause, pauses, problems, services, waits } = await followed(t, api)
    api.fail({ verb: 'watch', times: 1 }, { status, headers: { 'retry-after': '3' } })
    api.end('Service', 'drop')
    await passPause(1)
    await passPause(2)
    await until(() => waits() === 2)
    t.same(pauses, [750, 3_000])
    t.same(problems, ['Service unreachable', 'Service slow', 'Service undefined'])
    t.equal(api.asked('Service', 'list').length, 1)
    api.put('Service', storedService('web', '10.96.0.1'))
    await until(() => services().length === 1)
  })
}

t.test('apiserver: a history that the server has yet to reach (a restored backup) is listed anew', async t => {
  const api = await fakeApiServer(t)
  const { passPause, waits, lines, metrics } = await followed(t, api)
  api.fail({ verb: 'watch', times: 1 }, { status: 504, message: 'Too large resource version: 1000, current: 900' })
  api.end('Service', 'drop')
  await passPause(1)
  await passPause(2)
  await until(() => waits() === 2)
  t.match(lines[1], /cannot watch services: 504 Gateway Timeout: Too large resource version: 1000, current: 900/)
  t.match(await metrics.exposition(), 'portolan_apiserver_relists_total{kind="Service",reason="failed"} 1')
})

t.test('apiserver: a list without an answer is given up after 30 s', async t => {
  const api = await fakeApiServer(t)
  api.fail({ times: 1 }, 'hang')
  const { clock, lines, passPause, synced, problems } = follow(t, api)
  await until(() => api.requests.length === 1)
  clock.advance(30_000)
  await passPause(1)
  await synced
  t.equal(problems[0], 'Service slow')
  t.match(lines[0], /sent nothing for 30 s; retrying/)
})

t.test('apiserver: a connection that does not come about is given up after 5 s', async t => {
  // It takes connections and says nothing, so that TLS is never agreed upon.
  const mute = createServer()
  let connections = 0
  mute.on('connection', socket => {
    connections++
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  await new Promise<void>(resolve => mute.listen(0, '127.0.0.1', resolve))
  t.teardown(() => mute.close())
  const { port } = mute.address() as { port: number }
  const api = await fakeApiServer(t)
  const access = { from: 'endpoint', url: `https://127.0.0.1:${port}` } as const
  const { clock, lines, pauses } = follow(t, api, { access })
  await until(() => connections === 1)
  clock.advance(5_000)
  await until(() => pauses.length === 1)
  t.match(lines[0], /cannot reach https:\S+: no connection within 5 s; check its address/)
})

t.test('apiserver: an idle connection that the server closes is not a failure', async t => {
  const api = await fakeApiServer(t)
  const { clock, waits, problems } = await followed(t, api)
  // The request that follows the end of the watch is sent on the same connection, which is dropped under it.
  api.fail({ verb: 'watch', times: 1 }, 'drop')
  clock.advance(60_000)
  api.end('Service')
  await until(() => waits() === 2)
  t.same(problems, [])
  t.equal(api.asked('Service', 'watch').length, 3)
})

t.test('apiserver: an error without a message is known by its code', t => {
  const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
  t.match(failureOf(refused, 'https://api'), {
    reason: 'unreachable',
    code: 'PORTOLAN_API_UNREACHABLE',
    message: 'cannot reach https://api: ECONNREFUSED',
  })
  t.match(failureOf(new Error('what?'), 'https://api'), { reason: 'failed', message: 'what?' })
  t.end()
})
