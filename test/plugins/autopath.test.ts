import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ClusterObject } from '../../src/cluster/objects.ts'
import type { ClusterState } from '../../src/cluster/state.ts'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { autopathOn } from '../../src/plugins/autopath/index.ts'
import { searchOf } from '../../src/plugins/autopath/resolv-conf.ts'
import type { KubernetesOptions } from '../../src/plugins/kubernetes/options.ts'
import { searchLists } from '../../src/plugins/kubernetes/search-lists.ts'
import { keyFromText, nameToText, textFromKey } from '../../src/wire/name.ts'
import type { Query } from '../../src/wire/query.ts'
import { Bit, Rcode } from '../../src/wire/types.ts'
import { answerTo, type Texts } from '../helpers/answer.ts'
import { cluster, pod, service } from '../helpers/cluster.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'
import { type AskOptions, questionPacket, serve } from '../helpers/serve.ts'

const CLIENT = '10.244.0.7'
const ZONE = 'cluster.local'
const kubernetes = (...options: string[]) => ` kubernetes ${ZONE} {\n pods verified\n ${options.join('\n ')}\n }\n`

const SOA = 'test. 60 IN SOA ns.test. host.test. 1 2 3 4 50'

/** What the upstream says of names as they are asked, all others do not exist; a text is a record. */
const UPSTREAM: Readonly<Record<string, Texts & { rcode?: number; error?: Error }>> = {
  'www.up.test.': { answers: ['www.up.test. 300 IN CNAME web.up.test.', 'web.up.test. 60 IN A 192.0.2.1'] },
  'four.up.test.': { answers: ['four.up.test. 60 IN A 192.0.2.4'] },
  'printer.office.test.': { answers: ['printer.office.test. 60 IN A 192.0.2.9'] },
  'broken.up.test.': { rcode: Rcode.SERVFAIL, error: new Error('the upstream is broken') },
}

function bed() {
  const asked: string[] = []
  const forward: PluginDefinition = {
    name: 'forward',
    setup(directive) {
      directive.rest()
      const handle = async (query: Query) => {
        const name = nameToText(query.name)
        asked.push(name)
        const { rcode, error, ...texts } = UPSTREAM[name.toLowerCase()] ?? { rcode: Rcode.NXDOMAIN, authorities: [SOA] }
        const none = texts.answers?.some(text => text.includes(' CNAME ') || query.type === 1) === false
        const answer = answerTo(query, none ? { authorities: [SOA] } : texts, {
          bits: Bit.RA,
          ...(rcode === undefined ? {} : { rcode }),
        })
        return { answer, plugin: 'forward', ...(error && { error }) }
      }
      return { name: 'forward', handle }
    },
  }
  return { asked, forward }
}

function shopCluster(...pods: readonly ClusterObject[]): ClusterState {
  return cluster(
    service('shop/web', { ip: '10.96.0.1', ports: ['http:80'] }),
    service('data/db', { ip: ['10.96.0.2', 'fd00:96::2'], ports: ['sql:5432'] }),
    service('data/www', { externalName: 'www.up.test' }),
    service('data/web', { ip: '10.96.0.3' }),
    ...pods,
  )
}

interface Setting {
  readonly corefile?: string
  readonly search?: string
  readonly state?: ClusterState
}

async function autopathServer(t: Test, setting: Setting = {}) {
  const { search = 'search office.test\n', state = shopCluster(pod('shop/client', [CLIENT, 'fd00:10::7'])) } = setting
  const directory = t.testdir({ 'resolv.conf': search })
  const { asked, forward } = bed()
  const corefile = setting.corefile ?? `.:53 {\n autopath @kubernetes\n${kubernetes()} forward . up\n}\n`
  const inPlace = [autopathOn(join(directory, 'resolv.conf')), forward]
  const served = await serve(t, corefile, { cluster: state, inPlace, file: join(directory, 'Corefile') })
  const ask = (question: string, options: AskOptions = {}) => served.ask(question, { client: CLIENT, ...options })
  return { ...served, ask, asked, state }
}

const first = `shop.svc.${ZONE}`

