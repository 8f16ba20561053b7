import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ClusterState } from '../../src/cluster/state.ts'
import { TrafficFolder } from '../../src/observe/traffic-folder.ts'
import type { Plugin, PluginDefinition } from '../../src/plugin/plugin.ts'
import { plugins } from '../../src/plugins/index.ts'
import { directoryOf } from '../../src/server/directory.ts'
import type { Cut, Spaces, ZoneSpace } from '../../src/table/contract.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { bare } from '../../src/wire/answer.ts'
import { keyFromText, type NameKey, textFromKey } from '../../src/wire/name.ts'
import { testClock } from '../helpers/clock.ts'
import { cluster, kinds, service } from '../helpers/cluster.ts'
import { type ServeOptions, serve } from '../helpers/serve.ts'

const state = cluster(service('shop/web', { ip: '10.96.0.1' }))

interface Publishing extends ServeOptions {
  /** Of those that the first block listens on. */
  readonly endpoint?: number
}

/** The cuts of a Corefile as text, shortest suffix first; and what is made anew by each `republish`. */
async function published(t: Test, corefile: string, options: Publishing = {}) {
  const { table, spaces } = spied(new AnswerTable())
  const republished: string[][] = []
  let started = false
  const served = await serve(t, corefile, {
    cluster: state,
    table,
    republish: () => started && republished.push(cuts().map(shown)),
    ...options,
  })
  started = true
  const folder = new TrafficFolder(served.metrics, served.clock)
  const endpoint = () => served.instance.endpoints[options.endpoint ?? 0]!
  const cuts = () => directoryOf(served.instance.router(endpoint())!, endpoint().host, folder.numberOf).toReversed()
  return { ...served, spaces, cuts, shown: () => cuts().map(shown), republished }
}

function shown(cut: Cut): string {
  const name = textFromKey(cut.suffix as NameKey)
  if (cut.ask) return `${name} ask`
  const words = [
    cut.front >= 0 && 'front',
    cut.zone >= 0 && (cut.closed ? 'closed' : 'open'),
    cut.cache >= 0 && 'cache',
    cut.positives || 'no positives',
    cut.negatives || 'no negatives',
    cut.rotate && 'rotate',
    cut.size > 0 && `size ${cut.size}`,
  ]
  return [name, ...words.filter(word => typeof word === 'string')].join(' ')
}

t.test("kubeadm's Corefile", async t => {
  const corefile = `.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    prometheus localhost:0
    forward . 192.0.2.1
    cache 30 {
      disable success cluster.local
      disable denial cluster.local
    }
    loop
    reload
    loadbalance
  }
  `
  const { shown, cuts } = await published(
    t,
    corefile.replace('health', 'health localhost:0').replace('ready', 'ready localhost:0'),
  )
  t.same(shown(), [
    '. cache rotate',
    'ip6.arpa. open cache rotate',
    'in-addr.arpa. open cache rotate',
    'cluster.local. closed cache rotate',
  ])
  for (const cut of cuts()) {
    t.same(
      [cut.positiveTtl, cut.negativeTtl],
      [
        [5, 30],
        [5, 30],
      ],
      'what passes the cache is bounded',
    )
    t.equal(cut.counter, 0, 'all is counted under one zone')
  }
})

t.test('nothing of a zone is published before the cluster is known in full', async t => {
  const { promise: synced, resolve } = Promise.withResolvers<void>()
  const clock = testClock()
  const unknown = new ClusterState({ kinds })
  setImmediate(() => clock.advance(5_000))
  const corefile = '. {\n cache\n kubernetes cluster.local\n forward . 192.0.2.1\n}\n'
  const { shown, republished } = await published(t, corefile, { cluster: unknown, synced, clock })
  t.same(shown(), ['. cache', 'cluster.local. ask'])
  resolve()
  await new Promise(resolve => setImmediate(resolve))
  t.same(republished, [['. cache', 'cluster.local. closed cache']])
})

t.test('nothing is published where no plugin answers from what it has', async t => {
  const { shown } = await published(t, '. {\n whoami\n}\n')
  t.same(shown(), ['. ask'])
  const { shown: other } = await published(t, 'example.org {\n cache\n whoami\n}\n')
  t.same(other(), ['. ask', 'example.org. cache'], 'what no block takes is refused by the router')
})

t.test('what answers no queries changes nothing', async t => {
  const block = (more: string) => `. {\n errors\n cache\n kubernetes cluster.local\n${more}}\n`
  const { shown: plain } = await published(t, block(''))
  const { shown } = await published(t, block(' health 127.0.0.1:0\n ready 127.0.0.1:0\n routes 127.0.0.1:0\n'))
  t.same(shown(), plain())
  t.same(shown(), ['. cache', 'cluster.local. closed cache'])
})

