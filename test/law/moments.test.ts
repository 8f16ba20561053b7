import t, { type Test } from 'tap'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { plugins } from '../../src/plugins/index.ts'
import { Transport } from '../../src/table/counters.ts'
import type { Query } from '../../src/wire/query.ts'
import { SAMPLED_ONE_IN } from '../../src/wire/sample.ts'
import { Rcode } from '../../src/wire/types.ts'
import { answerTo } from '../helpers/answer.ts'
import { testClock } from '../helpers/clock.ts'
import { cluster, namespace, pod, service } from '../helpers/cluster.ts'
import { answerText, questionPacket } from '../helpers/serve.ts'
import { peers } from '../table/answering.ts'
import { Side } from './side.ts'

const SOA = 'arpa. 60 IN SOA ns.arpa. host.arpa. 1 2 3 4 50'
const corefile = `.:53 {
  cache 30
  kubernetes cluster.local in-addr.arpa {
    fallthrough
  }
  forward . up
}
`

const closed = corefile.replace('fallthrough', '')

/** Both sides, with an upstream that denies everything, when it is told to. */
async function both(t: Test, text = corefile) {
  const clock = testClock()
  const state = cluster(namespace('shop'))
  const held: (() => void)[] = []
  const upstream = { holds: false, asked: 0 }
  const forward: PluginDefinition = {
    name: 'forward',
    setup(directive) {
      directive.rest()
      const handle = async (query: Query) => {
        upstream.asked++
        if (upstream.holds) await new Promise<void>(resolve => held.push(resolve))
        return { answer: answerTo(query, { authorities: [SOA] }, { rcode: Rcode.NXDOMAIN }), plugin: 'forward' }
      }
      return { name: 'forward', handle }
    },
  }
  const known = plugins.map(plugin => (plugin.name === 'forward' ? forward : plugin))
  const world = { clock, cluster: state, random: () => 0.5, plugins: known }
  const sides = [new Side(world, true), new Side(world, false)] as const
  t.teardown(() => Promise.all(sides.map(side => side.close())))
  for (const side of sides) await side.load(text)
  const exchange = (question: string) =>
    Promise.all(sides.map(side => side.exchange(questionPacket(question), Transport.UDP4, 0)))
  const ask = async (question: string) => {
    const [got, wanted] = await exchange(question)
    t.same(got, wanted, `${question}, octet for octet`)
    return answerText(got!)
  }
  const release = () => {
    for (const resolve of held.splice(0)) resolve()
  }
  return { clock, state, upstream, ask, exchange, release, on: sides[0], sides }
}

const pointer = '1.0.96.10.in-addr.arpa PTR'
const web = service('shop/web', { ip: '10.96.0.1', ports: ['http:80/TCP'] })

t.test('what an upstream denied is there at once when a service has it', async t => {
  const { state, upstream, ask, on, clock } = await both(t)
  const name = 'web.shop.svc.cluster.local A'
  for (const question of [pointer, name]) t.equal(await ask(question), 'NXDOMAIN')
  t.equal(upstream.asked, 4)
  clock.advance(3000)
  for (const question of [pointer, name]) t.equal(await ask(question), 'NXDOMAIN')
  t.equal(on.answered, 1, 'the denial of a name comes from the table, that of an address from the chain')
  state.upsert(web)
  t.match(await ask(pointer), 'web.shop.svc.cluster.local')
  t.match(await ask(name), '10.96.0.1')
  t.equal(on.answered, 3)
  state.remove('Service', 'shop/web')
  for (const question of [pointer, name]) t.equal(await ask(question), 'NXDOMAIN', 'what was kept counts again')
  t.equal(upstream.asked, 4)
})

t.test('a reply that is under way while the cluster changes does not hide the change', async t => {
  const { state, upstream, ask, exchange, release, on } = await both(t)
  upstream.holds = true
  const early = exchange(pointer)
  state.upsert(web)
  t.match(await ask(pointer), 'web.shop.svc.cluster.local', 'meanwhile')
  release()
  for (const reply of await early) t.equal(answerText(reply!), 'NXDOMAIN', 'who asked before')
  t.match(await ask(pointer), 'web.shop.svc.cluster.local', 'afterwards')
  t.equal(on.answered, 2)
})