t.test('goes through the search list in place of the client', async t => {
  const { ask, asked, metrics } = await autopathServer(t)
  t.equal(await ask(`web.${first} A`), `web.${first}. 5 IN A 10.96.0.1`, 'what exists is answered as it is')
  t.equal(
    await ask(`db.data.${first} A`),
    `db.data.${first}. 5 IN CNAME db.data.svc.${ZONE}.\ndb.data.svc.${ZONE}. 5 IN A 10.96.0.2`,
  )
  t.match(await ask(`db.data.${first} AAAA`), /^db\.data\.svc\.cluster\.local\. 5 IN AAAA fd00:96::2$/m)
  t.match(await ask(`db.data.svc.${first} A`), `CNAME db.data.svc.${ZONE}.`, 'the second domain')
  t.same(asked, [], 'no upstream has part in the domains of the cluster')
  t.match(await ask(`printer.${first} A`), 'CNAME printer.office.test.', "the server's own search list")
  t.same(asked.splice(0), ['printer.office.test.'])
  t.match(await ask(`four.up.test.${first} A`), 'CNAME four.up.test.', 'the name alone')
  t.same(asked.splice(0), ['four.up.test.office.test.', 'four.up.test.'])
  t.match(
    await metrics.exposition(),
    /coredns_autopath_success_total\{server="dns:\/\/:53"\} 5/,
    'what existed is not counted',
  )
})

t.test('A and AAAA agree on the name', async t => {
  const { ask } = await autopathServer(t)
  t.equal(await ask(`web.data.${first} AAAA`), 'NODATA', 'the name exists, and has no such address')
  t.match(await ask(`web.data.${first} A`), '10.96.0.3')
  t.equal(await ask(`four.up.test.${first} AAAA`), 'NODATA')
})

t.test('answers of all kinds', async t => {
  const { ask } = await autopathServer(t)
  t.equal(
    await ask(`_sql._tcp.db.data.${first} SRV`),
    `_sql._tcp.db.data.${first}. 5 IN CNAME _sql._tcp.db.data.svc.${ZONE}.\n` +
      `_sql._tcp.db.data.svc.${ZONE}. 5 IN SRV 0 50 5432 db.data.svc.${ZONE}.`,
  )
  t.equal(
    await ask(`www.data.${first} A`),
    [
      `web.up.test. 60 IN A 192.0.2.1`,
      `www.data.${first}. 5 IN CNAME www.data.svc.${ZONE}.`,
      `www.data.svc.${ZONE}. 5 IN CNAME www.up.test.`,
      `www.up.test. 300 IN CNAME web.up.test.`,
    ].join('\n'),
    'an alias behind the alias',
  )
  t.equal(await ask(`nosuch.up.test.${first} A`), 'NXDOMAIN', 'nothing is found')
  t.equal(await ask(`broken.up.test.${first} A`), 'SERVFAIL', 'a failure ends the walk')
  t.match(
    await ask(`DB.Data.Shop.SVC.Cluster.local A`),
    `DB.Data.Shop.SVC.Cluster.local. 5 IN CNAME DB.Data.svc.${ZONE}.`,
  )
})

t.test('a name that nothing has gets the answer to what was asked', async t => {
  const { exchange } = await autopathServer(t)
  const packet = (client: string) => exchange(questionPacket(`nosuch.up.test.${first}`), { client })
  t.same(await packet(CLIENT), await packet('192.0.2.1'), 'octet for octet, SOA of the cluster included')
})

