import t from 'tap'
import { definition } from '../../src/plugins/debug/index.ts'
import { pluginBench } from '../helpers/plugin.ts'

t.test('has debug lines written while it is served', async t => {
  const { plugin, context, lines } = pluginBench(definition, 'debug')
  t.equal(plugin.handle, undefined, 'it is no link of the chain')
  context.log.debug('before')
  await plugin.start?.()
  context.log.debug('while')
  await plugin.stop?.()
  context.log.debug('after')
  t.strictSame(lines, ['[DEBUG] while'])
})

t.test('may be stopped without having started', async t => {
  await t.resolves(pluginBench(definition, 'debug').plugin.stop!())
})

t.test('mistakes in the directive', async t => {
  t.throws(() => pluginBench(definition, 'debug x'), { message: 'Corefile:2:7: debug: unexpected argument "x"' })
  t.throws(() => pluginBench(definition, 'debug {\nx\n}'), { message: 'Corefile:3:1: debug: unknown option "x"' })
})