t.test('each negative answer has the serial that the zone has now', async t => {
  const { state, on, sides, clock } = await both(t, closed)
  const serials = async () => {
    const questions = [
      'cluster.local SOA',
      'svc.cluster.local A',
      'nosuch.cluster.local A',
      `${'x.'.repeat(50)}cluster.local TXT`,
    ]
    const replies = await Promise.all(
      questions.map(question => on.exchange(questionPacket(question), Transport.UDP4, 0)),
    )
    // Behind the serial there are four more numbers.
    return replies.map(reply => reply!.readUInt32BE(reply!.length - 20))
  }
  const before = await serials()
  t.same(new Set(before).size, 1)
  t.equal(before[0], Math.floor(clock.now() / 1000))
  clock.advance(60_000)
  state.upsert(web)
  t.same(
    await serials(),
    before.map(serial => serial + 60),
  )
  t.equal(on.answered, 8)
  t.equal(sides[1].answered, 0)
})

t.test('a reload takes back at once what the new configuration hides', async t => {
  const { state, ask, on, sides } = await both(t, closed)
  state.upsert(web)
  const name = 'web.shop.svc.cluster.local A'
  await ask(name)
  t.equal(on.answered, 1)
  for (const side of sides)
    await side.load(
      closed.replace(
        'kubernetes',
        'hosts /nonexistent {\n 10.0.0.9 web.shop.svc.cluster.local\n fallthrough\n}\nkubernetes',
      ),
    )
  t.match(await ask(name), '10.0.0.9')
  t.equal(on.answered, 1)
  await ask('web.shop.svc.cluster.local.cluster.local A')
  t.equal(on.answered, 2, 'other names are answered as before')
  for (const side of sides) await side.load(closed)
  t.match(await ask(name), '10.96.0.1')
  t.equal(on.answered, 3)
})

t.test('names that do not exist are walked, and the others stand in the table beside that', async t => {
  const walked = corefile
    .replace('fallthrough', 'pods verified\n    fallthrough')
    .replace('.:53 {', '.:53 {\n  autopath @kubernetes')
  const { ask, state, upstream, on } = await both(t, walked)
  state.upsert(service('shop/web', { ip: '10.96.0.1' }))
  state.upsert(service('data/db', { ip: '10.96.0.2' }))
  state.upsert(namespace('data'))
  const walk = 'db.data.shop.svc.cluster.local A'
  t.equal(await ask(walk), 'NXDOMAIN', 'who asks is not known')
  t.equal(upstream.asked, 2, 'the cache keeps what the upstream says, on both sides')
  state.upsert(pod('shop/client', peers[Transport.UDP4].address))
  for (let i = 0; i < 2; i++) t.match(await ask(walk), 'CNAME db.data.svc.cluster.local.')
  t.equal(upstream.asked, 2)
  t.equal(on.answered, 0)
  t.match(await ask('web.shop.svc.cluster.local A'), '10.96.0.1')
  t.equal(await ask('web.shop.svc.cluster.local AAAA'), 'NODATA')
  t.match(await ask('db.data.svc.cluster.local A'), '10.96.0.2')
  t.equal(on.answered, 3, 'from the table')
})

t.test('of what is searched in vain one query in 64 is looked at, the others are answered from the table', async t => {
  const counted = closed.replace('.:53 {', '.:53 {\n  top localhost:0')
  const { on, sides } = await both(t, counted)
  for (const name of ['api.example.org.cluster.local A', 'api.example.org.svc.cluster.local A']) {
    on.answered = 0
    for (let id = 0; id < SAMPLED_ONE_IN; id++) {
      const packet = questionPacket(name)
      packet.writeUInt16BE(id)
      for (const side of sides) t.equal(answerText((await side.exchange(packet, Transport.UDP4, 0))!), 'NXDOMAIN')
    }
    t.equal(on.answered, name.includes('svc') ? SAMPLED_ONE_IN : SAMPLED_ONE_IN - 1)
  }
  const line = 'portolan_search_misses_total{server="dns://:53"} 192'
  for (const side of sides) t.ok((await side.counts()).includes(line))
})
