import t from 'tap'
import type { Reply } from '../../src/plugin/plugin.ts'
import { definition } from '../../src/plugins/errors/index.ts'
import { SERVFAIL } from '../../src/wire/answer.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'

const failing = (message: string): Reply => ({ answer: SERVFAIL, plugin: 'forward', error: new Error(message) })
const fine: Reply = { answer: SERVFAIL, plugin: 'forward' }

/** Sets the plugin up and gives back what it logs, and a way to have a query fail. */
function bench(text: string) {
  const made = pluginBench(definition, text)
  const fail = (message: string, name = 'Web.Example.ORG') =>
    made.plugin.handle(queryFor(name, 'AAAA'), () => failing(message))
  return { ...made, fail }
}

t.test('a failure is logged as CoreDNS does, and the reply stays as it is', async t => {
  const { plugin, lines } = bench('errors')
  const reply = failing('read udp 127.0.0.1:1->127.0.0.1:2: i/o timeout')
  t.equal(
    plugin.handle(queryFor('Web.Example.ORG', 'TYPE65400'), () => reply),
    reply,
  )
  t.equal(
    plugin.handle(queryFor('a.test'), () => fine),
    fine,
  )
  t.strictSame(lines, ['[ERROR] 2 web.example.org. TYPE65400: read udp 127.0.0.1:1->127.0.0.1:2: i/o timeout'])
})

t.test('replies that come later are looked at when they come', async t => {
  const { plugin, lines } = bench('errors stdout')
  const reply = failing('late')
  t.equal(await plugin.handle(queryFor('a.test'), async () => reply), reply)
  t.equal(await plugin.handle(queryFor('a.test'), async () => fine), fine)
  t.strictSame(lines, ['[ERROR] 2 a.test. A: late'])
})

t.test('consolidate reports errors that are alike once a period', async t => {
  const { fail, lines, clock } = bench(`errors {
    stacktrace
    consolidate 5m ".* i/o timeout$" warning
    consolidate 30s "(?i)^Failed to .+"
  }`)
  fail('a: i/o timeout')
  fail('failed to x: i/o timeout')
  fail('failed to y')
  fail('something else')
  t.strictSame(lines.splice(0), ['[ERROR] 2 web.example.org. AAAA: something else'])
  clock.advance(30_000)
  t.strictSame(lines.splice(0), ["[ERROR] 1 errors like '(?i)^Failed to .+' occurred in last 30s"])
  clock.advance(270_000)
  t.strictSame(lines.splice(0), ["[WARNING] 2 errors like '.* i/o timeout$' occurred in last 5m0s"])
  clock.advance(600_000)
  t.strictSame(lines, [], 'no errors, no line')
  fail('b: i/o timeout')
  clock.advance(300_000)
  t.equal(lines.length, 1, 'the next error starts a new period')
})

t.test('show_first writes the first error at once', async t => {
  const { fail, lines, clock } = bench(
    'errors {\nconsolidate 1m lost info show_first\nconsolidate 1m gone show_first\n}',
  )
  fail('lost')
  t.strictSame(lines.splice(0), ['[INFO] 2 web.example.org. AAAA: lost'])
  clock.advance(60_000)
  t.strictSame(lines, [], 'a single error needs no summary')
  fail('lost')
  fail('lost')
  fail('gone')
  clock.advance(60_000)
  t.strictSame(lines, [
    '[INFO] 2 web.example.org. AAAA: lost',
    '[ERROR] 2 web.example.org. AAAA: gone',
    "[INFO] 2 errors like 'lost' occurred in last 1m0s",
  ])
})

t.test('what was counted is reported at the end', async t => {
  const { fail, plugin, lines, clock } = bench('errors {\nconsolidate 1h x\n}')
  fail('x')
  await plugin.stop?.()
  clock.advance(3_600_000)
  t.strictSame(lines, ["[ERROR] 1 errors like 'x' occurred in last 1h0m0s"])
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['errors file.log', 'Corefile:2:8: errors: log file must be "stdout", got "file.log"'],
    ['errors stdout x', 'Corefile:2:15: errors: unexpected argument "x" for errors'],
    ['errors {\nbogus\n}', 'Corefile:3:1: errors: unknown option "bogus"'],
    ['errors {\nstacktrace x\n}', 'Corefile:3:12: errors: unexpected argument "x" for stacktrace'],
    ['errors {\nconsolidate 5m\n}', 'Corefile:3:1: errors: consolidate needs its regexp'],
    ['errors {\nconsolidate 5 x\n}', 'Corefile:3:13: errors: consolidate duration must be a duration'],
    ['errors {\nconsolidate 5m (\n}', 'Corefile:3:16: errors: not a regular expression: "("'],
    [`errors {\nconsolidate 5m ${'x'.repeat(10_001)}\n}`, 'Corefile:3:16: errors: the regexp must have at most 10000'],
    ['errors {\nconsolidate 5m x loud\n}', 'Corefile:3:18: errors: consolidate level must be "debug" or "info"'],
    ['errors {\nconsolidate 5m x show_first error\n}', 'Corefile:3:29: errors: unexpected argument "error"'],
  ]
  for (const [text, message] of mistakes) {
    t.throws(() => bench(text), { code: 'PORTOLAN_COREFILE_OPTION', message })
  }
})
