/** Each scheduler beside its definition, written out naively, while backends come and go; and the spread that comes of it. */
import fc from 'fast-check'
import t from 'tap'
import { type SchedulerName, scheduler, schedulerNames } from '../../../src/routes/choice/index.ts'
import type { Backend } from '../../../src/routes/route.ts'
import { addressOctets } from '../../../src/wire/address.ts'
import { testClock } from '../../helpers/clock.ts'
import { backend, backends, chiSquare, client, numberOf, seeded } from './backends.ts'

type Weights = Readonly<Record<number, number>>

const weighing = (weights: Weights) => (found: Backend) => weights[numberOf(found)] ?? 1

function make(name: SchedulerName, { weights = {}, seed = 1, virtualIP = '10.96.0.1', affinitySeconds = 0 } = {}) {
  const clock = testClock()
  const weightOf = weighing(weights)
  const made = scheduler({ name, virtualIP, affinitySeconds, clock, random: seeded(seed), weightOf })
  return { made, clock }
}

/** The numbers of the next choices, one client each, all connections left open. */
function chosen(made: ReturnType<typeof scheduler>, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const found = made.choose(client(i))
    if (found !== undefined) made.opened(found)
    return numberOf(found)
  })
}

t.test('random: any, each as probable as the others', async t => {
  // The 99.9 % quantiles of chi-square for 2 and 9 degrees of freedom.
  for (const [size, limit] of [
    [3, 13.82],
    [10, 27.88],
  ] as const) {
    for (const seed of [1, 2, 3]) {
      const { made } = make('random', { seed })
      made.update(backends(...Array.from({ length: size }, (_, i) => i + 1)))
      const counts = new Array<number>(size).fill(0)
      for (const number of chosen(made, 30_000)) counts[number - 1]!++
      t.ok(chiSquare(counts) < limit, `${size} backends, seed ${seed}: ${counts}`)
    }
  }
})

t.test('rr: each in turn, the newest first', async t => {
  const { made } = make('rr')
  made.update(backends(1, 2, 3))
  t.same(chosen(made, 7), [3, 2, 1, 3, 2, 1, 3])
  made.update(backends(1, 3))
  t.same(chosen(made, 3), [1, 3, 1], 'who has had its turn still has')
  made.update(backends(1, 3, 4))
  t.same(chosen(made, 3), [4, 3, 1], 'a new one waits for the end of the round')
  made.update(backends(3, 4))
  t.same(chosen(made, 2), [4, 3])
})

t.test('rr: a backend that goes does not take the turn of the next', async t => {
  const { made } = make('rr')
  made.update(backends(1, 2, 3))
  t.same(chosen(made, 2), [3, 2])
  made.update(backends(1, 3))
  t.same(chosen(made, 1), [1])
  const other = make('rr').made
  other.update(backends(1, 2, 3))
  t.same(chosen(other, 1), [3])
  other.update(backends(1, 2))
  t.same(chosen(other, 2), [2, 1])
})

t.test('wrr: rounds from the highest weight down', async t => {
  const { made } = make('wrr', { weights: { 1: 4, 2: 3, 3: 2 } })
  made.update(backends(3, 2, 1))
  // The example of ipvsadm's manual: A, B and C with the weights 4, 3 and 2.
  t.same(chosen(made, 18), [1, 1, 2, 1, 2, 3, 1, 2, 3, 1, 1, 2, 1, 2, 3, 1, 2, 3])
})

t.test('wrr: any weights, by definition', async () => {
  const weightsOf = fc.array(fc.nat(12), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(weightsOf, list => {
      const weights = Object.fromEntries(list.map((weight, i) => [i + 1, weight]))
      const { made } = make('wrr', { weights })
      const numbers = list.map((_, i) => i + 1)
      made.update(backends(...numbers))
      const round = roundOf(list)
      const expected = Array.from({ length: 3 * round.length }, (_, i) => round[i % round.length]!)
      return `${chosen(made, expected.length || 1)}` === `${round.length === 0 ? [0] : expected}`
    }),
    { seed: 7, numRuns: 300 },
  )
})

/** One round: for each step from the highest weight down, all that have so much, the newest first. */
function roundOf(weights: readonly number[]): number[] {
  const step = [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1].find(n => weights.every(weight => weight % n === 0))!
  const round: number[] = []
  for (let needed = Math.max(...weights); needed > 0; needed -= step) {
    for (let i = weights.length - 1; i >= 0; i--) if (weights[i]! >= needed) round.push(i + 1)
  }
  return round
}

