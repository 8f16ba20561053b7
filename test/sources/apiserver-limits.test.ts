import t from 'tap'
import { LineBuffer } from '../../src/sources/apiserver/line-buffer.ts'
import { backoffMs } from '../../src/sources/apiserver/reflector.ts'
import { RequestLimits } from '../../src/sources/apiserver/request-limits.ts'
import { storedService } from '../contract/source.ts'
import { testClock } from '../helpers/clock.ts'
import { until } from '../helpers/fake-apiserver.ts'
import { fakeApiServer, follow } from '../helpers/followed-apiserver.ts'

const never = new AbortController().signal

/** Takes `count` turns at once; says how many have come after each of these moments in milliseconds. */
async function turns(limits: RequestLimits, clock: ReturnType<typeof testClock>, count: number, moments: number[]) {
  let taken = 0
  for (let i = 0; i < count; i++) void limits.turn(never).then(() => taken++)
  const seen: number[] = []
  let now = 0
  for (const moment of moments) {
    clock.advance(moment - now)
    now = moment
    await new Promise(setImmediate)
    seen.push(taken)
  }
  return seen
}

t.test('request limits: a burst, then the rate', async t => {
  const clock = testClock()
  const limits = new RequestLimits({ qps: 2, burst: 3 }, clock)
  t.same(await turns(limits, clock, 6, [0, 499, 500, 1000, 1500]), [3, 3, 4, 5, 6])
  clock.advance(60_000)
  t.same(await turns(limits, clock, 5, [0, 500, 1000]), [3, 4, 5], 'a pause fills the bucket, and no more than that')
})

t.test('request limits: the defaults are those of client-go, and none without an option', async t => {
  const clock = testClock()
  t.same(await turns(new RequestLimits({ qps: 1 }, clock), clock, 12, [0, 1000]), [10, 11])
  t.same(await turns(new RequestLimits({ burst: 1 }, clock), clock, 3, [0, 200, 400]), [1, 2, 3])
  t.same(await turns(new RequestLimits({}, clock), clock, 1000, [0]), [1000])
})

t.test('request limits: only so many are under way, in the order in which they came', async t => {
  const limits = new RequestLimits({ maxInflight: 2 }, testClock())
  const leaves: (() => void)[] = []
  const entered: number[] = []
  for (const i of [1, 2, 3, 4])
    void limits.enter().then(leave => {
      entered.push(i)
      leaves.push(leave)
    })
  await new Promise(setImmediate)
  t.same(entered, [1, 2])
  leaves[0]!()
  await new Promise(setImmediate)
  t.same(entered, [1, 2, 3])
  for (const leave of leaves.slice(1)) leave()
  await new Promise(setImmediate)
  t.same(entered, [1, 2, 3, 4])
})

t.test('apiserver: pages keep to apiserver_qps', async t => {
  const api = await fakeApiServer(t, { pageSize: 1 })
  for (const name of ['a', 'b', 'c']) api.put('Service', storedService(name, '10.96.0.1'))
  const { passPause, synced, pauses, services } = follow(t, api, { qps: 4, burst: 1 })
  await until(() => pauses.length === 1)
  t.same(services(), ['a'])
  await passPause(1)
  await passPause(2)
  await synced
  t.same(pauses, [250, 250])
})

t.test('apiserver: apiserver_max_inflight holds back, and a watch under way does not count', async t => {
  const api = await fakeApiServer(t)
  api.fail({ kind: 'Service', times: 1 }, 'hang')
  const { clock, waits } = follow(t, api, { kinds: ['Service', 'Namespace', 'Pod'], maxInflight: 1 })
  await until(() => api.requests.length === 1)
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  t.equal(api.requests.length, 1)
  clock.advance(30_000)
  await until(() => waits() === 2)
  t.same(
    api.requests.map(({ kind, verb }) => `${kind} ${verb}`),
    ['Service list', 'Namespace list', 'Pod list', 'Namespace watch', 'Pod watch'],
  )
})

t.test('line buffer: lines come whole, however the bytes are cut', t => {
  const bytes = Buffer.from('one\n\nzwölf ⚓\nrest')
  for (let size = 1; size <= bytes.length; size++) {
    const buffer = new LineBuffer(20)
    const lines: string[] = []
    for (let at = 0; at < bytes.length; at += size) lines.push(...buffer.push(bytes.subarray(at, at + size)))
    t.same(lines, ['one', '', 'zwölf ⚓'], `chunks of ${size}`)
  }
  t.end()
})

t.test('line buffer: a line that is too long is refused before it is whole', t => {
  const buffer = new LineBuffer(4)
  t.same([...buffer.push(Buffer.from('1234\n123'))], ['1234'])
  t.throws(() => [...buffer.push(Buffer.from('45'))], { code: 'PORTOLAN_LINE_LENGTH' })
  t.end()
})

t.test('backoff: from 0.5 s to 20 s', t => {
  t.same(
    [0, 1, 2, 5, 100].map(failures => backoffMs(failures, () => 0)),
    [500, 1000, 2000, 10_000, 10_000],
  )
  t.ok(backoffMs(100, () => 0.999) < 20_000)
  t.end()
})
