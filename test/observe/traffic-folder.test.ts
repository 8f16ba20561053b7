import t from 'tap'
import { metrics } from '../../src/observe/metrics.ts'
import { trafficMetrics } from '../../src/observe/traffic.ts'
import { COUNTER_WORDS, TrafficFolder } from '../../src/observe/traffic-folder.ts'
import {
  COUNTED_TYPES,
  Counted,
  DURATION_BUCKETS,
  MAX_COUNTERS,
  SIZE_BUCKETS,
  SIZE_COUNTS,
  Sum,
  sumAt,
  sumsOf,
} from '../../src/table/counters.ts'
import { fullSize } from '../../src/wire/finish.ts'
import { typeName } from '../../src/wire/types.ts'
import { answerTo } from '../helpers/answer.ts'
import { testClock } from '../helpers/clock.ts'
import { queryFor } from '../helpers/plugin.ts'

const traffic = { server: 'dns://:53', zone: 'cluster.local.' }

function bucketOf(bounds: readonly number[], value: number): number {
  const bucket = bounds.findIndex(bound => value <= bound)
  return bucket < 0 ? bounds.length : bucket
}

t.test('what threads count reads as if the plugin had counted it', async t => {
  const questions = ['A', 'AAAA', 'SRV', 'ANY', 'NAPTR', 'HTTPS', 'A'].flatMap((type, i) =>
    (['udp', 'tcp'] as const).map(protocol =>
      queryFor(`x${'long-name'.repeat(i)}.test`, type, {
        peer: { protocol, address: i % 2 ? '192.0.2.1' : '2001:db8::1' },
        ...(i % 3 === 0 ? { edns: { flags: 0x8000 } } : {}),
      }),
    ),
  )
  const exchanges = questions.map((query, i) => ({
    query,
    answer: answerTo(
      query,
      { answers: Array<string>(i * 3).fill('a.test. 5 IN A 192.0.2.1') },
      { rcode: i % 2 ? 3 : 0 },
    ),
    source: i % 3 === 0 ? 1 : 0,
    // Sums of these lose nothing, in whatever order.
    units: [0, 78_125, 156_250, 1e7, 1e10][i % 5]!,
  }))

  const expected = metrics()
  const plugin = trafficMetrics(expected).of(traffic.server, traffic.zone)
  for (const { query, answer, source, units } of exchanges) {
    plugin.count(query, answer, source === 1 ? 'cache' : 'kubernetes', units / 1e7)
  }

  const registry = metrics()
  const folder = new TrafficFolder(registry, testClock())
  folder.numberOf({ traffic: { ...traffic, zone: 'other.' }, cache: undefined })
  const number = folder.numberOf({ traffic, cache: undefined })!
  // Words wrap, sums pass 2³².
  const threads = [0, 1].map(() => new Uint32Array(COUNTER_WORDS).fill(2 ** 32 - 2))
  for (const words of threads) sumsOf(words).fill(2 ** 32 - 2, sumAt(number * Counted.WORDS, 0))
  const closings = threads.map(words => folder.register(words))
  for (const [i, { query, answer, source, units }] of exchanges.entries()) {
    const block = threads[i % 2]!.subarray(number * Counted.WORDS)
    const sums = sumsOf(block)
    const tcp = query.peer.protocol === 'tcp' ? 1 : 0
    const place = (COUNTED_TYPES as readonly string[]).indexOf(typeName(query.type)) + 1
    const sizes = (at: number, sum: number, size: number) => {
      block[at + tcp * SIZE_COUNTS + bucketOf(SIZE_BUCKETS, size)]! += 1
      sums[sumAt(0, sum + tcp)]! += size
    }
    block[Counted.REQUESTS + ((place << 2) | (tcp << 1) | (query.peer.address.includes(':') ? 1 : 0))]! += 1
    if (query.dnssecOk) block[Counted.DNSSEC_OK]! += 1
    block[Counted.DURATIONS + bucketOf(DURATION_BUCKETS, units)]! += 1
    sums[sumAt(0, Sum.DURATIONS)]! += units
    sizes(Counted.REQUEST_SIZES, Sum.REQUEST_SIZES, query.packet.length)
    sizes(Counted.RESPONSE_SIZES, Sum.RESPONSE_SIZES, fullSize(query, answer))
    block[Counted.RESPONSES + source * 16 + answer.rcode]! += 1
    if (i === 5) folder.fold()
  }
  for (const close of closings) close()
  const lines = (text: string) =>
    text
      .split('\n')
      .filter(line => line.includes(traffic.zone))
      .sort()
  t.same(lines(await registry.exposition()), lines(await expected.exposition()))
})

t.test('hits of a cache are counted by it, each minute and when somebody looks', async t => {
  const registry = metrics()
  const clock = testClock()
  const folder = new TrafficFolder(registry, clock)
  const counter = (type: string) => registry.counter('hits', 'Hits.', ['type']).of(type)
  const cache = { requests: counter('all'), success: counter('success'), denial: counter('denial') }
  const number = folder.numberOf({ traffic: undefined, cache })!
  const words = new Uint32Array(COUNTER_WORDS)
  folder.register(words)
  const block = words.subarray(number * Counted.WORDS)
  const values = () =>
    [cache.requests, cache.success, cache.denial].map(made => (made as unknown as { value: number }).value)
  block[Counted.CACHE_SUCCESS] = 3
  clock.advance(60_000)
  t.same(values(), [3, 3, 0])
  block[Counted.CACHE_DENIAL] = 2
  t.match(await registry.exposition(), 'hits{type="denial"} 2')
  folder.close()
  block[Counted.CACHE_SUCCESS] = 9
  clock.advance(60_000)
  await registry.exposition()
  t.same(values(), [5, 3, 2], 'not after its end')
})

t.test('label sets keep their numbers', async t => {
  const folder = new TrafficFolder(metrics(), testClock())
  const of = (zone: number) => folder.numberOf({ traffic: { server: 's', zone: `${zone}.` }, cache: undefined })
  for (let i = 0; i < MAX_COUNTERS; i++) t.equal(of(i), i)
  t.equal(of(MAX_COUNTERS), undefined, 'there are only so many')
  t.equal(of(7), 7)
})
