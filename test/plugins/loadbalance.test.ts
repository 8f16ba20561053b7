import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { definition } from '../../src/plugins/loadbalance/index.ts'
import type { Answer } from '../../src/wire/answer.ts'
import type { Header } from '../../src/wire/record.ts'
import { answerTo, shown, type Texts } from '../helpers/answer.ts'
import { type BenchOptions, pluginBench, queryFor } from '../helpers/plugin.ts'

const NAME = 'www.test'

/** The answer as it comes out of the plugin, and the one that went in. */
async function through(text: string, texts: Texts, options: BenchOptions & { type?: string; header?: Header } = {}) {
  const { plugin } = pluginBench(definition, text, options)
  await plugin.start?.()
  const query = queryFor(NAME, options.type ?? 'A')
  const before = answerTo(query, texts, options.header)
  const { answer } = await plugin.handle(query, () => ({ answer: before, plugin: 'next' }))
  await plugin.stop?.()
  return { before, answer, lines: shown(answer, query).slice(1), was: shown(before, query).slice(1) }
}

/** `count` addresses of the question's name. */
const addresses = (count: number, owner = NAME) =>
  Array.from({ length: count }, (_, i) => `${owner}. 30 IN A 192.0.2.${i}`)

const last = () => 0.999

t.test('returns the same answer where there is nothing to choose', async t => {
  const cases: [Texts, Header, string][] = [
    [{}, {}, 'A'],
    [{ answers: addresses(1) }, {}, 'A'],
    [{ answers: [`${NAME}. 30 IN CNAME x.test.`, 'x.test. 30 IN A 192.0.2.1'] }, {}, 'A'],
    [{ answers: addresses(1), additionals: addresses(1, 'x.test') }, {}, 'A'],
    [{ answers: [`${NAME}. 30 IN SRV 0 50 80 a.test.`, `${NAME}. 30 IN SRV 0 50 80 b.test.`] }, {}, 'SRV'],
    [{ additionals: addresses(3) }, { rcode: 3 }, 'A'],
    [{ answers: addresses(3) }, {}, 'AXFR'],
  ]
  for (const [texts, header, type] of cases) {
    const { before, answer } = await through('loadbalance', texts, { header, type, random: last })
    t.equal(answer, before, JSON.stringify(texts))
  }
})

t.test('gives each order of addresses the same chance', async t => {
  let draws = 0
  // A generator that goes through all pairs of draws of three addresses (three, then two possibilities).
  const random = () => [0, 0.34, 0.67][Math.floor(draws / 2) % 3]! * (draws++ % 2 === 0 ? 1 : 0)
  const { plugin } = pluginBench(definition, 'loadbalance', { random })
  const firsts = new Map<string, number>()
  const query = queryFor(NAME)
  const answer = answerTo(query, { answers: addresses(3) })
  for (let i = 0; i < 30; i++) {
    const reply = await plugin.handle(query, () => ({ answer, plugin: 'next' }))
    const [, first] = shown(reply.answer, query)
    firsts.set(first!, (firsts.get(first!) ?? 0) + 1)
  }
  t.strictSame([...firsts.values()], [10, 10, 10])
})

t.test('shuffles within each section', async t => {
  const texts = {
    answers: [`${NAME}. 30 IN SRV 0 50 80 b.test.`, `${NAME}. 30 IN SRV 0 50 80 a.test.`],
    additionals: ['a.test. 30 IN A 192.0.2.1', 'a.test. 30 IN AAAA 2001:db8::1', 'b.test. 30 IN A 192.0.2.2'],
  }
  const { lines } = await through('loadbalance round_robin', texts, { random: last, type: 'SRV' })
  t.strictSame(lines, [
    '= www.test. 30 IN SRV 0 50 80 b.test.',
    '= www.test. 30 IN SRV 0 50 80 a.test.',
    '+ b.test. 30 IN A 192.0.2.2',
    '+ a.test. 30 IN A 192.0.2.1',
    '+ a.test. 30 IN AAAA 2001:db8::1',
  ])
})

t.test('aliases first, addresses behind all but MX, which are shuffled too', async t => {
  const answers = [
    'x.test. 30 IN A 192.0.2.1',
    'x.test. 30 IN MX 10 a.test.',
    'x.test. 30 IN MX 20 b.x.test.',
    'x.test. 30 IN A 192.0.2.2',
    'x.test. 30 IN TXT hello',
    `${NAME}. 30 IN CNAME x.test.`,
  ]
  const { lines } = await through('loadbalance', { answers }, { random: last })
  t.strictSame(
    lines,
    [5, 4, 3, 0, 2, 1].map(i => `= ${answers[i]}`),
  )
})

