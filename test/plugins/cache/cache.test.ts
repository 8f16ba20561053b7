import t from 'tap'
import type { Next, Plugin } from '../../../src/plugin/plugin.ts'
import { bare } from '../../../src/wire/answer.ts'
import { encode } from '../../../src/wire/record.ts'
import { Bit, DO, Rcode, Type } from '../../../src/wire/types.ts'
import { answerTo, type Texts } from '../../helpers/answer.ts'
import { type Asking, queryFor } from '../../helpers/plugin.ts'
import { cacheBench, relayed, settle } from './bench.ts'

const SOA = 'up.test. 60 IN SOA ns.up.test. host.up.test. 1 2 3 4 9999'
t.test('answers again without asking, with less time to live each second', async t => {
  const bench = cacheBench('cache')
  bench.gives({ answers: ['www.up.test. 300 IN A 192.0.2.1'] })
  t.strictSame(await bench.ask('www.up.test'), ['rcode NOERROR RD RA', '= www.up.test. 300 IN A 192.0.2.1'])
  bench.clock.advance(7_999)
  t.strictSame(await bench.ask('www.up.test'), ['rcode NOERROR RA', '= www.up.test. 293 IN A 192.0.2.1'])
  t.equal((await bench.reply('www.up.test')).plugin, 'cache')
  bench.clock.advance(292_000)
  t.strictSame(await bench.ask('www.up.test'), ['rcode NOERROR RA', '= www.up.test. 1 IN A 192.0.2.1'])
  t.equal(bench.asked.length, 1)
  bench.clock.advance(1)
  await bench.ask('www.up.test')
  t.equal(bench.asked.length, 2)
})

t.test('keeps apart what differs in name, type, class, DO or CD', async t => {
  const bench = cacheBench('cache')
  bench.gives({ authorities: [SOA] })
  const questions: [string, string, Asking][] = [
    ['a.up.test', 'A', {}],
    ['b.up.test', 'A', {}],
    ['a.up.test', 'AAAA', {}],
    ['a.up.test', 'A', { class: 3 }],
    ['a.up.test', 'A', { edns: { flags: DO } }],
    ['a.up.test', 'A', { bits: Bit.CD }],
  ]
  for (const question of [...questions, ...questions]) await bench.ask(...question)
  t.equal(bench.asked.length, questions.length)
  await bench.ask('A.UP.test', 'A', { edns: { size: 4096 } })
  t.equal(bench.asked.length, questions.length, 'letter case and EDNS size do not count')
})

t.test('gives all records the lowest time to live, already on the first reply', async t => {
  const bench = cacheBench('cache')
  bench.gives({
    answers: ['a.up.test. 120 IN CNAME www.up.test.', 'www.up.test. 300 IN A 192.0.2.1'],
    authorities: ['up.test. 900 IN NS ns.up.test.'],
    additionals: ['ns.up.test. 90 IN A 192.0.2.53'],
  })
  t.strictSame((await bench.ask('a.up.test')).slice(1), [
    '= a.up.test. 90 IN CNAME www.up.test.',
    '= www.up.test. 90 IN A 192.0.2.1',
    '@ up.test. 90 IN NS ns.up.test.',
    '+ ns.up.test. 90 IN A 192.0.2.53',
  ])
})

t.test('bounds the time to live', async t => {
  const cases: [string, Texts, number, number][] = [
    ['cache', { answers: ['a.up.test. 90000 IN A 192.0.2.1'] }, 0, 3600],
    ['cache', { answers: ['a.up.test. 0 IN A 192.0.2.1'] }, 0, 5],
    ['cache 30', { answers: ['a.up.test. 300 IN A 192.0.2.1'] }, 0, 30],
    ['cache 3', { answers: ['a.up.test. 300 IN A 192.0.2.1'] }, 0, 3],
    ['cache {\nsuccess 1000 50 20\n}', { answers: ['a.up.test. 10 IN A 192.0.2.1'] }, 0, 20],
    ['cache', { authorities: [SOA.replace('60', '7200')] }, 0, 1800],
    ['cache', { authorities: [SOA] }, Rcode.NXDOMAIN, 60],
    ['cache 30 .', { authorities: [SOA] }, Rcode.NXDOMAIN, 30],
    ['cache', { answers: ['a.up.test. 70 IN CNAME b.up.test.'], authorities: [SOA] }, 0, 60],
    ['cache', { authorities: ['up.test. 900 IN NS ns.up.test.'] }, 0, 5],
    ['cache', { authorities: [SOA] }, Rcode.REFUSED, 5],
  ]
  for (const [text, texts, rcode, ttl] of cases) {
    const bench = cacheBench(text)
    bench.gives(texts, relayed(0, rcode))
    const [, record] = await bench.ask('a.up.test')
    t.equal(Number(record?.split(' ')[2]), ttl, `${text} ${JSON.stringify(texts)}`)
  }
})