t.test('wrr: backends that come and go', async t => {
  const { made } = make('wrr', { weights: { 1: 2, 2: 1, 3: 4 } })
  made.update(backends(1, 2))
  t.same(chosen(made, 2), [1, 2])
  made.update(backends(1, 2, 3))
  t.same(chosen(made, 3), [3, 2, 1], 'a change goes on with the step that was reached, from the first')
  t.same(chosen(made, 7), [3, 3, 3, 1, 3, 2, 1])
  made.update([])
  t.same(chosen(made, 1), [0])
  made.update(backends(2))
  t.same(chosen(made, 2), [2, 2])
})

type Load = (open: number, weight: number) => number

const loads = {
  lc: open => open,
  wlc: (open, weight) => open / weight,
  sed: (open, weight) => (open + 1) / weight,
  nq: (open, weight) => (open === 0 ? -1 : (open + 1) / weight),
} satisfies Record<string, Load>

for (const [name, load] of Object.entries(loads) as [keyof typeof loads, Load][]) {
  t.test(`${name}: the least load, of equals the newest, while connections open and close`, async () => {
    const weightsOf = fc.array(fc.nat(5), { minLength: 1, maxLength: 5 })
    const steps = fc.array(fc.oneof(fc.constant('open'), fc.nat(10)), { maxLength: 60 })
    fc.assert(
      fc.property(weightsOf, steps, (list, steps) => {
        const { made } = make(name, { weights: Object.fromEntries(list.map((weight, i) => [i + 1, weight])) })
        made.update(backends(...list.map((_, i) => i + 1)))
        const open = list.map(() => 0)
        const connections: Backend[] = []
        for (const step of steps) {
          if (step === 'open') {
            const found = made.choose('192.0.2.1')
            if (numberOf(found) !== leastOf(list, open, load)) return false
            if (found === undefined) continue
            made.opened(found)
            connections.push(found)
            open[numberOf(found) - 1]!++
          } else {
            const [gone] = connections.splice(Number(step) % (connections.length || 1), 1)
            if (gone === undefined) continue
            made.closed(gone)
            open[numberOf(gone) - 1]!--
          }
        }
        return true
      }),
      { seed: 11, numRuns: 200 },
    )
  })
}

/** The number of the one with the least load, 0 where all have the weight 0. */
function leastOf(weights: readonly number[], open: readonly number[], load: Load): number {
  const newestFirst = weights.map((weight, i) => ({ number: i + 1, weight, load: load(open[i]!, weight) })).reverse()
  const candidates = newestFirst.filter(({ weight }) => weight > 0)
  const least = Math.min(...candidates.map(({ load }) => load))
  return candidates.find(({ load }) => load === least)?.number ?? 0
}

t.test('connections are counted while their backend is away', async t => {
  const { made } = make('lc')
  made.update(backends(1, 2))
  t.same(chosen(made, 4), [2, 1, 2, 1])
  made.update(backends(1))
  made.closed(backend(2))
  made.update(backends(1, 2))
  t.same(chosen(made, 3), [2, 2, 1], '2 came back with its one connection')
  made.update([])
  for (let i = 0; i < 3; i++) made.closed(backend(2))
  made.closed(backend(2))
  made.update(backends(2, 1))
  t.same(chosen(made, 1), [2], 'and without any once they were closed')
})

/** hash_32 of the kernel, in big numbers. */
function bucketOf(ip: string): number {
  const octets = addressOctets(ip)!
  let folded = 0n
  for (let at = 0; at < octets.length; at += 4) {
    folded ^= BigInt(`0x${Buffer.from(octets.subarray(at, at + 4)).toString('hex')}`)
  }
  return Number(((folded * 0x61c88647n) & 0xffffffffn) >> 24n)
}