t.test('only where it is certain who asks', async t => {
  const others: Readonly<Record<string, readonly ClusterObject[]>> = {
    nobody: [],
    'a pod of the host': [pod('shop/client', CLIENT, { hostNetwork: true })],
    'a pod beside one of the host': [
      pod('shop/client', CLIENT),
      pod('kube-system/proxy', CLIENT, { hostNetwork: true }),
    ],
    'pods of two namespaces': [pod('shop/client', CLIENT), pod('data/client', CLIENT)],
    'a pod that ends': [pod('shop/client', CLIENT, { terminating: true })],
    'a pod whose address another one gives away': [
      pod('shop/client', CLIENT),
      pod('data/old', CLIENT, { terminating: true }),
    ],
    'a pod that has ended': [pod('shop/client', CLIENT, { phase: 'Succeeded' })],
    "a pod with the node's search list": [pod('shop/client', CLIENT, { dnsPolicy: 'Default' })],
    'a pod with a search list of its own': [pod('shop/client', CLIENT, { searches: ['corp.test'] })],
    'a pod of another namespace': [pod('data/client', CLIENT)],
  }
  for (const [what, pods] of Object.entries(others)) {
    const { ask } = await autopathServer(t, { state: shopCluster(...pods) })
    t.equal(await ask(`db.data.${first} A`), 'NXDOMAIN', what)
    t.match(await ask(`web.${first} A`), '10.96.0.1', `${what}: names that exist`)
  }
  const certain: Readonly<Record<string, readonly ClusterObject[]>> = {
    'two pods of one namespace': [pod('shop/client', CLIENT), pod('shop/twin', CLIENT)],
    'a pod that starts': [pod('shop/client', CLIENT, { phase: 'Pending' })],
    'a pod whose address once was of another': [
      pod('shop/client', CLIENT),
      pod('data/job', CLIENT, { phase: 'Succeeded' }),
    ],
  }
  for (const [what, pods] of Object.entries(certain)) {
    const { ask } = await autopathServer(t, { state: shopCluster(...pods) })
    t.match(await ask(`db.data.${first} A`), '10.96.0.2', what)
  }
})

t.test('knows both addresses of a pod, and follows its pods', async t => {
  const { ask, state } = await autopathServer(t)
  t.match(await ask(`db.data.${first} A`, { client: 'fd00:10::7' }), '10.96.0.2')
  state.remove('Pod', 'shop/client')
  t.equal(await ask(`db.data.${first} A`), 'NXDOMAIN')
  state.upsert(pod('data/next', CLIENT))
  t.equal(await ask(`web.shop.${first} A`), 'NXDOMAIN')
  t.match(await ask(`web.shop.data.svc.${ZONE} A`), '10.96.0.1')
})

t.test('nobody is certain while changes of pods do not arrive', async t => {
  let isCurrent = true
  const options = { pods: 'verified', origins: [keyFromText(ZONE)!] } as unknown as KubernetesOptions
  const lists = searchLists(options, shopCluster(pod('shop/client', CLIENT)), () => isCurrent)
  const query = queryFor(`db.data.${first}`, 'A', { peer: { address: CLIENT } })
  t.same(lists.of(query)?.map(textFromKey), [`${first}.`, `svc.${ZONE}.`, `${ZONE}.`])
  isCurrent = false
  t.equal(lists.of(query), undefined)
})

t.test('the namespace itself is no name of a walk', async t => {
  const { ask } = await autopathServer(t, {
    corefile: `.:53 {\n autopath @kubernetes\n${kubernetes('namespaces data')} forward . up\n}\n`,
  })
  t.equal(await ask(`${first} A`), 'NXDOMAIN', 'where it is not shown')
  t.match(await ask(`db.data.${first} A`), '10.96.0.2')
})

t.test('nobody answers names outside: the client may know who does', async t => {
  const { ask } = await autopathServer(t, { corefile: `.:53 {\n autopath @kubernetes\n${kubernetes()}}\n` })
  t.equal(await ask(`www.up.test.${first} A`), 'NXDOMAIN', 'CoreDNS: SERVFAIL')
  t.match(await ask(`db.data.${first} A`), '10.96.0.2')
})

t.test('what is told one client is not kept for others', async t => {
  const { ask, asked } = await autopathServer(t, {
    corefile: `.:53 {\n autopath @kubernetes\n cache 30\n${kubernetes('fallthrough')} forward . up\n}\n`,
  })
  t.match(await ask(`four.up.test.${first} A`), '192.0.2.4')
  t.equal(await ask(`four.up.test.${first} A`, { client: '192.0.2.1' }), 'NXDOMAIN')
  asked.splice(0)
  t.match(await ask(`four.up.test.${first} A`), '192.0.2.4')
  t.same(asked, [], 'each name of the walk is kept by itself')
})

t.test("the server's own domains in the cluster are not the client's", async t => {
  const { ask } = await autopathServer(t, { search: `search data.svc.${ZONE} svc.${ZONE} ${ZONE} office.test\n` })
  t.equal(await ask(`db.${first} A`), 'NXDOMAIN', "shop's pods do not find what data's do")
  t.match(await ask(`printer.${first} A`), '192.0.2.9')
})

