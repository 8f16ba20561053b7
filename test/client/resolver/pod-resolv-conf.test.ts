import t from 'tap'
import { type PodSetting, podResolvConf } from '../../../src/client/resolver/pod-resolv-conf.ts'
import { type PodDns, USUAL_DNS } from '../../../src/cluster/objects.ts'

const node =
  'nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch corp.test. . lab.test\noptions rotate timeout:1\noptions timeout:3\n'

const setting = (dns: Partial<PodDns> = {}, rest: Partial<PodSetting> = {}) =>
  podResolvConf({
    namespace: 'shop',
    hostNetwork: false,
    dns: { ...USUAL_DNS, ...dns },
    nodeFile: node,
    clusterDNS: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    ...rest,
  })

const cluster = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
const ofCluster = {
  nameservers: ['10.96.0.10'],
  search: [...cluster, 'corp.test', 'lab.test'],
  options: ['ndots:5'],
}
const ofNode = {
  nameservers: ['192.0.2.1', '192.0.2.2'],
  search: ['corp.test', 'lab.test'],
  options: ['rotate', 'timeout:3'],
}

t.test('policies', async t => {
  t.strictSame(setting().conf, ofCluster)
  t.strictSame(setting().findings, [])
  t.strictSame(setting({}, { hostNetwork: true }).conf, ofNode)
  t.strictSame(setting({ policy: 'ClusterFirstWithHostNet' }, { hostNetwork: true }).conf, ofCluster)
  t.strictSame(setting({ policy: 'Default' }).conf, ofNode)
  t.strictSame(setting({ policy: 'None', nameservers: ['192.0.2.9'] }).conf, {
    nameservers: ['192.0.2.9'],
    search: [],
    options: [],
  })
  t.strictSame(setting({}, { clusterDNS: [] }).conf, ofNode)
  t.match(setting({}, { clusterDNS: [] }).reason, 'without a cluster DNS address, which is Default')
  t.strictSame(setting({}, { clusterDomain: '' }).conf.search, ['corp.test', 'lab.test'])
})

t.test('a node whose file is not known', async t => {
  const { conf, findings } = setting({}, { nodeFile: undefined })
  t.strictSame(conf.search, cluster)
  t.strictSame(findings, ["what the node's resolv.conf adds is not known"])
  t.strictSame(setting({ policy: 'None' }, { nodeFile: undefined }).findings, [])
})

t.test('dnsConfig adds to the lists, each entry once, and its options win', async t => {
  const dns = {
    nameservers: ['192.0.2.9', '10.96.0.10'],
    searches: ['svc.cluster.local', 'more.test'],
    options: ['ndots:2', 'edns0'],
  }
  t.strictSame(setting(dns).conf, {
    nameservers: ['10.96.0.10', '192.0.2.9'],
    search: [...ofCluster.search, 'more.test'],
    options: ['ndots:2', 'edns0'],
  })
})

t.test('limits, and what is left out', async t => {
  const many = Array.from({ length: 40 }, (_, i) => `d${i}.test`)
  const { conf, findings } = setting({ nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'], searches: many })
  t.strictSame(conf.nameservers, ['10.96.0.10', '192.0.2.1', '192.0.2.2'])
  t.strictSame(conf.search, [...ofCluster.search, ...many.slice(0, 27)])
  t.match(findings, [
    '192.0.2.3: left out, there may be 3 nameservers',
    /^d27\.test, d28\.test, .*d39\.test: left out, the search list may have 32 entries$/,
  ])
  const long = 'x'.repeat(254)
  t.strictSame(setting({ searches: [long, 'a.test'] }).conf.search, [...ofCluster.search, 'a.test'])
  t.strictSame(setting({ searches: [long] }).findings, [
    `${long}: left out, an entry of the search list may have 253 characters`,
  ])
  const wide = Array.from({ length: 9 }, (_, i) => `${'x'.repeat(240)}${i}.test`)
  const cut = setting({ policy: 'None', searches: wide })
  t.strictSame(cut.conf.search, wide.slice(0, 8))
  t.strictSame(cut.findings, [`${wide[8]}: left out, the search list may have 2048 characters`])
})
