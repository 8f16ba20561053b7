import { availableParallelism } from 'node:os'
import t from 'tap'
import { definition } from '../../src/plugins/multisocket/index.ts'
import { pluginBench } from '../helpers/plugin.ts'

t.test('the block says how many sockets it wants', async t => {
  const sockets = (text: string) => pluginBench(definition, text).context.block.sockets
  t.equal(sockets('multisocket 3'), 3)
  t.equal(sockets('multisocket 1024'), 1024)
  t.equal(sockets('multisocket'), availableParallelism())
})

t.test('mistakes in the directive', async t => {
  const at = 'Corefile:2:13: multisocket: number must'
  const mistakes: [text: string, message: string][] = [
    ['multisocket 0', `${at} be above 0, got "0"`],
    ['multisocket -1', `${at} be above 0, got "-1"`],
    ['multisocket 1025', `${at} be at most 1024, got "1025"`],
    ['multisocket many', `${at} be a whole number, got "many"`],
    ['multisocket 2 2', 'Corefile:2:15: multisocket: unexpected argument "2" for multisocket'],
    ['multisocket {\nblock\n}', 'Corefile:3:1: multisocket: unknown option "block"'],
  ]
  for (const [text, message] of mistakes) {
    t.throws(() => pluginBench(definition, text), { code: 'PORTOLAN_COREFILE_OPTION', message }, text)
  }
})