t.test('a fallthrough zone inside an origin opens it from there on', async t => {
  const { shown } = await published(
    t,
    '. {\n kubernetes cluster.local {\n fallthrough shop.svc.cluster.local org\n }\n}\n',
  )
  t.same(shown(), ['. ask', 'cluster.local. closed', 'shop.svc.cluster.local. open'])
  const { shown: all } = await published(t, '. {\n kubernetes cluster.local {\n fallthrough\n }\n}\n')
  t.same(all(), ['. ask', 'cluster.local. open'])
})

t.test('blocks: a stub domain inside the zone, two zones, one zone at two ports', async t => {
  const { shown } = await published(
    t,
    'stub.svc.cluster.local {\n whoami\n}\ncached.svc.cluster.local {\n cache\n whoami\n}\n. {\n kubernetes cluster.local\n}\n',
  )
  t.same(shown(), ['. ask', 'cluster.local. closed', 'stub.svc.cluster.local. ask', 'cached.svc.cluster.local. cache'])

  const { cuts } = await published(t, '. {\n kubernetes cluster.local one.cluster.local two.local\n}\n')
  const zones = cuts().map(({ zone }) => zone)
  t.equal(new Set(zones).size, 4, 'each origin has a space of its own, and the root none')

  const twice = '.:53 {\n kubernetes cluster.local\n}\n.:54 {\n kubernetes cluster.local\n cache\n}\n'
  const { cuts: first, instance } = await published(t, twice)
  const second = instance.endpoints[1]!
  const other = directoryOf(instance.router(second)!, second.host, () => 0)
  t.equal(other[0]!.zone, first()[1]!.zone, 'what answers the same is there once')
})

t.test('what foreign plugins hide', async t => {
  const foreign = (also: Partial<Plugin> = {}): PluginDefinition => ({
    name: 'whoami',
    setup: directive => {
      directive.rest()
      return { name: 'whoami', handle: () => ({ answer: bare(5), plugin: 'whoami' }), ...also }
    },
  })
  const zone = '. {\n cache org cluster.local\n kubernetes cluster.local\n whoami\n}\n'
  const inOrder = (names: readonly string[], definition: PluginDefinition) =>
    [...names].map(name => (name === 'whoami' ? definition : known(name)))
  const show = async (names: readonly string[], also: Partial<Plugin> = {}) =>
    (await published(t, zone, { plugins: inOrder(names, foreign(also)) })).shown()

  t.same(
    await show(['cache', 'kubernetes', 'whoami']),
    ['. ask', 'org. cache', 'cluster.local. closed cache'],
    'behind all: nothing',
  )
  t.same(await show(['whoami', 'cache', 'kubernetes']), ['. ask'], 'before all: everything')
  t.same(
    await show(['cache', 'whoami', 'kubernetes']),
    ['. ask', 'org. cache'],
    'behind the cache: the zone, for which the cache steps aside',
  )
  t.same(
    await show(['cache', 'kubernetes', 'whoami'], { current: () => false }),
    ['. ask'],
    'what has the cache step aside',
  )
  t.same(
    await show(['kubernetes', 'whoami', 'cache']),
    ['. ask', 'cluster.local. closed'],
    'a cache behind others has nothing to say',
  )
})

t.test('log', async t => {
  const log = async (lines: string) =>
    (await published(t, `. {\n ${lines}\n cache org\n kubernetes cluster.local\n}\n`)).shown()
  t.same(await log('log'), ['. ask'])
  t.same(await log('log . {\n class error\n}'), ['. ask', 'org. cache', 'cluster.local. closed'])
  t.same(await log('log . {\n class denial error\n}'), [
    '. ask',
    'org. cache no negatives',
    'cluster.local. closed no negatives',
  ])
  t.same(await log('log svc.cluster.local {\n class success\n}'), [
    '. ask',
    'org. cache',
    'cluster.local. closed',
    'svc.cluster.local. closed no positives',
  ])
  t.same(
    await log('log shop.svc.cluster.local {\n class error\n}\n log svc.cluster.local'),
    ['. ask', 'org. cache', 'cluster.local. closed', 'svc.cluster.local. ask', 'shop.svc.cluster.local. closed'],
    'the first line that matches counts',
  )
  t.same(await log('log svc.cluster.local\n log shop.svc.cluster.local {\n class error\n}'), [
    '. ask',
    'org. cache',
    'cluster.local. closed',
    'svc.cluster.local. ask',
  ])
})

t.test('bufsize, loadbalance', async t => {
  const with_ = async (lines: string) => (await published(t, `. {\n ${lines}\n kubernetes cluster.local\n}\n`)).shown()
  t.same(await with_('bufsize 1000'), ['. ask', 'cluster.local. closed size 1000'])
  t.same(await with_('loadbalance'), ['. ask', 'cluster.local. closed rotate'])
  t.same(await with_('loadbalance round_robin {\n prefer 10.0.0.0/8\n}'), ['. ask'])
})

