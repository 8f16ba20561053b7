/** What the answerer counts reads in the metrics as if `observe/traffic.ts` had counted the same queries and answers. */
import t from 'tap'
import { metrics } from '../../src/observe/metrics.ts'
import { trafficMetrics } from '../../src/observe/traffic.ts'
import { TrafficFolder } from '../../src/observe/traffic-folder.ts'
import { Counted, MAX_COUNTERS, Transport } from '../../src/table/counters.ts'
import { Verdict } from '../../src/table/layout.ts'
import { type NameKey, nameFromKey } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, Class, DO, Rcode, Type } from '../../src/wire/types.ts'
import { testClock } from '../helpers/clock.ts'
import { Answering, keyOf, plainCut, requestFor, soaAnswer } from './answering.ts'

const ORIGIN = keyOf('cluster.local')
const labels = { server: 'dns://:53', zone: 'cluster.local.' }

function record(owner: Record['owner'], type: number, rdata: Uint8Array = Uint8Array.of(10, 0, 0, 1)): Record {
  return { owner, type, class: Class.IN, ttl: 30, rdata }
}

/** Addresses by name as many as it says, all of one cut; `kept` and what is below it is in the cache. */
function world(counter: number) {
  const answering = new Answering()
  const zone = answering.addZone(length => soaAnswer(ORIGIN, 7, length))
  const cache = answering.addCache()
  const answerOf = (key: NameKey, count: number) =>
    encode({ answers: Array(count).fill(record(0, Type.A)), authorities: [], additionals: [] }, key.length, {
      bits: Bit.AA,
    })
  answering.put(zone, ORIGIN, { other: Verdict.NODATA, below: 0, types: [] })
  for (const count of [1, 5, 8, 30, 200, 2000]) {
    const key = keyOf(`n${count}.cluster.local`)
    const types = [Type.A, Type.SRV].map(type => ({ type, verdict: Verdict.ANSWER, answer: answerOf(key, count) }))
    answering.put(zone, key, { other: Verdict.NODATA, below: 0, types })
  }
  const kept = keyOf('kept')
  answering.cuts = [
    { ...plainCut, suffix: ORIGIN, zone, counter },
    { ...plainCut, suffix: kept, cache, counter },
  ]
  return { answering, cache, answerOf }
}

t.test('requests, replies, sizes and durations', async t => {
  const { answering, cache, answerOf } = world(3)
  const kept = keyOf('www.kept')
  for (const dnssecOk of [true, false]) {
    const question = { key: kept, name: nameFromKey(kept), type: Type.A, dnssecOk, checkingDisabled: false }
    answering.keep(cache, question, { ...answerOf(kept, 3), bits: Bit.RA }, 30)
  }
  const wanted = metrics()
  const traffic = trafficMetrics(wanted).of(labels.server, labels.zone)
  const registry = metrics()
  const folder = new TrafficFolder(registry, testClock())
  const cached = ['requests', 'success', 'denial'].map(name => registry.counter(`${name}_total`, name, []).of())
  for (let i = 0; i < 3; i++) folder.numberOf({ traffic: { ...labels, zone: `other-${i}.` }, cache: undefined })
  const [requests, success, denial] = cached as [(typeof cached)[0], (typeof cached)[0], (typeof cached)[0]]
  t.equal(folder.numberOf({ traffic: labels, cache: { requests, success, denial } }), 3)
  const close = folder.register(answering.counters)

  const names = ['n1', 'n5', 'n8', 'n30', 'n200', 'n2000', 'none', `${'x'.repeat(63)}.none`].map(
    name => `${name}.cluster.local`,
  )
  const types = [Type.A, Type.AAAA, Type.SRV, Type.SOA, Type.ANY, Type.MX, Type.HTTPS, Type.CAA, 0, 1000]
  const durations = [0, 1, 2500, 2501, 78_125, 1_000_000, 100_000_000]
  let queries = 0
  for (const [transport, duration] of Object.values(Transport).flatMap(way =>
    durations.map(time => [way, time] as const),
  )) {
    for (const name of [...names, 'www.kept']) {
      for (const type of types) {
        const flags = queries++ % 3 === 0 ? DO : 0
        const request = requestFor(nameFromKey(keyOf(name)), type, queries % 2 ? { edns: { flags, size: 1232 } } : {})
        const told = answering.told(request, transport)
        const answered = answering.answer(request, transport, 65_535, duration)
        t.equal(typeof answered === 'string' ? answered : 'told', typeof told === 'string' ? told : 'told')
        if (typeof told === 'string') continue
        traffic.count(told.query, told.answer, name === 'www.kept' ? 'cache' : 'kubernetes', duration / 1e7)
      }
    }
  }
  close()
  const dns = async (from: typeof wanted) =>
    rounded(
      (await from.exposition())
        .split('\n')
        .filter(line => line.startsWith('coredns_dns'))
        .sort(),
    )
  t.same(await dns(registry), await dns(wanted))
  const lines = await registry.exposition()
  t.match(lines, `success_total ${Object.values(Transport).length * durations.length}\n`)
  t.match(lines, 'denial_total 0\n')
})

