import t from 'tap'
import { definition } from '../../src/plugins/bufsize/index.ts'
import { bare } from '../../src/wire/answer.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'

/** What the next plugin sees, and what the server is told to do, for a client's size. */
async function sizes(text: string, advertised: number | undefined) {
  const { plugin } = pluginBench(definition, text)
  const edns = advertised === undefined ? undefined : { size: advertised, flags: 0x8000 }
  let seen: number | undefined
  const reply = await plugin.handle(queryFor('a.test', 'A', edns && { edns }), query => {
    seen = query.edns?.size
    t.equal(query.dnssecOk, edns !== undefined)
    return { answer: bare(0), plugin: 'next' }
  })
  return [seen, reply.size]
}

t.test('lowers what is above', async t => {
  t.strictSame(await sizes('bufsize', 4096), [1232, 1232])
  t.strictSame(await sizes('bufsize 700', 65_535), [700, 700])
})

t.test('leaves alone what is not, and clients without OPT', async t => {
  t.strictSame(await sizes('bufsize 700', 700), [700, undefined])
  t.strictSame(await sizes('bufsize 700', 100), [100, undefined])
  t.strictSame(await sizes('bufsize 700', undefined), [undefined, undefined])
})

t.test('takes from 512 to 4096', async t => {
  for (const text of ['bufsize 512', 'bufsize 4096']) t.doesNotThrow(() => pluginBench(definition, text), text)
  for (const text of ['bufsize 511', 'bufsize 4097', 'bufsize x', 'bufsize 512 600', 'bufsize {\nx\n}']) {
    t.throws(() => pluginBench(definition, text), { code: 'PORTOLAN_COREFILE_OPTION' }, text)
  }
})