t.test('whatever the answer holds, records and sections stay as they are but for their order', async t => {
  const name = fc.constantFrom(NAME, 'a.test', 'b.a.test', 'test')
  const record = fc.tuple(name, name, fc.nat(255), fc.nat(5)).map(([owner, target, i, kind]) => {
    const rdata = [`A 192.0.2.${i}`, `AAAA 2001:db8::${i}`, `CNAME ${target}.`, `MX ${i} ${target}.`]
    return `${owner}. 30 IN ${rdata[kind] ?? `SRV 0 ${i} 80 ${target}.`}`
  })
  const section = fc.array(record, { maxLength: 6 })
  const rank = (line: string) => ({ CNAME: 0, A: 2, AAAA: 2, MX: 3 })[line.split(' ')[4]!] ?? 1
  const isSorted = (lines: string[]) =>
    lines.every((line, i) => i === 0 || lines[i - 1]![0] !== line[0] || rank(lines[i - 1]!) <= rank(line))
  await fc.assert(
    fc.asyncProperty(
      section,
      section,
      section,
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      async (a, b, c, chance) => {
        const texts = { answers: a, authorities: b, additionals: c }
        const { lines, was } = await through('loadbalance', texts, { random: () => chance })
        t.strictSame(lines.toSorted(), was.toSorted())
        t.ok(isSorted(lines), lines.join('\n'))
      },
    ),
    { numRuns: 300, seed: 1 },
  )
})

t.test('the bytes of addresses are moved, the rest of the body is shared with no one', async t => {
  const texts = { answers: [`${NAME}. 30 IN CNAME x.test.`, ...addresses(3, 'x.test')] }
  const { before, answer } = await through('loadbalance', texts, { random: last })
  const copy = Buffer.from(before.body)
  t.equal(answer.body.length, before.body.length, 'not compressed anew')
  t.not(Buffer.compare(answer.body, before.body), 0)
  t.strictSame(Buffer.from(before.body), copy)
  const rest = ({ body: _body, starts: _starts, ...fields }: Answer) => fields
  t.strictSame(rest(answer), rest(before))
})

t.test('prefer puts addresses of its networks first', async t => {
  const answers = ['10.0.0.1', '192.168.1.5', '10.9.20.3', '10.9.16.1', '192.168.2.1'].map(
    ip => `${NAME}. 30 IN A ${ip}`,
  )
  answers.push(`${NAME}. 30 IN AAAA 2001:db8:1::1`, `${NAME}. 30 IN AAAA 2001:db8:2::1`)
  const text = 'loadbalance {\nprefer 192.168.1.0/24 10.9.16.0/20\nprefer 2001:db8:2::/48\n}'
  const { lines } = await through(text, { answers, additionals: addresses(2, 'x.test') })
  t.strictSame(
    lines.slice(0, 7),
    [1, 2, 3, 6, 0, 4, 5].map(i => `= ${answers[i]}`),
  )
  t.equal(lines.length, 9)
})

const WEIGHTS = '# weights\n\nwww.test\n192.0.2.0 3\n192.0.2.1 1\n192.0.2.2 2\nx.test.\n192.0.2.1 255\n'

t.test('weighted draws the first address by its weight', async t => {
  const directory = t.testdir({ weights: WEIGHTS })
  const firsts: string[] = []
  for (let share = 0; share < 7; share++) {
    const { lines, was } = await through(
      'loadbalance weighted weights',
      { answers: addresses(4) },
      { directory, random: () => (share + 0.5) / 7 },
    )
    firsts.push(lines[0]!.split('.').at(-1)!)
    t.strictSame(lines.toSorted(), was.toSorted())
  }
  t.strictSame(firsts.join(''), '0001223', 'an address without a weight has 1')
})

t.test('weighted leaves alone what is not for it', async t => {
  const directory = t.testdir({ weights: WEIGHTS })
  const mail = [`${NAME}. 30 IN MX 1 a.test.`, `${NAME}. 30 IN MX 2 b.test.`]
  for (const [type, texts] of [
    ['MX', { answers: mail, additionals: addresses(2) }],
    ['SRV', { answers: mail }],
  ] as const) {
    const { lines, was } = await through('loadbalance weighted weights', texts, { directory, type, random: last })
    t.strictSame(lines, was, type)
  }
})