t.test('cache zones', async t => {
  const { shown, cuts } = await published(
    t,
    '. {\n cache 20 svc.cluster.local org {\n success 100 10 7\n}\n kubernetes cluster.local\n}\n',
  )
  t.same(shown(), ['. ask', 'org. cache', 'cluster.local. closed', 'svc.cluster.local. closed cache'])
  const [, org, zone, svc] = cuts()
  t.same([zone!.positiveTtl, zone!.negativeTtl], [undefined, undefined])
  t.same(
    [svc!.positiveTtl, svc!.negativeTtl],
    [
      [7, 10],
      [5, 20],
    ],
  )
  t.equal(svc!.cache, org!.cache)
})

t.test('hosts', async t => {
  const directory = t.testdir({ hosts: '10.0.0.1 host.shop.svc.cluster.local other.test\n10.0.0.2 *.wild.test\n' })
  const file = join(directory, 'hosts')
  const corefile = (options: string) =>
    `. {\n cache\n hosts ${file} {\n ${options}\n}\n kubernetes cluster.local in-addr.arpa {\n fallthrough in-addr.arpa\n}\n whoami\n}\n`
  const { shown, cuts, spaces, clock, republished } = await published(t, corefile('fallthrough'))
  t.same(shown(), ['. cache', 'in-addr.arpa. front open cache', 'cluster.local. front closed cache'])
  const names = ['host.shop.svc.cluster.local', 'other.test', '1.0.0.10.in-addr.arpa', '3.0.0.10.in-addr.arpa']
  const front = () => names.filter(name => spaces.get(cuts()[1]!.front)!.has(keyFromText(name)!))
  t.same(front(), [names[0], names[2]], 'names that a zone would answer too')

  const change = async (text: string, done: () => boolean) => {
    writeFileSync(file, text)
    while (!done()) {
      clock.advance(5000)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  await change('10.0.0.3 host.test\n', () => front().length === 1)
  t.same(front(), [names[3]], 'a changed file changes them')
  t.same(republished, [], 'without another directory')
  await change('10.0.0.3 *.shop.svc.cluster.local\n', () => republished.length > 0)
  t.same(
    republished,
    [['. cache', 'in-addr.arpa. front open cache', 'cluster.local. front closed cache', 'shop.svc.cluster.local. ask']],
    'a wildcard takes all names below its parent',
  )

  writeFileSync(file, '10.0.0.3 host.test\n')
  const { shown: closed } = await published(t, corefile(''))
  t.same(closed(), ['. cache', 'in-addr.arpa. ask', 'cluster.local. ask'], 'without fallthrough nothing comes past it')
  const { shown: partly } = await published(t, corefile('fallthrough svc.cluster.local'))
  t.same(partly(), ['. cache', 'in-addr.arpa. ask', 'cluster.local. ask', 'svc.cluster.local. front closed cache'])
})

t.test('prometheus: answers are counted by zone and by the address that is listened on', async t => {
  const block = (name: string, listen: string) =>
    `${name} {\n ${listen}\n prometheus localhost:0\n kubernetes cluster.local\n}\n`
  const { cuts, instance } = await published(t, block('cluster.local svc.cluster.local', 'bind 127.0.0.1 127.0.0.2'))
  t.same(
    cuts().map(({ counter }) => counter),
    [-1, 0, 1],
  )
  const seen: unknown[] = []
  const [, second] = instance.endpoints
  directoryOf(instance.router(second!)!, second!.host, ({ traffic }) => seen.push(traffic))
  t.same(seen, [
    { server: 'dns://127.0.0.2:53', zone: 'cluster.local.' },
    { server: 'dns://127.0.0.2:53', zone: 'svc.cluster.local.' },
  ])
  const { shown } = await published(t, block('.', 'bind 0.0.0.0 127.0.0.1'))
  t.same(shown(), ['. ask'], 'where the address of each query decides')
  const { instance: full } = await published(t, block('.', 'errors'))
  const [only] = full.endpoints
  t.ok(
    directoryOf(full.router(only!)!, '', () => undefined).every(({ ask }) => ask),
    'what cannot be counted is asked',
  )
})

/** The table, and its zones by number. */
function spied(real: AnswerTable) {
  const spaces = new Map<number, ZoneSpace>()
  const table: Spaces = {
    zoneSpace() {
      const space = real.zoneSpace()
      spaces.set(space.id, space)
      return space
    },
    cacheSpace: () => real.cacheSpace(),
  }
  return { table, spaces }
}

function known(name: string): PluginDefinition {
  return plugins.find(definition => definition.name === name)!
}