t.test('keeps what may be kept, and nothing else', async t => {
  const alias = 'a.up.test. 300 IN CNAME b.up.test.'
  const cases: [string, Texts, number, number, boolean][] = [
    ['NXDOMAIN with SOA', { authorities: [SOA] }, Rcode.NXDOMAIN, 0, true],
    ['NXDOMAIN without SOA', {}, Rcode.NXDOMAIN, 0, false],
    ['NODATA with SOA', { authorities: [SOA] }, 0, 0, true],
    ['an empty answer without SOA', {}, 0, 0, true],
    ['a referral', { authorities: ['up.test. 900 IN NS ns.up.test.'] }, 0, 0, true],
    ['an alias that leads to the type', { answers: [alias, 'b.up.test. 9 IN A 192.0.2.1'] }, 0, 0, true],
    ['an alias that leads nowhere', { answers: [alias] }, 0, 0, false],
    ['an alias that leads nowhere, with SOA', { answers: [alias], authorities: [SOA] }, 0, 0, true],
    ['an alias in a circle', { answers: [alias, 'b.up.test. 9 IN CNAME a.up.test.'] }, 0, 0, false],
    [
      'an alias with two targets',
      { answers: [alias, 'a.up.test. 9 IN CNAME c.up.test.', 'b.up.test. 9 IN A 192.0.2.1'] },
      0,
      0,
      false,
    ],
    ['an answer to another question', { answers: ['x.up.test. 9 IN A 192.0.2.1'] }, 0, 0, false],
    ['NXDOMAIN with an answer', { answers: [alias], authorities: [SOA] }, Rcode.NXDOMAIN, 0, false],
    ['SERVFAIL', {}, Rcode.SERVFAIL, 0, true],
    ['NOTIMP', {}, Rcode.NOTIMP, 0, true],
    ['REFUSED', {}, Rcode.REFUSED, 0, false],
    ['FORMERR', {}, Rcode.FORMERR, 0, false],
    ['a truncated answer', { answers: ['a.up.test. 9 IN A 192.0.2.1'] }, 0, Bit.TC, false],
  ]
  for (const [what, texts, rcode, bits, kept] of cases) {
    const bench = cacheBench('cache')
    bench.gives(texts, relayed(bits, rcode))
    const first = await bench.ask('a.up.test')
    const second = await bench.ask('a.up.test')
    t.equal(bench.asked.length === 1, kept, what)
    t.strictSame(second.slice(1), first.slice(1), what)
  }
})

t.test('an alias without data leads nowhere', async t => {
  for (const type of ['A', 'CNAME']) {
    const bench = cacheBench('cache')
    const alias = { owner: 0, type: Type.CNAME, class: 1, ttl: 300, rdata: new Uint8Array(0) }
    bench.upstream = query =>
      encode({ answers: [alias], authorities: [], additionals: [] }, query.key.length, relayed())
    await bench.reply('a.up.test', type)
    await bench.reply('a.up.test', type)
    t.equal(bench.asked.length, 2, type)
  }
})

t.test('for CNAME and ANY questions looks at the name itself', async t => {
  for (const [type, kept] of [
    ['CNAME', true],
    ['ANY', true],
    ['MX', false],
  ] as const) {
    const bench = cacheBench('cache')
    bench.gives({ answers: ['a.up.test. 300 IN CNAME b.up.test.'] })
    await bench.ask('a.up.test', type)
    await bench.ask('a.up.test', type)
    t.equal(bench.asked.length === 1, kept, type)
  }
})