t.test('weights are read anew; mistakes leave them as they were', async t => {
  const directory = t.testdir({ weights: 'www.test\n192.0.2.1 1\n' })
  const bench = pluginBench(definition, 'loadbalance weighted weights {\nreload 1s\n}', {
    directory,
    random: () => 0.5,
  })
  await bench.plugin.start?.()
  const query = queryFor(NAME)
  const answer = answerTo(query, { answers: addresses(2) })
  const first = async () => {
    const reply = await bench.plugin.handle(query, () => ({ answer, plugin: 'next' }))
    return shown(reply.answer, query)[1]?.at(-1)
  }
  const logged = async (count: number) => {
    bench.clock.advance(1000)
    while (bench.lines.length < count) await new Promise(resolve => setImmediate(resolve))
  }
  t.equal(await first(), '1')
  const path = join(directory, 'weights')
  await writeFile(path, 'www.test\n192.0.2.0 255\n')
  await logged(2)
  t.equal(await first(), '0')
  await writeFile(path, 'www.test\n192.0.2.0 256\n# longer\n')
  await logged(3)
  t.equal(await first(), '0')
  await bench.plugin.stop?.()
  t.match(bench.lines, [
    /^\[INFO\] weights read from /,
    /^\[INFO\] weights read from /,
    /^\[ERROR\] weights stay as they were: .*weights:2: a weight is from 1 to 255, got "256"$/,
  ])
})

t.test('a weight file with a mistake stops the start', async t => {
  for (const [text, message] of [
    ['192.0.2.1 1', ':1: the first line must be a name'],
    ['a.test\n192.0.2.1', ':2: "192.0.2.1" needs a weight'],
    ['a..test', ':1: "a..test" is not a name'],
    ['a.test\nb 1', ':2: "b" is not an address'],
    ['a.test\n192.0.2.1 0', ':2: a weight is from 1 to 255, got "0"'],
    ['a.test\n192.0.2.1 1 1', ':2: a line has a name, or an address and its weight'],
  ] as const) {
    const directory = t.testdir({ weights: text })
    const { plugin } = pluginBench(definition, 'loadbalance weighted weights', { directory })
    await t.rejects(Promise.resolve(plugin.start?.()), {
      code: 'PORTOLAN_LOADBALANCE_WEIGHTS',
      message: `${join(directory, 'weights')}${message}`,
    })
  }
})

t.test('a missing weight file is waited for, unless it is never looked for again', async t => {
  const directory = t.testdir({})
  const waits = pluginBench(definition, 'loadbalance weighted missing', { directory })
  await waits.plugin.start?.()
  await waits.plugin.stop?.()
  t.match(waits.lines, [/^\[WARNING\] weight file cannot be read: ENOENT.*; looked for again every 30s$/])
  const never = pluginBench(definition, 'loadbalance weighted missing {\nreload 0s\n}', { directory })
  await t.rejects(Promise.resolve(never.plugin.start?.()), { code: 'PORTOLAN_LOADBALANCE_WEIGHTS' })
})

t.test('takes what CoreDNS takes, refuses what it refuses', async t => {
  const setup = (text: string) => () => pluginBench(definition, text)
  for (const text of [
    'loadbalance',
    'loadbalance round_robin',
    'loadbalance weighted f',
    'loadbalance weighted f {\nreload 0\n}',
    'loadbalance {\nprefer\n}',
    'loadbalance {\nprefer 10.0.0.0/8 fd00::/8\nprefer 192.0.2.1/32\n}',
  ]) {
    t.doesNotThrow(setup(text), text)
  }
  for (const text of [
    'loadbalance least_conn',
    'loadbalance round_robin x',
    'loadbalance weighted',
    'loadbalance weighted a b',
    'loadbalance weighted f {\nreload\n}',
    'loadbalance weighted f {\nreload x\n}',
    'loadbalance weighted f {\nreload 1s 2s\n}',
    'loadbalance weighted f {\nreload -1s\n}',
    'loadbalance {\nreload 5s\n}',
    'loadbalance {\nprefer 10.0.0.1\n}',
    'loadbalance {\nprefer 10.0.0.0/33\n}',
    'loadbalance {\nprefer 10.1/16\n}',
    'loadbalance {\nx\n}',
  ]) {
    t.throws(setup(text), { code: 'PORTOLAN_COREFILE_OPTION' }, text)
  }
})
