import { join } from 'node:path'
import t from 'tap'
import { definition } from '../../src/plugins/root/index.ts'
import { pluginBench } from '../helpers/plugin.ts'

t.test('replaces the folder that relative paths start from', async t => {
  const directory = t.testdir({ zones: {} })
  const relative = pluginBench(definition, 'root zones', { directory })
  t.equal(relative.context.block.directory, join(directory, 'zones'))
  const absolute = pluginBench(definition, `root ${directory}`)
  t.equal(absolute.context.block.directory, directory)
  for (const { plugin, lines } of [relative, absolute]) {
    await plugin.start?.()
    t.strictSame(lines, [])
  }
})

t.test('a folder that is not there may appear later', async t => {
  const path = join(t.testdir(), 'later')
  const { plugin, lines } = pluginBench(definition, `root ${path}`)
  await plugin.start?.()
  t.strictSame(lines, [`[WARNING] Root path does not exist: ${path}`])
})

t.test('a path that cannot be looked at stops the start', async t => {
  const { plugin } = pluginBench(definition, `root ${join(t.testdir({ file: '' }), 'file', 'below')}`)
  await t.rejects(plugin.start!(), { message: /^Corefile:2:1: root: cannot access .*ENOTDIR/ })
})

t.test('mistakes in the directive', async t => {
  t.throws(() => pluginBench(definition, 'root'), { message: 'Corefile:2:1: root: root needs its path' })
  t.throws(() => pluginBench(definition, 'root /tmp x'), { message: 'Corefile:2:11: root: unexpected argument "x"' })
})
