import t from 'tap'
import { type Answer, bare } from '../../../src/wire/answer.ts'
import { Bit, Rcode } from '../../../src/wire/types.ts'
import { answerTo } from '../../helpers/answer.ts'
import { cacheBench, relayed, settle } from './bench.ts'

const OLD = '192.0.2.1'
const NEW = '192.0.2.2'
const a = (address: string) => ({ answers: [`a.test. 30 IN A ${address}`] })
const SOA = { authorities: ['test. 60 IN SOA ns.test. host.test. 1 2 3 4 5'] }

/** A cache whose entry for a.test has just expired. */
async function staleBench(...options: string[]) {
  const bench = cacheBench(`cache {\n${options.join('\n')}\n}`)
  bench.gives(a(OLD))
  await bench.ask('a.test')
  bench.clock.advance(30_000)
  bench.asked.length = 0
  return Object.assign(bench, { record: async () => (await bench.ask('a.test'))[1] })
}

/** An upstream whose answer comes when the test says so. */
function late() {
  const { promise, resolve } = Promise.withResolvers<Answer>()
  return { upstream: () => promise, resolve }
}

t.test('an expired entry answers at once, and is fetched anew behind', async t => {
  const bench = await staleBench('serve_stale')
  bench.gives(a(NEW))
  const answers = [bench.record(), bench.record()]
  t.strictSame(await Promise.all(answers), [`= a.test. 0 IN A ${OLD}`, `= a.test. 0 IN A ${OLD}`])
  await settle()
  t.equal(bench.asked.length, 1, 'once')
  t.equal(await bench.record(), `= a.test. 30 IN A ${NEW}`)
  const exposition = await bench.metrics.exposition()
  t.match(exposition, 'coredns_cache_served_stale_total{server="dns://:53",zones=".",view=""} 2')
  t.match(exposition, 'coredns_cache_prefetch_total{server="dns://:53",zones=".",view=""} 1')
})

t.test('no longer than it is told to', async t => {
  const bench = await staleBench('serve_stale 1m')
  bench.upstream = () => bare(Rcode.SERVFAIL)
  bench.clock.advance(59_999)
  t.equal(await bench.record(), `= a.test. 0 IN A ${OLD}`)
  await settle()
  bench.clock.advance(1)
  t.strictSame(await bench.ask('a.test'), ['rcode SERVFAIL'])
})

t.test('the time to live of expired records can be chosen; keepttl keeps theirs', async t => {
  for (const [options, ttl] of [
    [['serve_stale 1h immediate 15s'], 15],
    [['serve_stale 1h verify 0 15s'], 15],
    [['serve_stale', 'keepttl'], 30],
    [['serve_stale 1h immediate 15s', 'keepttl'], 15],
  ] as const) {
    const bench = await staleBench(...options)
    bench.upstream = () => bare(Rcode.SERVFAIL)
    t.equal(await bench.record(), `= a.test. ${ttl} IN A ${OLD}`, options.join())
  }
})

t.test('only NOERROR and NXDOMAIN replace an expired entry', async t => {
  const good = relayed()
  for (const [what, texts, header, replaces] of [
    ['an answer', a(NEW), good, true],
    ['NODATA', SOA, good, true],
    ['NXDOMAIN', SOA, { ...good, rcode: Rcode.NXDOMAIN }, true],
    ['SERVFAIL', {}, { ...good, rcode: Rcode.SERVFAIL }, false],
    ['REFUSED', {}, { ...good, rcode: Rcode.REFUSED }, false],
    ['a truncated answer', a(NEW), { ...good, bits: good.bits | Bit.TC }, false],
  ] as const) {
    for (const option of ['serve_stale', 'serve_stale 1h verify']) {
      const bench = await staleBench(option)
      bench.gives(texts, header)
      const first = await bench.record()
      if (option === 'serve_stale') t.equal(first, `= a.test. 0 IN A ${OLD}`)
      else t.equal(first === `= a.test. 0 IN A ${OLD}`, !replaces, `${what}, ${option}`)
      await settle()
      const second = await bench.record()
      t.equal(second === `= a.test. 0 IN A ${OLD}`, !replaces, `${what}, ${option}, asked again`)
    }
  }
})