/** Without what is lost in the last digits of sums. */
function rounded(lines: readonly string[]): string[] {
  return lines.map(line => {
    const [, name, value] = /^(.*) (\S+)$/.exec(line)!
    return `${name} ${Number(Number(value).toPrecision(9))}`
  })
}

t.test('what a cache would count: denials are those without what was asked for', async t => {
  const { answering, cache } = world(0)
  const soa = record(
    keyName('kept'),
    Type.SOA,
    Buffer.concat([keyName('ns.kept'), keyName('mail.kept'), Buffer.alloc(20)]),
  )
  const alias = record(0, Type.CNAME, keyName('b.kept'))
  const address = record(keyName('b.kept'), Type.A)
  const rows: readonly (readonly [
    string,
    { answers?: Record[]; authorities?: Record[] },
    number,
    'success' | 'denial',
  ])[] = [
    ['address', { answers: [record(0, Type.A)] }, 0, 'success'],
    ['alias', { answers: [alias, address] }, 0, 'success'],
    ['loose', { answers: [alias] }, 0, 'success'],
    ['bounded', { answers: [alias], authorities: [soa] }, 0, 'denial'],
    ['signed', { answers: [alias, address], authorities: [soa] }, 0, 'success'],
    ['delegation', { authorities: [record(keyName('kept'), Type.NS, keyName('ns.kept'))] }, 0, 'success'],
    ['empty', {}, 0, 'success'],
    ['nodata', { authorities: [soa] }, 0, 'denial'],
    ['nxdomain', { authorities: [soa] }, Rcode.NXDOMAIN, 'denial'],
  ]
  for (const [name, { answers = [], authorities = [] }, rcode, wanted] of rows) {
    const key = keyOf(`${name}.kept`)
    const question = { key, name: nameFromKey(key), type: Type.A, dnssecOk: false, checkingDisabled: false }
    answering.keep(cache, question, encode({ answers, authorities, additionals: [] }, key.length, { rcode }), 30)
    answering.counters.fill(0)
    t.type(answering.answer(requestFor(nameFromKey(key), Type.A)), Buffer)
    const { CACHE_SUCCESS, CACHE_DENIAL } = Counted
    t.same(
      [CACHE_SUCCESS, CACHE_DENIAL].map(word => answering.counters[word]),
      wanted === 'success' ? [1, 0] : [0, 1],
      name,
    )
  }
})

function keyName(text: string): Uint8Array {
  return nameFromKey(keyOf(text))
}

t.test('nothing is counted of what is not answered, or where nobody counts', async t => {
  for (const counter of [-1, MAX_COUNTERS]) {
    const { answering } = world(counter)
    const request = requestFor(nameFromKey(keyOf('n1.cluster.local')), Type.A)
    t.equal(typeof answering.answer(request) === 'string', counter === MAX_COUNTERS, 'asked of who can count it')
    answering.answer(requestFor(nameFromKey(keyOf('no.kept')), Type.A))
    t.ok(answering.counters.every(word => word === 0))
  }
})