t.test('ZONES, and several of the cluster', async t => {
  const two = ` kubernetes ${ZONE} two.test {\n pods verified\n }\n`
  const { ask } = await autopathServer(t, {
    corefile: `.:53 {\n autopath two.test up.test @kubernetes\n${two} forward . up\n}\n`,
  })
  t.equal(await ask(`db.data.${first} A`), 'NXDOMAIN', 'not in the zones')
  t.match(await ask(`db.data.shop.svc.two.test A`), 'CNAME db.data.svc.two.test.')
})

t.test('the root as the zone of the cluster', async t => {
  const { ask } = await autopathServer(t, {
    corefile: '.:53 {\n autopath @kubernetes\n kubernetes . {\n pods verified\n }\n}\n',
  })
  t.match(await ask('db.data.shop.svc A'), 'CNAME db.data.svc.')
})

t.test('a search list from a file is that of all clients', async t => {
  const { ask, log } = await autopathServer(t, {
    corefile: `.:53 {\n autopath resolv.conf\n forward . up\n}\n`,
    search: '# made by hand\nnameserver 192.0.2.53\ndomain old.test\nsearch Corp.test office.test not..a.name\n',
  })
  t.match(await ask('printer.corp.test A'), 'printer.corp.test. 60 IN CNAME printer.office.test.')
  t.match(await ask('printer.corp.test A', { client: '192.0.2.1' }), '192.0.2.9')
  t.match(await ask('four.up.test.corp.test A'), 'CNAME four.up.test.')
  t.equal(await ask('printer.old.test A'), 'NXDOMAIN')
  t.same(log, [])
  t.same(searchOf('').map(textFromKey), [])
  t.same(searchOf('search a.test\n  domain b.test c.test\n;search d.test').map(textFromKey), ['b.test.', 'c.test.'])
})

t.test('queries of our own, other classes and other opcodes are not of a walk', async t => {
  const { exchange } = await autopathServer(t)
  const rcode = async (bits: number, klass: number) =>
    ((await exchange(questionPacket(`db.data.${first}`, { bits, class: klass }), { client: CLIENT }))?.readUInt16BE(
      2,
    ) ?? 0) & 15
  t.equal(await rcode(Bit.RD, 1), Rcode.NOERROR)
  t.equal(await rcode(Bit.RD, 3), Rcode.NXDOMAIN)
  t.equal(await rcode(4 << 11, 1), Rcode.NXDOMAIN, 'NOTIFY')
})

t.test('mistakes, and what cannot work', async t => {
  const definition = autopathOn(join(t.testdir({ empty: 'nameserver 192.0.2.53\n' }), 'empty'))
  const context = { directory: t.testdirName }
  const bench = (text: string) => pluginBench(definition, text, { directory: t.testdirName, context })
  t.throws(() => bench('autopath'), { message: /needs its resolv-conf/ })
  t.throws(() => bench('autopath nosuch'), { message: /Corefile:2:10: autopath: cannot read .*nosuch/ })
  t.throws(() => bench('autopath a..b @kubernetes'), { code: 'PORTOLAN_COREFILE_OPTION' })
  t.throws(() => bench('autopath @kubernetes {\n x\n}'), { code: 'PORTOLAN_COREFILE_OPTION' })
  t.match(bench('autopath empty').lines, [/has no search list: as it stands, autopath never applies/])
  t.match(bench('autopath @kubernetes').lines, [/no kubernetes in this server block.*never applies/])
  const without = await autopathServer(t, {
    corefile: `.:53 {\n autopath @kubernetes\n kubernetes ${ZONE} {\n pods insecure\n }\n forward . up\n}\n`,
  })
  t.match(without.log, [/Corefile:2:2: autopath needs `pods verified` here: as it stands, it never applies/])
  t.equal(await without.ask(`db.data.${first} A`), 'NXDOMAIN')
  const unable = `.:53 {\n autopath @whoami\n whoami\n}\n`
  await t.rejects(autopathServer(t, { corefile: unable }), {
    message: /whoami does not know the search lists of clients/,
  })
})

t.test('a name that the walk makes too long is left out', async t => {
  const long = `a.${'x'.repeat(61)}.test`
  const { ask } = await autopathServer(t, { search: `search ${[long, long, long].join('.')} office.test\n` })
  t.match(await ask(`printer.${first} A`), '192.0.2.9')
})