t.test('keeps no answer whose signatures are out of date, for those who would see it', async t => {
  const signature = (from: number, until: number) => {
    const rdata = Buffer.alloc(20)
    rdata.writeUInt32BE(until, 8)
    rdata.writeUInt32BE(from, 12)
    return { owner: 0, type: 46, class: 1, ttl: 300, rdata }
  }
  for (const [from, until, flags, kept] of [
    [-10, 10, DO, true],
    [-10, -1, DO, false],
    [1, 10, DO, false],
    [-10, -1, 0, true],
  ] as const) {
    const bench = cacheBench('cache')
    const now = bench.clock.now() / 1000
    bench.upstream = query =>
      encode({ answers: [signature(now + from, now + until)], authorities: [], additionals: [] }, query.name.length)
    for (let i = 0; i < 2; i++) await bench.ask('a.up.test', 'RRSIG', { edns: { flags } })
    t.equal(bench.asked.length === 1, kept, `from ${from} until ${until} flags ${flags}`)
  }
})

t.test('failures are kept for five seconds, or as long as servfail says', async t => {
  for (const [text, seconds] of [
    ['cache', 5],
    ['cache {\nservfail 20s\n}', 20],
    ['cache {\nservfail 0\n}', 0],
  ] as const) {
    const bench = cacheBench(text)
    await bench.ask('a.up.test')
    bench.clock.advance(Math.max(seconds * 1000 - 1, 0))
    await bench.ask('a.up.test')
    t.equal(bench.asked.length, seconds === 0 ? 2 : 1, text)
    bench.clock.advance(1)
    await bench.ask('a.up.test')
    t.equal(bench.asked.length, seconds === 0 ? 3 : 2, text)
  }
})

t.test('header bits of a hit: RD and CD of the asker, AA and RA as kept, AD for those who know it', async t => {
  const bench = cacheBench('cache')
  bench.gives({ answers: ['a.up.test. 300 IN A 192.0.2.1'] }, relayed(Bit.AA | Bit.AD))
  const [first] = await bench.ask('a.up.test')
  t.equal(first, 'rcode NOERROR AA RD RA', 'the first asker did not know AD')
  const hit = (await bench.reply('a.up.test')).answer
  t.equal(hit.bits, Bit.AA | Bit.RA)
  t.equal(hit.copied, Bit.RD | Bit.CD)
  t.equal((await bench.reply('a.up.test', 'A', { bits: Bit.AD })).answer.bits, Bit.AA | Bit.RA | Bit.AD)
  const asking = { edns: { flags: DO } }
  await bench.ask('a.up.test', 'A', asking)
  t.equal((await bench.ask('a.up.test', 'A', asking))[0], 'rcode NOERROR AA RA AD')
  t.equal(bench.asked.length, 2)
})

t.test('asks with AD whatever the client set', async t => {
  const bench = cacheBench('cache')
  await bench.ask('a.up.test', 'A', { bits: Bit.RD })
  await bench.ask('b.up.test', 'A', { bits: Bit.AD })
  t.strictSame(
    bench.asked.map(query => query.bits & (Bit.RD | Bit.AD)),
    [Bit.RD | Bit.AD, Bit.AD],
  )
})

t.test('owners keep the letter case of the first asker', async t => {
  const bench = cacheBench('cache')
  bench.upstream = query =>
    answerTo(query, { answers: ['wWw.up.test. 300 IN A 192.0.2.1', 'wWw.up.test. 300 IN A 192.0.2.2'] }, relayed())
  await bench.ask('wWw.up.test')
  const told = ['= wWw.up.test. 298 IN A 192.0.2.1', '= wWw.up.test. 298 IN A 192.0.2.2']
  bench.clock.advance(2000)
  t.strictSame((await bench.ask('WWW.UP.TEST')).slice(1), told)
  t.strictSame((await bench.ask('www.up.test')).slice(1), told)
  t.equal((await bench.reply('wWw.up.test')).answer, (await bench.reply('wWw.up.test')).answer, 'one copy a second')
  t.equal(bench.asked.length, 1)
})

