/** The `kubernetes` plugin from its start until the cluster is known, and what it does when it never is. */
import t from 'tap'
import type { Source } from '../../src/cluster/contract.ts'
import type { Resources, SetupContext } from '../../src/plugin/plugin.ts'
import { ClusterFollower } from '../../src/plugins/kubernetes/follower.ts'
import { definition } from '../../src/plugins/kubernetes/index.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { NOTIMP } from '../../src/wire/answer.ts'
import { shown } from '../helpers/answer.ts'
import { kinds, namespace, service, slice } from '../helpers/cluster.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'

/** A `kubernetes` plugin whose source does as the test says; `release` gives back what it shared with others of its kind. */
function bench(follow: Source['follow'], options = '', more: Partial<SetupContext> = {}) {
  const follower = new ClusterFollower(kinds, async () => ({ name: 'test', kinds, follow }))
  const resources = new ResourcePool().generation()
  const share: Resources['share'] = (key, create) =>
    resources.share(key, () => (key.startsWith('cluster ') ? (follower as never) : create()))
  const text = `kubernetes cluster.local {\n${options}\n}`
  const { release } = resources
  return { follower, release, ...pluginBench(definition, text, { context: { resources: { share }, ...more } }) }
}

type Bench = ReturnType<typeof bench>

/** The first line of what the plugin answers; `next` where it passes the question on. */
function ask({ plugin }: Bench, question: string): string {
  const [name, type] = question.split(' ')
  const query = queryFor(name!, type)
  const reply = plugin.handle(query, () => ({ answer: NOTIMP, plugin: 'next' }))
  if (reply instanceof Promise) throw new Error('no need to wait')
  return reply.plugin === 'next' ? 'next' : shown(reply.answer, query)[0]!
}

/** Resolves when all that is due now has run. */
const settled = () => new Promise(resolve => setImmediate(resolve))

function fill({ follower: { state } }: Bench): void {
  const objects = [namespace('shop'), service('shop/web', { ip: '10.96.0.1' }), slice('shop/web', ['10.0.0.1'])]
  for (const kind of kinds) {
    const replacement = state.replace(kind)
    void replacement.page(objects.filter(object => object.kind === kind))
    void replacement.done()
  }
}

/** A source that has nothing until the test gives it. */
const never: Source['follow'] = () => new Promise(() => undefined)

t.test('the start waits for the cluster', async t => {
  const given = Promise.withResolvers<void>()
  const made = bench(() => given.promise)
  let started = false
  const start = made.plugin.start!().then(() => (started = true))
  await settled()
  t.equal(started, false)
  t.equal(made.plugin.ready!(), false)
  fill(made)
  await settled()
  t.equal(started, false, 'the source has not said that it is done')
  given.resolve()
  await start
  t.equal(made.plugin.ready!(), true)
  t.equal(ask(made, 'web.shop.svc.cluster.local. A'), 'rcode NOERROR AA')
  t.strictSame(made.lines, [])
})

t.test('not for longer than startup_timeout: then names get SERVFAIL, and never the next plugin', async t => {
  const made = bench(never, 'startup_timeout 7s\nfallthrough')
  made.follower.state.upsert(namespace('shop'))
  made.follower.state.upsert(service('shop/web', { ip: '10.96.0.1' }))
  const start = made.plugin.start!()
  await settled()
  made.clock.advance(7_000)
  await start
  t.match(made.lines, [/starting although the cluster is not yet known in full/])
  t.equal(made.plugin.ready!(), false)
  for (const question of [
    'web.shop.svc.cluster.local. A',
    'nosuch.shop.svc.cluster.local. A',
    'cluster.local. SOA',
    'cluster.local. AXFR',
  ]) {
    t.equal(ask(made, question), 'rcode SERVFAIL', question)
    t.equal(made.plugin.current!(queryFor(question.split(' ')[0]!)), true, 'nor an old answer of a cache')
  }
  t.equal(ask(made, 'elsewhere.test. A'), 'next')

  fill(made)
  await settled()
  t.equal(made.plugin.ready!(), true)
  t.equal(ask(made, 'web.shop.svc.cluster.local. A'), 'rcode NOERROR AA')
  t.equal(ask(made, 'nosuch.shop.svc.cluster.local. A'), 'next')
})

t.test('the reason for SERVFAIL goes to `errors`', async t => {
  const query = queryFor('web.shop.svc.cluster.local.')
  const reply = await bench(never).plugin.handle(query, () => t.fail('the next plugin is asked') as never)
  t.match(reply, { plugin: 'kubernetes', current: true, error: { code: 'PORTOLAN_UNSYNCED' } })
})

t.test('a source that cannot work stops the start', async t => {
  const made = bench(async () => {
    throw new Error('no such folder')
  })
  await t.rejects(made.plugin.start!(), { message: 'no such folder' })
})

t.test('one that gives up later is logged', async t => {
  const given = Promise.withResolvers<void>()
  const made = bench(() => given.promise)
  const start = made.plugin.start!()
  await settled()
  made.clock.advance(5_000)
  await start
  given.reject(new Error('gone'))
  await settled()
  t.match(made.lines, [/starting although/, /\[ERROR\].*gone/])
})

t.test('a cluster that another plugin follows already is there at once', async t => {
  const made = bench(async into => {
    t.equal(into, made.follower.state)
    fill(made)
  })
  await made.follower.follow()
  await made.plugin.start!()
  t.equal(ask(made, 'web.shop.svc.cluster.local. A'), 'rcode NOERROR AA')
})

t.test('a plugin that has stopped follows no more, once nobody else has its zones', async t => {
  const made = bench(never)
  const start = made.plugin.start!()
  await made.plugin.stop!()
  fill(made)
  await settled()
  t.equal(made.plugin.ready!(), false)
  made.clock.advance(5_000)
  await start

  const other = bench(async () => fill(other))
  await other.plugin.start!()
  await other.plugin.stop!()
  await other.release()
  other.follower.state.upsert(service('shop/late', { ip: '10.96.0.9' }))
  t.equal(other.follower.state.service('shop/late')?.name, 'late')
  t.equal(ask(other, 'web.shop.svc.cluster.local. A'), 'rcode NXDOMAIN AA')
})

t.test('names that are current are not to be looked for in a cache', async t => {
  const made = bench(async () => fill(made), 'fallthrough shop.svc.cluster.local')
  await made.plugin.start!()
  const current = (name: string) => made.plugin.current!(queryFor(name))
  t.equal(current('web.shop.svc.cluster.local.'), true)
  t.equal(current('nosuch.shop.svc.cluster.local.'), false, 'it falls through')
  t.equal(current('nosuch.hl.svc.cluster.local.'), true)
  t.equal(current('elsewhere.test.'), false)
})

t.test('closing a follower ends its source', async t => {
  let ended = false
  const made = bench(async (_into, signal) => signal.addEventListener('abort', () => (ended = true)))
  await made.follower.follow()
  made.follower.close()
  t.equal(ended, true)
})

t.test('no room for the names of a cluster that is known late: the process ends', async t => {
  const reasons: Error[] = []
  const server = { republish: () => undefined, fail: (reason: Error) => reasons.push(reason) } as never
  const made = bench(never, 'startup_timeout 7s', { table: new AnswerTable({ limit: 4608 }), server })
  const start = made.plugin.start!()
  await settled()
  made.clock.advance(7000)
  await start
  fill(made)
  await settled()
  t.match(reasons, [{ code: 'PORTOLAN_TABLE_FULL' }])
  t.equal(made.plugin.ready!(), false)
})
