import t from 'tap'
import type { Plugin, Reply } from '../../src/plugin/plugin.ts'
import { Router, type RunningBlock } from '../../src/server/router.ts'
import { bare } from '../../src/wire/answer.ts'
import { keyFromText, textFromKey } from '../../src/wire/name.ts'
import type { Query } from '../../src/wire/query.ts'
import { Class, Rcode } from '../../src/wire/types.ts'
import { queryFor } from '../helpers/plugin.ts'

/** A block that answers with its own zones as the plugin's name, and the origin that the query was given. */
function block(
  zones: string,
  plugins: readonly string[] = [],
  answer?: (query: Query) => Promise<Reply>,
): RunningBlock {
  return {
    origins: zones.split(' ').map(zone => keyFromText(zone)!),
    port: 53,
    label: 'dns://:53',
    listen: [],
    directory: '/',
    directives: [],
    plugins: plugins.map(name => ({ name }) as Plugin),
    chain: query => answer?.(query) ?? { answer: bare(0), plugin: `${zones} by ${textFromKey(query.origin)}` },
  }
}

function asked(blocks: readonly RunningBlock[], dropped: Query[] = []) {
  const router = new Router(blocks, query => dropped.push(query))
  return (question: string, klass?: number) => {
    const [name, type] = question.split(' ')
    const reply = router.answer(queryFor(name!, type, klass === undefined ? {} : { class: klass })) as Reply
    return reply.answer.rcode === Rcode.REFUSED ? 'REFUSED' : reply.plugin
  }
}

t.test('the longest zone gets the query', async t => {
  const ask = asked([block('.'), block('test cluster.local'), block('a.test')])
  const rows: readonly (readonly [string, string])[] = [
    ['other. A', '. by .'],
    ['. NS', '. by .'],
    ['test. A', 'test cluster.local by test.'],
    ['X.TEST. A', 'test cluster.local by test.'],
    ['svc.cluster.local. A', 'test cluster.local by cluster.local.'],
    ['local. A', '. by .'],
    ['a.test. A', 'a.test by a.test.'],
    ['x.y.a.test. A', 'a.test by a.test.'],
    ['ba.test. A', 'test cluster.local by test.'],
  ]
  for (const [question, plugin] of rows) t.equal(ask(question), plugin, question)
})

t.test('a DS record is the parent’s', async t => {
  const ask = asked([block('.'), block('test'), block('a.test')])
  const rows: readonly (readonly [string, string])[] = [
    ['a.test. DS', 'test by test.'],
    ['test. DS', 'test by test.'],
    ['x.a.test. DS', 'test by test.'],
    ['other. DS', '. by .'],
    ['. DS', '. by .'],
  ]
  for (const [question, plugin] of rows) t.equal(ask(question), plugin, question)
  t.equal(asked([block('a.test')])('a.test. DS'), 'a.test by a.test.', 'where only the child is served, it answers')
})

t.test('where no zone fits: REFUSED, and it is told', async t => {
  const dropped: Query[] = []
  const ask = asked([block('a.test')], dropped)
  t.equal(ask('b.test. A'), 'REFUSED')
  t.equal(ask('. A'), 'REFUSED')
  t.equal(ask('a.test. A'), 'a.test by a.test.')
  t.strictSame(
    dropped.map(({ key }) => textFromKey(key)),
    ['b.test.', '.'],
  )
})

t.test('classes other than IN are refused, unless chaos or forward stand at the port', async t => {
  const dropped: Query[] = []
  const plain = asked([block('.'), block('a.test', ['kubernetes'])], dropped)
  const others = [Class.CH, Class.HS, Class.NONE, Class.ANY, 0, 65_535]
  for (const klass of others) t.equal(plain('a.test. A', klass), 'REFUSED')
  t.equal(dropped.length, others.length)
  for (const plugin of ['chaos', 'forward']) {
    const ask = asked([block('.', [plugin]), block('a.test', ['kubernetes'])])
    for (const klass of others) t.equal(ask('a.test. A', klass), 'a.test by a.test.', `${plugin} ${klass}`)
  }
})

t.test('knows when the replies under way are there', async t => {
  const { promise, reject } = Promise.withResolvers<Reply>()
  const router = new Router([block('.', [], () => promise)], () => undefined)
  await router.settled()
  const replies = [router.answer(queryFor('a.')), router.answer(queryFor('b.'))]
  let settled = false
  const waiting = router.settled().then(() => (settled = true))
  await new Promise(setImmediate)
  t.equal(settled, false)
  reject(new Error('failed'))
  await waiting
  await t.rejects(replies[0] as Promise<Reply>, { message: 'failed' })
  await t.rejects(replies[1] as Promise<Reply>)
  await router.settled()
})
