import t from 'tap'
import { readArguments } from '../../src/cli/arguments.ts'

const options = {
  conf: { value: 'FILE', help: 'a file' },
  'dns.port': { value: 'PORT', alias: ['p'], help: 'a port' },
  quiet: { help: 'a flag' },
}

t.test('options: one dash or two, a value behind them or behind "="', async t => {
  for (const args of [
    ['-conf', 'a', '-dns.port', '1053'],
    ['--conf', 'a', '--p', '1053'],
    ['-conf=a', '-p=1053'],
    ['--conf=b', '--conf=a', '--dns.port=1053'],
  ]) {
    const given = readArguments(args, options)
    t.equal(given.text('conf'), 'a')
    t.equal(given.port('dns.port', 53), 1053)
    t.strictSame(given.words, [])
  }
})

t.test('what is not given', async t => {
  const given = readArguments([], options)
  t.equal(given.text('conf'), undefined)
  t.equal(given.port('dns.port', 53), 53)
  t.notOk(given.has('quiet'))
})

t.test('flags', async t => {
  t.ok(readArguments(['-quiet'], options).has('quiet'))
  t.ok(readArguments(['-quiet=true'], options).has('quiet'))
  t.notOk(readArguments(['-quiet', '-quiet=false'], options).has('quiet'))
})

t.test('words: between options, a lone dash, and all behind "--"', async t => {
  const given = readArguments(['one', '-quiet', '-', '--', '-conf', '--'], options)
  t.strictSame(given.words, ['one', '-', '-conf', '--'])
  t.ok(given.has('quiet'))
})

t.test('a value may be empty or look like an option', async t => {
  t.equal(readArguments(['-conf='], options).text('conf'), '')
  t.equal(readArguments(['-conf', '-quiet'], options).text('conf'), '-quiet')
  t.equal(readArguments(['-conf=a=b'], options).text('conf'), 'a=b')
})

t.test('mistakes', async t => {
  const mistake = (...args: string[]) => {
    try {
      return readArguments(args, options).port('dns.port', 53)
    } catch (error) {
      return error
    }
  }
  t.match(mistake('-cnf', 'x'), { code: 'PORTOLAN_USAGE', message: 'unknown option "-cnf": did you mean "-conf"?' })
  t.match(mistake('--verbose'), { code: 'PORTOLAN_USAGE', message: 'unknown option "--verbose"' })
  t.match(mistake('-conf'), { code: 'PORTOLAN_USAGE', message: '-conf needs a value: FILE' })
  for (const port of ['x', '65536', '-1', '', '1e3']) {
    t.match(mistake('-p', port), { code: 'PORTOLAN_USAGE', message: /^-dns.port: a port is a number from 0 to 65535/ })
  }
})
