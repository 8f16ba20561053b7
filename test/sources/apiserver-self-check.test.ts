import t, { type Test } from 'tap'
import type { ApiServerOptions } from '../../src/sources/apiserver/index.ts'
import { storedService } from '../contract/source.ts'
import { type FakeApiServer, until } from '../helpers/fake-apiserver.ts'
import {
  checkGraceMs,
  checkMs,
  checkPauseMs,
  type Followed,
  fakeApiServer,
  follow,
  followed,
} from '../helpers/followed-apiserver.ts'

const web = storedService('web', '10.96.0.1')
const moved = storedService('web', '10.96.0.9')

interface Checked extends Followed {
  /** Lets the time pass until the next check begins, and waits until it is over, or has found something that it waits for. */
  check(): Promise<void>
  /** Lets the time pass that the check gives the watch. */
  passGrace(): void
}

async function checked(t: Test, api: FakeApiServer, options: Partial<ApiServerOptions> = {}): Promise<Checked> {
  const following = await followed(t, api, { selfCheckMs: checkMs, ...options })
  const { clock, checkPauses } = following
  await until(() => checkPauses.length === 1)
  return {
    ...following,
    async check() {
      const begun = checkPauses.length
      clock.advance(checkPauseMs)
      await until(() => checkPauses.length > begun)
    },
    passGrace: () => clock.advance(checkGraceMs),
  }
}

const count = (name: string, labels: string) => `portolan_apiserver_${name}{kind="Service"${labels}}`

