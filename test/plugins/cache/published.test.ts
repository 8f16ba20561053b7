import t from 'tap'
import type { CacheQuestion, CacheSpace, Spaces } from '../../../src/table/contract.ts'
import { textFromKey } from '../../../src/wire/name.ts'
import { Bit, DO, Rcode, typeName } from '../../../src/wire/types.ts'
import type { Asking } from '../../helpers/plugin.ts'
import { cacheBench, relayed } from './bench.ts'

const SOA = 'up.test. 60 IN SOA ns.up.test. host.up.test. 1 2 3 4 9999'
const address = (ttl = 60) => ({ answers: [`a.up.test. ${ttl} IN A 192.0.2.1`] })

/** A cache that publishes in a table which tells what it has: `NAME TYPE FLAGS RCODE TTL AGE`. */
async function publishing(text: string) {
  const kept = new Map<string, string>()
  const textOf = ({ key, type, dnssecOk, checkingDisabled }: Omit<CacheQuestion, 'name'>) =>
    [textFromKey(key), typeName(type), dnssecOk && 'DO', checkingDisabled && 'CD'].filter(Boolean).join(' ')
  let open = true
  const space: CacheSpace = {
    id: 7,
    put(question, answer, { ttl, ageMs }) {
      kept.set(textOf(question), `rcode ${answer.rcode}, ${answer.answers} answers, ${ttl} s, ${ageMs / 1000} s old`)
      return true
    },
    remove: question => void kept.delete(textOf(question)),
    commit: () => undefined,
    close() {
      open = false
    },
  }
  const table = { cacheSpace: () => space } as Spaces
  const bench = cacheBench(text, { context: { table } })
  await bench.plugin.start?.()
  return { ...bench, bench, kept, isOpen: () => open }
}

t.test('what is kept stands in the table, by all that it depends on', async t => {
  const { bench, kept } = await publishing('cache')
  bench.gives(address())
  const askings: Asking[] = [
    {},
    { edns: { flags: DO } },
    { bits: Bit.CD },
    { edns: { flags: DO }, bits: Bit.CD | Bit.RD },
  ]
  for (const asking of askings) await bench.ask('A.up.test', 'A', asking)
  bench.gives({ authorities: [SOA] }, relayed(0, Rcode.NXDOMAIN))
  await bench.ask('b.up.test')
  t.same(Object.fromEntries(kept), {
    ...Object.fromEntries(
      ['', ' DO', ' CD', ' DO CD'].map(flags => [`a.up.test. A${flags}`, 'rcode 0, 1 answers, 60 s, 0 s old']),
    ),
    'b.up.test. A': 'rcode 3, 0 answers, 60 s, 0 s old',
  })
})

t.test('failures, other classes and what is not kept do not', async t => {
  const { bench, kept } = await publishing('cache {\n disable success off.test\n}')
  await bench.ask('a.up.test')
  bench.gives(address())
  await bench.ask('a.up.test', 'A', { class: 3 })
  await bench.ask('a.off.test')
  bench.gives(address(), relayed(Bit.TC))
  await bench.ask('b.up.test')
  t.equal(kept.size, 0)
})

t.test('the table has what the store would find', async t => {
  const { bench, kept, clock } = await publishing('cache {\n success 100 100\n denial 100 20\n servfail 10s\n}')
  const now = () => kept.get('a.up.test. A')
  bench.gives(address(100))
  const first = bench.ask('a.up.test')
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = bench.upstream
  bench.upstream = async query => {
    await promise
    return held(query)
  }
  const late = bench.ask('a.up.test')
  await first
  t.equal(now(), 'rcode 0, 1 answers, 100 s, 0 s old')
  clock.advance(5000)
  // A second one that was under way fails: the positive answer still counts.
  bench.gives({}, relayed(0, Rcode.SERVFAIL))
  resolve()
  await late
  t.equal(now(), 'rcode 0, 1 answers, 100 s, 0 s old', 'replaced by the one that came late')

  clock.advance(100_000)
  bench.gives({ authorities: [SOA] })
  await bench.ask('a.up.test')
  t.equal(now(), 'rcode 0, 0 answers, 20 s, 0 s old', 'a denial takes its place')
  clock.advance(20_000)
  bench.gives({}, relayed(0, Rcode.SERVFAIL))
  await bench.ask('a.up.test')
  t.equal(now(), undefined, 'a failure leaves nothing')
})

t.test('a failure does not hide the answer that the store still gives', async t => {
  const { bench, kept, clock } = await publishing('cache')
  let give: (rcode: number) => void = () => undefined
  const asked = (rcode: number) => {
    bench.gives(rcode === 0 ? address() : {}, relayed(0, rcode))
    const { upstream } = bench
    const { promise, resolve } = Promise.withResolvers<void>()
    bench.upstream = async query => {
      await promise
      return upstream(query)
    }
    give = () => resolve()
    return bench.ask('a.up.test')
  }
  const failing = asked(Rcode.SERVFAIL)
  const fail = give
  const good = asked(0)
  give(0)
  await good
  clock.advance(3000)
  fail(Rcode.SERVFAIL)
  await failing
  t.equal(kept.get('a.up.test. A'), 'rcode 0, 1 answers, 60 s, 3 s old')
})

t.test('what makes room for others is gone', async t => {
  const { bench, kept } = await publishing('cache {\n denial 1\n}')
  bench.gives({ authorities: [SOA] })
  for (let i = 0; i < 1030; i++) await bench.ask(`a${i}.up.test`)
  t.equal(kept.size, 1024)
  t.notOk(kept.has('a0.up.test. A'))
  t.ok(kept.has('a1029.up.test. A'))
})

t.test('with prefetch and keepttl nothing is published', async t => {
  for (const option of ['prefetch 2', 'keepttl']) {
    const { bench, kept } = await publishing(`cache {\n ${option}\n}`)
    bench.gives(address())
    await bench.ask('a.up.test')
    t.equal(kept.size, 0, option)
  }
})

t.test('the end closes it', async t => {
  const { plugin, isOpen } = await publishing('cache')
  t.ok(isOpen())
  await plugin.stop?.()
  t.notOk(isOpen())
})
