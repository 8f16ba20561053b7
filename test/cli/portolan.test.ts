import t from 'tap'
import { version } from '../../src/version.ts'
import { run } from '../helpers/shell.ts'

const commands = ['serve', 'check', 'query', 'plugins', 'version']

t.test('help tells all commands', async t => {
  for (const args of [['-h'], ['-help'], ['--help'], ['help']]) {
    const { code, out, err } = await run(args)
    t.equal(code, 0)
    t.equal(err, '')
    for (const command of commands) t.match(out, new RegExp(`^  ${command} `, 'm'))
  }
})

t.test('each command has help', async t => {
  for (const command of commands) {
    const { code, out } = await run([command, '--help'])
    t.equal(code, 0)
    t.match(out, `usage: portolan ${command}`)
    t.equal((await run(['help', command])).out, out)
  }
})

t.test('help where the command is left out', async t => {
  t.match((await run(['-conf', 'x', '-help'])).out, 'usage: portolan serve')
})

t.test('unknown commands', async t => {
  t.strictSame(await run(['srve']), {
    code: 2,
    out: '',
    err: 'portolan: unknown command "srve": did you mean "serve"?\nsee `portolan -help`\n',
  })
  t.match(await run(['help', 'everything']), { code: 2, err: /there are serve, check/ })
})

t.test('unknown options and words too many', async t => {
  t.match(await run(['-cnf']), { code: 2, err: /did you mean "-conf"\?\nsee `portolan serve -help`\n$/ })
  t.match(await run(['serve', 'Corefile']), { code: 2, err: /"Corefile" is one argument too many/ })
  t.match(await run(['check', 'a', 'b']), { code: 2, err: /"b" is one argument too many/ })
})

t.test('version', async t => {
  const expected = `portolan ${version}\n${process.platform}/${process.arch}, node ${process.version}\n`
  for (const args of [['version'], ['-version'], ['--version'], ['serve', '-version']]) {
    t.strictSame(await run(args), { code: 0, out: expected, err: '' })
  }
})

t.test('an error that nobody expected is shown whole', async t => {
  const input = async () => {
    throw new Error('the input is gone')
  }
  t.match(await run(['check', '-'], { input }), { code: 1, err: /^portolan: Error: the input is gone\n +at / })
})
