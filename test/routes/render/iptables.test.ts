/**
 * What the rules look like. That they are kube-proxy's own is the matter of `npm run test:routes`, which has the real one; here stand
 * the chain names that it was seen to give, and what no cluster of an API server has.
 */
import t from 'tap'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import { type IptablesOptions, renderIptables } from '../../../src/routes/render/iptables.ts'
import { chainNames, endpointChain, ownChain, probability } from '../../../src/routes/render/iptables-names.ts'
import type { Destination } from '../../../src/routes/route.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'

const node = { name: 'n1', zone: 'z1', internalIPs: ['192.168.77.10', 'fd00:77::10'] }

function table(...objects: ClusterObject[]): RouteTable {
  const made = new RouteTable()
  cluster(...objects).follow(made)
  return made
}

/** The rules of one chain, or all lines that the pattern matches. */
function rules(objects: readonly ClusterObject[], pattern: RegExp, options: Partial<IptablesOptions> = {}): string[] {
  const text = renderIptables(table(...objects), { family: 'IPv4', node, ...options })
  return text.split('\n').filter(line => pattern.test(line))
}

const web = [
  service('shop/web', { ip: ['10.96.0.1', 'fd00:96::1'], ports: ['http:80'] }),
  slice('shop/web', [{ ip: '10.244.1.8', node: 'n1' }, '10.244.1.10'], { ports: ['http:8080'] }),
]

t.test('names of chains are those that kube-proxy gives', async t => {
  const [nginx] = table(service('default/nginx', { ip: '10.96.0.1', ports: ['80'] })).destinations()
  t.same(chainNames(nginx!), {
    cluster: 'KUBE-SVC-2CMXP7HKUVJN7L6M',
    local: 'KUBE-SVL-2CMXP7HKUVJN7L6M',
    external: 'KUBE-EXT-2CMXP7HKUVJN7L6M',
    firewall: 'KUBE-FW-2CMXP7HKUVJN7L6M',
  })
  // Seen in the writings of an old kube-proxy, whose unnamed ports had a colon: the same hash of another text.
  const old = { ...nginx!, service: 'default/nginx:' }
  t.equal(chainNames(old).cluster, 'KUBE-SVC-4N57TFCL4MD7ZTDA')
  t.equal(endpointChain(old, '172.30.0.24:80'), 'KUBE-SEP-EZ6FKUNEIONYFN4Z')
  t.match('KUBE-SEP-EZ6FKUNEIONYFN4Z', ownChain)
  t.notMatch('KUBE-SERVICES', ownChain)
})

t.test('each endpoint is as probable as the others', async t => {
  t.same([1, 2, 3, 7].map(probability), ['1.0000000000', '0.5000000000', '0.3333333333', '0.1428571429'])
  t.match(rules(web, /^-A KUBE-SVC-/), [
    /"shop\/web:http -> 10\.244\.1\.10:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-/,
    /"shop\/web:http -> 10\.244\.1\.8:8080" -j KUBE-SEP-/,
  ])
})

t.test('one text for each family, ordered, with or without jumps', async t => {
  t.equal(rules(web, /^-A KUBE-SERVICES .*10\.96\.0\.1 .*-j KUBE-SVC-/).length, 1)
  t.match(rules(web, /fd00:96::1/, { family: 'IPv6' }), [/^-A KUBE-SERVICES .*has no endpoints.*-j REJECT$/])
  t.same(rules(web, /^-A (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING)/, { jumps: false }), [])
  t.equal(rules(web, /^-A (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING)/).length, 14)
  t.equal(
    rules(web, /./).join(),
    renderIptables(table(...web.toReversed()), { family: 'IPv4', node })
      .trimEnd()
      .replaceAll('\n', ','),
  )
})

t.test('masquerading', async t => {
  const masq = (options: Partial<IptablesOptions>) => rules(web, /^-A KUBE-SVC-.*-j KUBE-MARK-MASQ/, options)
  t.same(masq({}), [])
  t.match(masq({ clusterCIDRs: ['fd00:244::/48', '10.244.7.7/16'] }), [/ ! -s 10\.244\.0\.0\/16 -j/])
  t.notMatch(masq({ masqueradeAll: true, clusterCIDRs: ['10.244.0.0/16'] })[0], / -s /)
})

t.test('where node ports are', async t => {
  const jump = (nodePortAddresses: string[], family: 'IPv4' | 'IPv6' = 'IPv4') =>
    rules([], /-j KUBE-NODEPORTS$/, { jumps: false, nodePortAddresses, family }).map(rule =>
      rule.replace(/^.*chain" (.*) -j .*/, '$1'),
    )
  t.same(jump([]), ['-m addrtype --dst-type LOCAL'])
  t.same(jump([], 'IPv6'), ['-m addrtype --dst-type LOCAL ! -d ::1/128'])
  t.same(jump(['192.168.0.0/16', '127.0.0.0/8']), ['-d 127.0.0.1', '-d 192.168.77.10'])
  t.same(jump(['primary']), ['-d 192.168.77.10'])
  t.same(jump(['primary'], 'IPv6'), ['-d fd00:77::10'])
  t.same(jump(['10.0.0.0/8']), [], 'the node has no such address')
  t.same(jump(['10.0.0.0/8'], 'IPv6'), ['-m addrtype --dst-type LOCAL ! -d ::1/128'])
})

t.test('rules of a thousand endpoints have comments, those of more have none', async t => {
  const large = (count: number) => [
    service('shop/web', { ip: '10.96.0.1', ports: ['80'] }),
    slice(
      'shop/web',
      Array.from({ length: count }, (_, i) => `10.244.${i >> 8}.${i & 255}`),
      { ports: ['80'] },
    ),
  ]
  t.equal(rules(large(1000), /^-A KUBE-SEP-.*--comment/).length, 2000)
  t.equal(rules(large(1001), /^-A KUBE-SEP-.*--comment/).length, 0)
  t.equal(rules(large(1001), /^-A KUBE-SERVICES .*--comment "shop\/web cluster IP"/).length, 1)
})

t.test('a name that nobody has checked makes no rules of its own', async t => {
  const [destination] = table(...web).destinations() as [Destination]
  const bad = { ...destination, portName: `"\n-A INPUT -j DROP\n${'x'.repeat(300)}` }
  const text = renderIptables({ destinations: () => [bad] }, { family: 'IPv4', node })
  t.notMatch(text, /^-A INPUT -j DROP$/m)
  for (const [, comment] of text.matchAll(/--comment "([^"]*)"/g)) t.ok(comment!.length <= 255)
})
