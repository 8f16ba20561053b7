import t from 'tap'
import { resolverCheck } from '../../../src/client/doctor/resolver.ts'
import type { ResolverFacts } from '../../../src/client/doctor/world.ts'
import { dnsObjects, examined, skipped, told, world } from './world.ts'

const usual: ResolverFacts = {
  whose: 'pod front/client',
  conf: { nameservers: ['10.96.0.10'], search: ['front.svc.cluster.local', 'svc.cluster.local'], options: ['ndots:5'] },
  reason: 'dnsPolicy ClusterFirst',
  findings: [],
  meantForCluster: true,
  kernel: '6.18.5',
}
const having = (facts: Partial<ResolverFacts>, conf: Partial<ResolverFacts['conf']> = {}) =>
  world(dnsObjects(), { resolver: { ...usual, ...facts, conf: { ...usual.conf, ...conf } } })

t.test('resolv.conf: as the kubelet has it', async t => {
  const { summary, findings } = await examined(resolverCheck, having({}))
  t.same(findings, [])
  t.equal(summary, 'pod front/client asks 10.96.0.10, search list of 2, ndots:5')
  t.equal(await skipped(resolverCheck, world()), 'not looked at')
})

t.test('resolv.conf: whom it asks', async t => {
  t.match(await told(resolverCheck, having({}, { nameservers: [] })), [/^fault: pod front\/client has no nameserver/])
  const stranger = { nameservers: ['192.0.2.1'] }
  t.match(await told(resolverCheck, having({}, stranger)), [
    /^fault: .*asks 192\.0\.2\.1, not the cluster's DNS service \(10\.96\.0\.10\)/,
  ])
  t.match(await told(resolverCheck, having({ meantForCluster: false }, stranger)), [/^warning: /], 'as its policy says')
  t.same(await told(resolverCheck, having({}, { nameservers: ['169.254.20.10'] })), [], 'a cache on the node')
  const four = { nameservers: ['10.96.0.10', '192.0.2.1', '192.0.2.2', '192.0.2.3'] }
  t.same(await told(resolverCheck, having({}, four)), ['warning: pod front/client has 4 nameservers'])
})

t.test('resolv.conf: options', async t => {
  t.same(await told(resolverCheck, having({}, { options: ['ndots:5', 'ndots:9'] })), ['warning: ndots:9'])
  t.match(await told(resolverCheck, having({ kernel: '4.19.0-27' })), [
    /^warning: Linux 4\.19\.0-27 may lose one of two packets/,
  ])
  t.same(await told(resolverCheck, having({ kernel: '4.19.0' }, { options: ['single-request-reopen'] })), [])
  const search = Array.from({ length: 7 }, (_, i) => `s${i}.test`)
  t.same(await told(resolverCheck, having({}, { search })), [
    'note: the search list has 7 entries: glibc before 2.26 reads 6',
  ])
})

t.test('resolv.conf: what the kubelet left out, and what nobody knows', async t => {
  const findings = [
    'x.test: left out, the search list may have 32 entries',
    "what the node's resolv.conf adds is not known",
  ]
  t.same(await told(resolverCheck, having({ findings })), [`warning: ${findings[0]}`, `note: ${findings[1]}`])
})