t.test('sh: the bucket of the client', async t => {
  const weights: Weights = { 1: 3, 2: 1, 3: 0 }
  const { made } = make('sh', { weights })
  made.update(backends(3, 2, 1))
  // Newest first, each as often as its weight says; a weight of 0 has a bucket whose clients go on to the next that may be.
  const round = [1, 1, 1, 2, 3]
  const table = Array.from({ length: 256 }, (_, i) => round[i % round.length]!)
  for (const ip of ['192.0.2.1', '10.244.3.7', '203.0.113.255', '2001:db8::17', 'fd00:1:2:3:4:5:6:7']) {
    const bucket = bucketOf(ip)
    let expected = table[bucket]!
    for (let offset = 0; expected === 3; offset++) expected = table[(2 * bucket + offset) % 256]!
    t.equal(numberOf(made.choose(ip)), expected, ip)
    t.equal(numberOf(made.choose(ip)), expected)
  }
  const counts = [0, 0, 0]
  for (let i = 0; i < 20_000; i++) counts[numberOf(made.choose(client(i)))]!++
  t.equal(counts[0], 0)
  t.ok(Math.abs(counts[1]! / counts[2]! - 3) < 1, `three to one: ${counts}`)
})

t.test('dh: one backend, whoever connects', async t => {
  for (const virtualIP of ['10.96.0.1', '10.96.0.2', 'fd00:96::1']) {
    const { made } = make('dh', { virtualIP, weights: { 1: 9 } })
    made.update(backends(1, 2, 3))
    const expected = 3 - (bucketOf(virtualIP) % 3)
    t.same(new Set(chosen(made, 500)), new Set([expected]))
    made.update(backends(expected === 1 ? 2 : 1))
    t.equal(numberOf(made.choose('192.0.2.1')), expected === 1 ? 2 : 1)
  }
})

for (const name of schedulerNames) {
  t.test(`${name}: what shall not be chosen is not, and whatever else there is will be`, async t => {
    const { made } = make(name)
    t.equal(made.choose('192.0.2.1'), undefined)
    made.update(backends(1, 2, 3, 4))
    for (let i = 0; i < 100; i++) {
      const except = new Set<string>()
      for (let found = made.choose(client(i)); found !== undefined; found = made.choose(client(i), except)) {
        if (except.has(found.address)) t.fail(`${found.address} was chosen again`)
        except.add(found.address)
      }
      if (except.size !== 4) t.fail(`${except.size} of 4 were chosen`)
    }
    made.update(backends(2, 5))
    t.ok([2, 5].includes(numberOf(made.choose('192.0.2.1'))), 'backends that are gone are not chosen')
    made.update([])
    t.equal(made.choose('192.0.2.1'), undefined)
  })

  t.test(`${name}: a backend is given as it was last told`, async t => {
    const { made } = make(name)
    made.update(backends(1))
    made.update([{ ...backend(1), ready: false }])
    t.equal(made.choose('192.0.2.1')?.ready, false)
  })
}

t.test('affinity', async t => {
  const { made, clock } = make('rr', { affinitySeconds: 10 })
  made.update(backends(1, 2, 3))
  const choose = (who: string, ...except: number[]) =>
    numberOf(made.choose(who, new Set(except.map(number => backend(number).address))))
  t.same([choose('a'), choose('b'), choose('a'), choose('b')], [3, 2, 3, 2])
  clock.advance(9_000)
  t.equal(choose('a'), 3, 'each connection renews it')
  clock.advance(9_000)
  t.same([choose('a'), choose('b')], [3, 1], 'b was away for too long')
  clock.advance(10_000)
  t.equal(choose('a'), 3, 'to the last second')
  clock.advance(10_001)
  t.equal(choose('a'), 3, 'chosen anew, in turn')
  t.equal(choose('a', 3), 2, 'another where its own does not accept')
  t.equal(choose('a'), 2, 'and that one stays')
  made.update(backends(1, 3))
  t.equal(choose('a'), 1)
  made.update(backends(1, 2, 3))
  t.equal(choose('a'), 1, 'the one it had left is forgotten')
  t.equal(choose('a', 1, 2, 3), 0)
  t.equal(choose('a'), 1, 'nothing else was remembered')
})

t.test('affinity passes connections on, and remembers no more clients than it says', async t => {
  const { made } = make('lc', { affinitySeconds: 3600 })
  made.update(backends(1, 2))
  const [first, second] = [made.choose('a')!, made.choose('b')!]
  t.equal(first.address, second.address, 'none is open yet')
  made.opened(first)
  t.equal(numberOf(made.choose('c')), 1)
  made.closed(first)
  t.equal(numberOf(made.choose('d')), 2)
  made.opened(backend(2))
  for (let i = 0; i < 65_531; i++) made.choose(`x${i}`)
  t.equal(numberOf(made.choose('a')), 2, 'a is still known')
  made.choose('one more')
  t.equal(numberOf(made.choose('b')), 1, 'b had been away longest')
})