t.test('verify asks first, each asker for itself', async t => {
  const bench = await staleBench('serve_stale 1h verify')
  const { upstream, resolve } = late()
  bench.upstream = upstream
  const answers = [bench.record(), bench.record()]
  await settle()
  t.equal(bench.asked.length, 2)
  resolve(answerTo(bench.asked[0]!, a(NEW), relayed()))
  t.strictSame(await Promise.all(answers), [`= a.test. 30 IN A ${NEW}`, `= a.test. 30 IN A ${NEW}`])
})

t.test('verify with a time-out answers from the expired entry when it is over, and takes what comes later', async t => {
  const bench = await staleBench('serve_stale 1h verify 100ms')
  const { upstream, resolve } = late()
  bench.upstream = upstream
  const first = bench.record()
  t.equal(await bench.record(), `= a.test. 0 IN A ${OLD}`, 'the second does not wait for what the first asked')
  bench.clock.advance(100)
  t.equal(await first, `= a.test. 0 IN A ${OLD}`)
  t.equal(bench.asked.length, 1)
  resolve(answerTo(bench.asked[0]!, a(NEW), relayed()))
  await settle()
  t.equal(await bench.record(), `= a.test. 30 IN A ${NEW}`)
})

t.test('verify with a time-out answers with what comes in time', async t => {
  const bench = await staleBench('serve_stale 1h verify 100ms')
  bench.gives(a(NEW))
  t.equal(await bench.record(), `= a.test. 30 IN A ${NEW}`)
})

t.test('after a failed refresh the recheck pause keeps the upstream quiet', async t => {
  for (const option of ['serve_stale 1h immediate 0 10s', 'serve_stale 1h verify 0 0 10s']) {
    const bench = await staleBench(option)
    bench.upstream = () => bare(Rcode.SERVFAIL)
    for (let i = 0; i < 3; i++) {
      t.equal(await bench.record(), `= a.test. 0 IN A ${OLD}`)
      await settle()
    }
    t.equal(bench.asked.length, 1, option)
    bench.clock.advance(10_000)
    await bench.record()
    await settle()
    t.equal(bench.asked.length, 2, option)
  }
})

t.test('a failed verification is logged and answered from the expired entry', async t => {
  const bench = await staleBench('serve_stale 1h verify')
  bench.upstream = async () => {
    throw new Error('no route')
  }
  t.equal(await bench.record(), `= a.test. 0 IN A ${OLD}`)
  t.strictSame(bench.lines, ['[ERROR] refreshing a.test. A failed: no route'])
})

t.test('a kept failure does not hide an expired answer', async t => {
  const bench = await staleBench('serve_stale 10s')
  bench.clock.advance(10_000)
  t.match(await bench.record(), OLD, 'upstream as before')
  bench.clock.advance(30_000)
  bench.upstream = () => bare(Rcode.SERVFAIL)
  t.equal(await bench.record(), `= a.test. 0 IN A ${OLD}`)
})

t.test('prefer_positive keeps the last good answer while others come back', async t => {
  for (const option of ['serve_stale 1h verify', 'serve_stale 1h immediate']) {
    const bench = await staleBench(option, 'serve_stale_policy prefer_positive')
    for (const [texts, rcode] of [
      [SOA, Rcode.NXDOMAIN],
      [SOA, Rcode.NOERROR],
      [{}, Rcode.NOERROR],
      [{}, Rcode.SERVFAIL],
      [{ authorities: ['test. 60 IN NS ns.test.'] }, Rcode.NOERROR],
    ] as const) {
      bench.gives(texts, { ...relayed(), rcode })
      t.equal(await bench.record(), `= a.test. 0 IN A ${OLD}`, `${option} ${rcode} ${JSON.stringify(texts)}`)
      await settle()
    }
    bench.gives(a(NEW))
    await bench.record()
    await settle()
    t.equal(await bench.record(), `= a.test. 30 IN A ${NEW}`, option)
  }
})

t.test('without it a kept denial comes before an expired answer', async t => {
  const bench = await staleBench('serve_stale')
  bench.gives(SOA, { ...relayed(), rcode: Rcode.NXDOMAIN })
  await bench.record()
  await settle()
  t.equal((await bench.ask('a.test'))[0], 'rcode NXDOMAIN RA')
})
