import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { plugins } from '../../src/plugins/index.ts'
import { run } from '../helpers/shell.ts'

const named = (name: string): PluginDefinition => ({ name, setup: () => ({ name }) })

function withDocuments(t: Test, documents: Record<string, string>) {
  const folders = Object.entries(documents).map(([name, text]) => [name, { 'README.md': text }])
  const folder = t.testdir(Object.fromEntries(folders))
  return { plugins: ['zebra', 'ape'].map(named), documents: pathToFileURL(`${folder}/`) }
}

t.test('the list, in order of execution', async t => {
  const options = withDocuments(t, {
    zebra: '# zebra\n\n## Name\n\n*zebra* - has stripes\nall over.\n\n## Syntax\n',
  })
  const expected = '  zebra  has stripes all over\n  ape\n'
  for (const args of [['plugins'], ['-plugins']]) {
    t.strictSame(await run(args, options), { code: 0, out: expected, err: '' })
  }
})

t.test('one plugin', async t => {
  const options = withDocuments(t, { ape: '# ape\n' })
  t.strictSame(await run(['plugins', 'ape'], options), { code: 0, out: '# ape\n', err: '' })
  t.match(await run(['plugins', 'zebra'], options), { code: 0, out: /no README/ })
  t.match(await run(['plugins', 'zebr'], options), {
    code: 2,
    err: /there is no plugin "zebr": did you mean "zebra"\?/,
  })
})

t.test('a README that cannot be read', async t => {
  const folder = t.testdir({ ape: { 'README.md': {} } })
  const options = { plugins: [named('ape')], documents: pathToFileURL(`${folder}/`) }
  t.match(await run(['plugins', 'ape'], options), { code: 1, err: /EISDIR/ })
})

t.test('the real ones are listed', async t => {
  const { out } = await run(['plugins'])
  t.strictSame(
    out
      .trimEnd()
      .split('\n')
      .map(line => line.trim().split(' ')[0]),
    plugins.map(({ name }) => name),
  )
})