t.test('EDNS options of an upstream go no further, those of our own do', async t => {
  for (const [header, kept] of [
    [relayed(), undefined],
    [{}, Buffer.from('option')],
  ] as const) {
    const bench = cacheBench('cache')
    bench.upstream = query => ({
      ...answerTo(query, { answers: ['a.up.test. 30 IN A 192.0.2.1'] }, header),
      options: Buffer.from('option'),
    })
    t.strictSame((await bench.reply('a.up.test')).answer.options, kept, 'at once')
    t.strictSame((await bench.reply('A.up.test')).answer.options, kept, 'from the cache')
  }
})

t.test('keepttl tells the whole time to the end', async t => {
  const bench = cacheBench('cache {\nkeepttl\n}')
  bench.gives({ answers: ['a.up.test. 30 IN A 192.0.2.1'] })
  await bench.ask('a.up.test')
  bench.clock.advance(29_000)
  t.match(await bench.ask('a.up.test'), ['rcode NOERROR RA', '= a.up.test. 30 IN A 192.0.2.1'])
  bench.clock.advance(1000)
  await bench.ask('a.up.test')
  t.equal(bench.asked.length, 2)
})

t.test('serves its zones only, and no transfers', async t => {
  const bench = cacheBench('cache up.test')
  bench.gives({ authorities: [SOA] })
  for (const [name, type, times] of [
    ['a.up.test', 'A', 1],
    ['a.down.test', 'A', 2],
    ['aup.test', 'A', 2],
    ['up.test', 'AXFR', 2],
    ['up.test', 'IXFR', 2],
  ] as const) {
    bench.asked.length = 0
    await bench.ask(name, type)
    await bench.ask(name, type)
    t.equal(bench.asked.length, times, `${name} ${type}`)
  }
  bench.asked.length = 0
  for (let i = 0; i < 2; i++) await bench.ask('n.up.test', 'SOA', { bits: 4 << 11 })
  t.equal(bench.asked.length, 2, 'NOTIFY')
})

t.test('disable', async t => {
  const bench = cacheBench('cache {\ndisable success a.test\ndisable denial b.test\n}')
  const times = async (name: string, texts: Texts) => {
    bench.asked.length = 0
    bench.gives(texts)
    await bench.ask(name)
    await bench.ask(name)
    return bench.asked.length
  }
  t.equal(await times('x.a.test', { answers: ['x.a.test. 300 IN A 192.0.2.1'] }), 2)
  t.equal(await times('y.a.test', { authorities: [SOA] }), 1)
  t.equal(await times('x.b.test', { answers: ['x.b.test. 300 IN A 192.0.2.1'] }), 1)
  t.equal(await times('y.b.test', { authorities: [SOA] }), 2)
})

t.test("a cluster's names are always as the cluster has them", async t => {
  const names = new Set<string>()
  const cluster: Plugin = {
    name: 'cluster',
    handle: () => ({ answer: bare(0), plugin: 'cluster' }),
    current: query => names.has(query.key),
  }
  const bench = cacheBench('cache', { plugins: [cluster] })
  await bench.plugin.start?.()
  bench.gives({ authorities: [SOA] }, relayed(0, Rcode.NXDOMAIN))
  await bench.ask('web.test')
  await bench.ask('web.test')
  t.equal(bench.asked.length, 1, 'what falls through is kept')

  names.add(queryFor('web.test').key)
  bench.gives({ answers: ['web.test. 2 IN A 10.0.0.1', 'web.test. 30 IN A 10.0.0.2'] })
  const fresh = ['= web.test. 5 IN A 10.0.0.1', '= web.test. 5 IN A 10.0.0.2']
  t.strictSame((await bench.ask('web.test')).slice(1), fresh, 'the name is there as soon as the cluster has it')
  bench.gives({ authorities: [SOA] }, relayed(0, Rcode.NXDOMAIN))
  t.equal((await bench.ask('web.test'))[0], 'rcode NXDOMAIN RD RA', 'and gone as soon as it has not')
  t.equal(bench.asked.length, 3)
})

