import t from 'tap'
import { run } from '../helpers/shell.ts'

const check = (text: string, options = {}) => run(['check', '-'], { stdin: text, ...options })

t.test('a good one', async t => {
  t.strictSame(await check('. {\n whoami\n}\n'), { code: 0, out: '-: 1 server block, no mistake\n', err: '' })
  t.match(await check('. {\n whoami\n}\na.test {\n whoami\n}\n'), { code: 0, out: /2 server blocks/ })
})

t.test('a file, and ./Corefile', async t => {
  const folder = t.testdir({ Corefile: '. {\n whoami\n}\n' })
  t.match(await run(['check', `${folder}/Corefile`]), { code: 0, out: `${folder}/Corefile: 1 server block` })
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(folder)
  t.match(await run(['check']), { code: 0, out: /^Corefile: / })
})

t.test('a mistake has its place, its line and carets', async t => {
  t.strictSame(await check('. {\n  whoamy\n}\n'), {
    code: 1,
    out: '',
    err: '-:2:3: unknown plugin "whoamy": did you mean "whoami"?\n   2 |   whoamy\n     |   ^^^^^^\n',
  })
})

t.test('a mistake in options leads to the plugin', async t => {
  const { code, err } = await check('. {\n  cache {\n    serve_stael\n  }\n}\n')
  t.equal(code, 1)
  t.match(err, /^-:3:5: cache: /)
  t.match(err, /see `portolan plugins cache` for its options\n$/)
})

t.test('a mistake in an imported file shows that file', async t => {
  const folder = t.testdir({ Corefile: 'import other\n', other: '. {\n  whoamy\n}\n' })
  t.match(await run(['check', `${folder}/Corefile`]), { code: 1, err: / {3}2 | {3}whoamy/ })
})

t.test('a Corefile that serves nothing', async t => {
  t.match(await check('# nothing\n'), { code: 1, err: '-:1:1: there is no server block: nothing would be served\n' })
})

t.test('warnings do not fail', async t => {
  const folder = t.testdir({ Corefile: 'import none/*\n. {\n whoami\n}\n' })
  const { code, err } = await run(['check', `${folder}/Corefile`])
  t.equal(code, 0)
  t.match(err, /Corefile:1:8: warning: .*\n {3}1 \| import none/)
})

t.test('the environment and the port count', async t => {
  t.match(await check('{$ZONE} {\n whoami\n}\n', { env: { ZONE: '.' } }), { code: 0 })
  const text = 'a.test {\n whoami\n}\na.test:1053 {\n whoami\n}\n'
  t.equal((await check(text)).code, 0)
  t.match(await run(['check', '-', '-dns.port=1053'], { stdin: text }), { code: 1, err: /already defined/ })
})

t.test('no file', async t => {
  t.match(await run(['check', `${t.testdir({})}/nosuch`]), { code: 1, err: /^portolan: cannot read .*nosuch: ENOENT/ })
})

t.test('nothing is started', async t => {
  let started = false
  const setup = () => ({ name: 'starter', start: async () => void (started = true) })
  t.match(await check('. {\n starter\n}\n', { plugins: [{ name: 'starter', setup }] }), { code: 0 })
  t.notOk(started)
})

t.test('an error that is none of the Corefile is not taken for one', async t => {
  const setup = () => {
    throw new TypeError('a bug')
  }
  t.match(await check('. {\n broken\n}\n', { plugins: [{ name: 'broken', setup }] }), {
    code: 1,
    err: /TypeError: a bug/,
  })
})