t.test('self-check: what is the same is left alone', async t => {
  const api = await fakeApiServer(t, { pageSize: 1 })
  api.put('Service', web)
  api.put('Service', storedService('api', '10.96.0.2'))
  const { check, checkPauses, lines, metrics, source, clock } = await checked(t, api)
  await check()
  t.same(checkPauses, [checkPauseMs, checkPauseMs], 'no doubt, and the next one a period later')
  const [list, rest, first, second, ...others] = api.asked('Service', 'list')
  t.same(others, [])
  t.same(first?.parameters, { limit: '500' }, 'a consistent read')
  t.same(second?.parameters, { limit: '500', continue: '1002:1' })
  t.match(first?.headers.accept, 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json')
  t.equal(list?.port, rest?.port)
  t.equal(first?.port, second?.port)
  t.not(first?.port, list?.port, 'a stalled watch cannot stall it')
  t.same(lines, [])
  t.match(await metrics.exposition(), `${count('self_checks_total', ',result="ok"')} 1`)
  clock.advance(1_000)
  t.match(source.status?.(), [{ following: true, staleMs: 1_000, check: { ageMs: 1_000, differences: 0 } }])
})

const missed = [
  {
    what: 'a new object',
    before: [],
    change: (api: FakeApiServer) => api.put('Service', web),
    line: 'Service shop/web was not seen',
    after: ['web'],
  },
  {
    what: 'a change',
    before: [web],
    change: (api: FakeApiServer) => api.put('Service', moved),
    line: 'Service shop/web is of version 1002, seen was 1001',
    after: ['web'],
  },
  {
    what: 'a deletion',
    before: [web],
    change: (api: FakeApiServer) => api.delete('Service', 'shop/web'),
    line: 'Service shop/web is gone',
    after: [],
  },
] as const

for (const { what, before, change, line, after } of missed) {
  t.test(`self-check: ${what} that the watch has missed is named, counted and put right`, async t => {
    const api = await fakeApiServer(t)
    for (const object of before) api.put('Service', object)
    const { check, passGrace, services, state, lines, metrics, problems, waits } = await checked(t, api)
    api.silently(() => change(api))
    await check()
    t.same(services(), before.length > 0 ? ['web'] : [], 'not before it is sure')
    passGrace()
    await until(() => waits() === 2, 'a new watch')
    t.same(services(), after)
    if (what === 'a change') t.same(state.service('shop/web')?.clusterIPs, ['10.96.0.9'])
    t.same(lines, [`[WARNING] services: the watch has missed changes: ${line}; listing again`])
    t.same(problems, [])
    await until(() => api.watches('Service') === 1, 'the old watch is closed')
    const text = await metrics.exposition()
    t.match(text, `${count('self_checks_total', ',result="drift"')} 1`)
    t.match(text, `${count('drift_total', '')} 1`)
    t.match(text, `${count('relists_total', ',reason="drift"')} 1`)
  })
}

t.test('self-check: a watch that has stalled is replaced by one that works', async t => {
  const api = await fakeApiServer(t)
  const { check, passGrace, services, waits, lines } = await checked(t, api)
  api.stall('Service')
  for (const name of ['a', 'b', 'c', 'd', 'e']) api.put('Service', storedService(name, '10.96.0.1'))
  await check()
  passGrace()
  await until(() => waits() === 2)
  t.same(services(), ['a', 'b', 'c', 'd', 'e'])
  t.match(lines[0], /Service shop\/a was not seen, .*b was not seen, .*c was not seen and 2 more; listing again$/)
  api.put('Service', web)
  await until(() => services().includes('web'))
})

t.test('self-check: what a slow watch brings in the meantime is no difference', async t => {
  const api = await fakeApiServer(t)
  api.put('Service', storedService('old', '10.96.0.1'))
  const { check, passGrace, services, lines, checkPauses, metrics } = await checked(t, api)
  api.silently(() => {
    api.put('Service', web)
    api.delete('Service', 'shop/old')
  })
  await check()
  t.equal(checkPauses.at(-1), checkGraceMs)
  const metadata = { ...web.metadata, resourceVersion: '1002' }
  api.write('Service', `${JSON.stringify({ type: 'ADDED', object: { ...web, metadata } })}\n`)
  api.write('Service', '{"type":"DELETED","object":{"metadata":{"name":"old","namespace":"shop"}}}\n')
  await until(() => services().join() === 'web')
  passGrace()
  await until(() => checkPauses.length === 3)
  t.same(lines, [])
  t.match(await metrics.exposition(), `${count('self_checks_total', ',result="ok"')} 1`)
})

t.test('self-check: what changes again while it looks is left to the next one', async t => {
  const api = await fakeApiServer(t)
  const { check, passGrace, services, lines, checkPauses } = await checked(t, api)
  api.silently(() => api.put('Service', web))
  await check()
  api.put('Service', web)
  await until(() => services().length === 1)
  api.silently(() => api.put('Service', moved))
  passGrace()
  await until(() => checkPauses.length === 3)
  t.same(lines, [])
  await check()
  passGrace()
  await until(() => lines.length === 1)
  t.match(lines[0], 'Service shop/web is of version 1003, seen was 1002')
})

t.test('self-check: objects that cannot be used are no difference', async t => {
  const api = await fakeApiServer(t)
  api.put('Service', storedService('bad', 'nowhere'))
  const { check, lines, checkPauses } = await checked(t, api)
  api.put('Service', storedService('late', 'nowhere'))
  await until(() => lines.length === 2)
  await check()
  t.same(checkPauses, [checkPauseMs, checkPauseMs])
  t.equal(lines.length, 2)
})

t.test('self-check: one that fails is said once, and does not disturb the watch', async t => {
  const api = await fakeApiServer(t)
  const { check, services, lines, metrics, problems, source } = await checked(t, api)
  api.fail({ verb: 'list', times: 2 }, { status: 403 })
  await check()
  await check()
  t.match(source.status?.(), [{ following: true, check: { differences: undefined } }])
  t.match(lines, [/^\[WARNING\] services: not compared with the API server: cannot list services: 403 .*; add to its/])
  api.put('Service', web)
  await until(() => services().length === 1)
  await check()
  t.equal(lines[1], '[INFO] services: compared with the API server again')
  t.same(problems, [])
  const text = await metrics.exposition()
  t.match(text, `${count('self_checks_total', ',result="failed"')} 2`)
  t.match(text, `${count('self_checks_total', ',result="ok"')} 1`)
})

t.test('self-check: a server that is slow with it does not hold it up for ever', async t => {
  const api = await fakeApiServer(t)
  const { clock, lines } = await checked(t, api)
  api.fail({ verb: 'list', times: 1 }, 'hang')
  clock.advance(checkPauseMs)
  await until(() => api.asked('Service', 'list').length === 2)
  clock.advance(30_000)
  await until(() => lines.length === 1)
  t.match(lines[0], /not compared with the API server: \S+ sent nothing for 30 s/)
})

t.test('self-check: a list that is under way takes its place', async t => {
  const api = await fakeApiServer(t)
  const { check, passGrace, passPause, services, lines, pauses, problems, waits } = await checked(t, api)
  api.silently(() => api.put('Service', web))
  await check()
  // The list is there before the check has made up its mind.
  api.write('Service', 'what?\n')
  await passPause(1)
  await until(() => waits() === 2)
  t.same(services(), ['web'])
  passGrace()
  await until(() => pauses.length === 2)
  t.equal(lines.filter(line => line.includes('missed')).length, 0)
  // The list is not there when the check is due.
  api.fail({ verb: 'list' }, { status: 500 })
  api.write('Service', 'what?\n')
  await until(() => problems.length === 3)
  const asked = api.asked('Service', 'list').length
  await check()
  t.equal(api.asked('Service', 'list').filter(({ headers }) => headers.accept !== 'application/json').length, 1)
  t.ok(asked >= 3)
})

t.test('self-check: none where none is wanted', async t => {
  const api = await fakeApiServer(t)
  const { clock, checkPauses } = await followed(t, api, { selfCheckMs: 0 })
  clock.advance(300_000)
  t.same(checkPauses, [])
  t.equal(api.asked('Service', 'list').length, 1)
})

t.test('self-check: never later than the period says, and not at the same time everywhere', async t => {
  const api = await fakeApiServer(t)
  for (const [random, due] of [
    [0, 90_000],
    [0.999, 81_009],
  ] as const) {
    const { clock, pauses, stop } = follow(t, api, { selfCheckMs: 90_000, random: () => random })
    await until(() => pauses.includes(due))
    const asked = api.asked('Service', 'list').length
    clock.advance(due)
    await until(() => api.asked('Service', 'list').length === asked + 1)
    stop.abort()
  }
})

t.test('self-check: a watch that is forbidden is made up for', async t => {
  const api = await fakeApiServer(t)
  const { check, passGrace, passPause, services, problems } = await checked(t, api)
  api.fail({ verb: 'watch' }, { status: 403 })
  api.end('Service', 'drop')
  await passPause(1)
  await until(() => problems.length === 2)
  api.put('Service', web)
  await check()
  passGrace()
  await until(() => services().length === 1)
  t.same(problems, ['Service unreachable', 'Service forbidden'])
})