t.test('does not keep a reply that says it is current, whatever name led to it', async t => {
  const bench = cacheBench('cache')
  let asked = 0
  const next: Next = query => {
    asked++
    return { answer: answerTo(query, { authorities: [SOA] }), plugin: 'cluster', current: true }
  }
  for (let i = 0; i < 2; i++) await bench.plugin.handle(queryFor('rewritten.test'), next)
  t.equal(asked, 2)
})

t.test('a reply that is there at once is passed on at once', async t => {
  const bench = cacheBench('cache')
  const next: Next = query => ({ answer: answerTo(query, { authorities: [SOA] }), plugin: 'here' })
  t.notOk(bench.plugin.handle(queryFor('a.test'), next) instanceof Promise)
})

t.test('prefetch fetches a popular entry anew before it expires', async t => {
  const bench = cacheBench('cache {\nprefetch 3 10s 20%\n}')
  bench.gives({ answers: ['a.up.test. 100 IN A 192.0.2.1'] })
  await bench.ask('a.up.test')
  bench.clock.advance(70_000)
  await bench.ask('a.up.test')
  bench.clock.advance(10_001)
  await bench.ask('a.up.test')
  await bench.ask('a.up.test')
  await settle()
  t.equal(bench.asked.length, 1, 'a gap starts the count anew')
  bench.gives({ answers: ['a.up.test. 100 IN A 192.0.2.9'] })
  const hits = [bench.ask('a.up.test'), bench.ask('a.up.test')]
  t.match((await hits[0])?.[1], /A 192.0.2.1$/, 'the asker does not wait')
  await settle()
  t.equal(bench.asked.length, 2, 'one at a time')
  t.equal(bench.asked[1]?.peer.protocol, 'tcp', 'so that nothing is cut')
  t.equal((await bench.ask('a.up.test'))[1], '= a.up.test. 100 IN A 192.0.2.9')
  bench.clock.advance(9_000)
  await bench.ask('a.up.test')
  t.match(await bench.metrics.exposition(), 'coredns_cache_prefetch_total{server="dns://:53",zones=".",view=""} 1')
})

t.test('a prefetch that goes wrong is logged', async t => {
  const bench = cacheBench('cache {\nprefetch 1\n}')
  bench.gives({ answers: ['a.up.test. 100 IN A 192.0.2.1'] })
  await bench.ask('a.up.test')
  bench.clock.advance(95_000)
  bench.upstream = async () => {
    throw new Error('no route')
  }
  await bench.ask('a.up.test')
  await settle()
  t.strictSame(bench.lines, ['[ERROR] refreshing a.up.test. A failed: no route'])
})

t.test('counts', async t => {
  const bench = cacheBench('cache {\nsuccess 1024\n}')
  bench.upstream = query =>
    query.key.startsWith('\x01n')
      ? answerTo(query, { authorities: [SOA] }, relayed(0, Rcode.NXDOMAIN))
      : answerTo(query, {})
  for (let i = 0; i < 1100; i++) await bench.ask(`x${i}.test`)
  await bench.ask('x1099.test')
  await bench.ask('n.test')
  await bench.ask('n.test')
  const text = await bench.metrics.exposition()
  const labels = 'server="dns://:53",type="success",zones=".",view=""'
  for (const line of [
    `coredns_cache_entries{${labels}} 1024`,
    `coredns_cache_evictions_total{${labels}} 76`,
    `coredns_cache_hits_total{${labels}} 1`,
    `coredns_cache_entries{${labels.replace('success', 'denial')}} 1`,
    `coredns_cache_hits_total{${labels.replace('success', 'denial')}} 1`,
    'coredns_cache_requests_total{server="dns://:53",zones=".",view=""} 1103',
    'coredns_cache_misses_total{server="dns://:53",zones=".",view=""} 1101',
  ]) {
    t.ok(text.includes(`${line}\n`), line)
  }
})
