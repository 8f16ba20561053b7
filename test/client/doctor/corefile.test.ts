import t from 'tap'
import { corefileCheck } from '../../../src/client/doctor/corefile.ts'
import { clusterZone, forwardedTo } from '../../../src/client/doctor/corefile-facts.ts'
import { parseCorefile } from '../../../src/corefile/parser.ts'
import { PortolanError } from '../../../src/errors.ts'
import { corefileOf, dnsObjects, livePod, skipped, told, world } from './world.ts'

/** Nothing to say of it. */
const good = `.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods verified
        fallthrough in-addr.arpa ip6.arpa
    }
    forward . 192.0.2.53
    loop
}
`

const lint = (text: string, objects = dnsObjects()) =>
  told(corefileCheck, world(objects, { corefile: corefileOf(text) }))
const changed = (from: string | RegExp, to: string) => lint(good.replace(from, to))

t.test('a Corefile of which there is nothing to say', async t => t.same(await lint(good), []))

const cases: readonly (readonly [what: string, from: string | RegExp, to: string, told: RegExp])[] = [
  [
    'autopath, pods insecure',
    'pods verified',
    'pods insecure\n    }\n    autopath @kubernetes\n    kubernetes {',
    /^fault: Corefile:8:5: autopath @kubernetes with "pods insecure"$/,
  ],
  [
    'a loop through the service',
    '192.0.2.53',
    '10.96.0.10',
    /^fault: Corefile:9:5: forward to 10\.96\.0\.10: the address of the DNS service/,
  ],
  ['a loop through a pod', '192.0.2.53', 'dns://10.244.1.2:53', /^fault: .*the address of pod dns-1$/],
  ['a loop through itself', '192.0.2.53', '127.0.0.1', /^fault: .*: this server itself$/],
  ['the plugin proxy', 'loop', 'loop\n    proxy . 192.0.2.1', /^fault: Corefile:11:5: the plugin proxy$/],
  [
    'an obsolete option',
    'pods verified',
    'pods verified\n        upstream',
    /^warning: Corefile:7:9: obsolete option upstream$/,
  ],
  [
    'several API servers',
    'pods verified',
    'pods verified\n        endpoint http://a http://b',
    /^warning: .*endpoint with several URLs$/,
  ],
  [
    'no fallthrough',
    'fallthrough in-addr.arpa ip6.arpa',
    '',
    /^warning: Corefile:5:5: no fallthrough for in-addr\.arpa ip6\.arpa$/,
  ],
  [
    'half a fallthrough',
    'fallthrough in-addr.arpa ip6.arpa',
    'fallthrough in-addr.arpa',
    /^warning: .*no fallthrough for ip6\.arpa$/,
  ],
  ['no ready', '    ready\n', '', /^warning: Corefile:1:1: a block with kubernetes and without ready$/],
  ['no health', '    health\n', '', /^warning: .*without health$/],
  ['no errors', '    errors\n', '', /^warning: .*without errors$/],
  [
    'a cache of the zone',
    'loop',
    'loop\n    cache 30',
    /^note: Corefile:11:5: cache keeps names of the cluster's zone/,
  ],
  ['pods insecure', 'pods verified', 'pods insecure', /^note: Corefile:5:5: pods insecure/],
  ['a log of everything', 'loop', 'loop\n    log', /^note: .*log of all classes/],
  ['no loop', '    loop\n', '', /^note: .*without loop/],
]

for (const [what, from, to, seen] of cases) {
  t.test(`lint: ${what}`, async t => {
    const found = await changed(from, to)
    t.ok(
      found.some(text => seen.test(text)),
      found.join('\n'),
    )
  })
}

const silent: readonly (readonly [what: string, from: string, to: string])[] = [
  ['another port of the machine', '192.0.2.53', '127.0.0.1:5353'],
  ['autopath with pods verified', 'loop', 'loop\n    autopath @kubernetes'],
  ['a cache without the zone', 'loop', 'loop\n    cache 30 {\n        disable success cluster.local\n    }'],
  ['fallthrough of everything', 'fallthrough in-addr.arpa ip6.arpa', 'fallthrough'],
  ['a log of errors', 'loop', 'loop\n    log . {\n        class error\n    }'],
]

for (const [what, from, to] of silent) {
  t.test(`lint has nothing against ${what}`, async t => t.same(await changed(from, to), []))
}

t.test('lint: resolv.conf of a pod that asks the DNS service', async t => {
  const text = good.replace('192.0.2.53', '/etc/resolv.conf')
  t.same(await lint(text), [], 'dnsPolicy Default')
  const labels = { 'k8s-app': 'kube-dns' }
  const asking = [...dnsObjects(), livePod('kube-system/dns-1', '10.244.1.2', { labels })]
  t.match(await lint(text, asking), [
    /^fault: .*pod dns-1 has dnsPolicy ClusterFirst, so that it names the DNS service/,
  ])
})

t.test('lint: a mistake, and no Corefile', async t => {
  const mistake = new PortolanError('PORTOLAN_COREFILE_SYNTAX', 'Corefile:1:3: this "{" is never closed')
  t.same(await told(corefileCheck, world([], { corefile: { where: 'Corefile', parsed: mistake } })), [
    'fault: Corefile:1:3: this "{" is never closed',
  ])
  t.equal(await skipped(corefileCheck, world()), 'not looked at')
})

t.test('facts of a Corefile', async t => {
  t.equal(clusterZone(parseCorefile(good)), 'cluster.local')
  t.equal(clusterZone(parseCorefile('k8s.test {\n    kubernetes\n}\n')), 'k8s.test', 'that of its block')
  t.equal(clusterZone(parseCorefile('. {\n    whoami\n}\n')), undefined)
  t.same(forwardedTo({ where: '', parsed: parseCorefile(good) }), ['192.0.2.53'])
})
