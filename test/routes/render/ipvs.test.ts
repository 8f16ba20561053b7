/**
 * What a node would have in kube-proxy's mode ipvs. The expected is what `pkg/proxy/ipvs/proxier.go` of Kubernetes 1.34 says; the texts
 * are read by a parser as strict as the programs.
 */
import t from 'tap'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import { type IpvsOptions, ipvsParts, readerOf, renderIpvs } from '../../../src/routes/render/ipvs.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, type ServiceSpec, service, slice } from '../../helpers/cluster.ts'
import { savedServers, savedSets } from './ipvs-texts.ts'

const node = { name: 'n1', zone: '', internalIPs: ['192.168.77.10', '192.168.77.11', 'fd00:77::10'] }

function parts(objects: readonly ClusterObject[], options: Partial<IpvsOptions> = {}) {
  const table = new RouteTable()
  cluster(...objects).follow(table)
  const texts = renderIpvs(table, { family: 'IPv4', node, ...options })
  const servers = savedServers(texts.ipvsadm)
  const sets = savedSets(texts.ipset)
  return {
    texts,
    sets,
    servers,
    /** The entries of those sets that have some. */
    filled: Object.fromEntries(
      [...sets].flatMap(([name, { entries }]) => (entries.length > 0 ? [[name, entries]] : [])),
    ),
    backends: Object.fromEntries([...servers].map(([key, { backends }]) => [key, backends])),
    rules: (pattern: RegExp) => texts.iptables.split('\n').filter(line => pattern.test(line)),
  }
}

/** A service with an endpoint here and one elsewhere. */
function web(spec: ServiceSpec = {}): ClusterObject[] {
  const endpoints = [
    { ip: '10.244.1.4', node: 'n1' },
    { ip: '10.244.2.4', node: 'n2' },
  ]
  return [
    service('shop/web', { ip: '10.96.0.1', ports: ['80'], ...spec }),
    slice('shop/web', endpoints, { ports: (spec.ports ?? ['80']).map(text => text.replace(/@\d+/, '')) }),
  ]
}

const both = ['10.244.1.4:80', '10.244.2.4:80']

t.test('a cluster address', async t => {
  const { texts, backends, servers, filled } = parts(web())
  t.same(backends, { 'TCP 10.96.0.1:80': both })
  t.same(servers.get('TCP 10.96.0.1:80'), { scheduler: 'rr', persistent: 0, backends: both })
  t.same(filled, {
    'KUBE-LOOP-BACK': ['10.244.1.4,tcp:80,10.244.1.4'],
    'KUBE-CLUSTER-IP': ['10.96.0.1,tcp:80'],
    'KUBE-IPVS-IPS': ['10.96.0.1'],
  })
  t.equal(texts.addresses, 'address replace 10.96.0.1/32 dev kube-ipvs0\n')
})

t.test('protocols, affinity, schedulers, and services without endpoints', async t => {
  const { servers } = parts(web({ ports: ['d:53/UDP', 's:9/SCTP'], affinitySeconds: 10_800 }), { scheduler: 'sed' })
  t.same([...servers.keys()], ['UDP 10.96.0.1:53', 'SCTP 10.96.0.1:9'])
  for (const server of servers.values()) t.match(server, { scheduler: 'sed', persistent: 10_800 })
  t.same(parts([service('a/b', { ip: '10.96.0.9', ports: ['80'] })]).backends, { 'TCP 10.96.0.9:80': [] })
  t.same(parts([service('a/b', { ip: 'None', ports: ['80'] })]).backends, {})
})

t.test('node ports are at each address of the node but the loopback address', async t => {
  const objects = web({ type: 'NodePort', ports: ['80@30080'] })
  const { backends, filled } = parts(objects)
  t.same(backends, { 'TCP 10.96.0.1:80': both, 'TCP 192.168.77.10:30080': both, 'TCP 192.168.77.11:30080': both })
  t.same(filled['KUBE-NODE-PORT-TCP'], ['30080'])
  t.same(filled['KUBE-IPVS-IPS'], ['10.96.0.1'])
  const some = parts(objects, { nodePortAddresses: ['192.168.77.11/32', '127.0.0.0/8'] })
  t.same(Object.keys(some.backends), ['TCP 10.96.0.1:80', 'TCP 192.168.77.11:30080'])
  const none = parts(objects, { nodePortAddresses: ['203.0.113.0/24'] })
  t.same(Object.keys(none.backends), ['TCP 10.96.0.1:80'])
  t.notOk(none.filled['KUBE-NODE-PORT-TCP'])
  const sctp = parts(web({ type: 'NodePort', ports: ['9@30009/SCTP'], externalTrafficPolicy: 'Local' })).filled
  for (const name of ['KUBE-NODE-PORT-SCTP-HASH', 'KUBE-NODE-PORT-LOCAL-SCTP-HASH'])
    t.same(sctp[name], ['192.168.77.10,sctp:30009', '192.168.77.11,sctp:30009'])
})

t.test('Local policies keep the endpoints of the node, or all where it has none', async t => {
  const spec: ServiceSpec = { type: 'NodePort', ports: ['80@30080'], externalTrafficPolicy: 'Local' }
  const { backends, filled } = parts(web(spec), { nodePortAddresses: ['primary'] })
  t.same(backends, { 'TCP 10.96.0.1:80': both, 'TCP 192.168.77.10:30080': ['10.244.1.4:80'] })
  t.same(filled['KUBE-NODE-PORT-LOCAL-TCP'], ['30080'])
  const inner = (name: string) => parts(web({ internalTrafficPolicy: 'Local' }), { node: { ...node, name } }).backends
  t.same(inner('n2'), { 'TCP 10.96.0.1:80': ['10.244.2.4:80'] })
  t.same(inner('n3'), { 'TCP 10.96.0.1:80': [] }, 'nothing of it follows the policy Cluster')
  const elsewhere = parts(web(spec), { node: { ...node, name: 'n3' }, nodePortAddresses: ['primary'] })
  t.same(elsewhere.backends['TCP 192.168.77.10:30080'], both, 'for the pods of the node')
  t.notOk(elsewhere.filled['KUBE-LOOP-BACK'])
})

t.test('external addresses; one that is on another device is not taken to the dummy device', async t => {
  const externalIPs = ['203.0.113.1', '192.168.77.11']
  const { filled, texts, backends } = parts(web({ externalIPs }))
  t.same(filled['KUBE-EXTERNAL-IP'], ['203.0.113.1,tcp:80', '192.168.77.11,tcp:80'])
  t.same(filled['KUBE-IPVS-IPS'], ['10.96.0.1', '203.0.113.1'])
  t.notMatch(texts.addresses, '192.168.77.11')
  t.ok('TCP 192.168.77.11:80' in backends)
  const local = parts(web({ externalIPs, externalTrafficPolicy: 'Local' })).filled
  t.notOk(local['KUBE-EXTERNAL-IP'])
  t.equal(local['KUBE-EXTERNAL-IP-LOCAL']?.length, 2)
})

t.test('load balancers', async t => {
  const spec = { type: 'LoadBalancer', loadBalancerIPs: ['203.0.113.20'], healthCheckNodePort: 31_000 } as const
  const ranges = (...loadBalancerSourceRanges: string[]) => parts(web({ ...spec, loadBalancerSourceRanges }))
  const plain = ranges()
  t.same(plain.filled['KUBE-LOAD-BALANCER'], ['203.0.113.20,tcp:80'])
  t.notOk(plain.filled['KUBE-LOAD-BALANCER-FW'])
  t.same(plain.rules(/^-A KUBE-IPVS-OUT-FILTER/), [])
  const guarded = ranges('198.51.100.0/24', '10.0.0.0/8')
  t.match(guarded.filled, {
    'KUBE-LOAD-BALANCER-FW': ['203.0.113.20,tcp:80'],
    'KUBE-LOAD-BALANCER-SOURCE-CIDR': ['203.0.113.20,tcp:80,198.51.100.0/24', '203.0.113.20,tcp:80,10.0.0.0/8'],
  })
  t.notOk(guarded.filled['KUBE-LOAD-BALANCER-SOURCE-IP'])
  t.same(guarded.rules(/^-A KUBE-IPVS-OUT-FILTER/), [
    '-A KUBE-IPVS-OUT-FILTER -s 203.0.113.20 -m ipvs --vaddr 203.0.113.20 --vproto tcp --vport 80 -j DROP',
  ])
  const withNode = ranges('192.168.77.0/24')
  t.same(withNode.filled['KUBE-LOAD-BALANCER-SOURCE-IP'], ['203.0.113.20,tcp:80,203.0.113.20'])
  t.same(withNode.rules(/^-A KUBE-IPVS-OUT-FILTER/), [])
  const local = parts(web({ ...spec, externalTrafficPolicy: 'Local' })).filled
  t.match(local, { 'KUBE-LOAD-BALANCER-LOCAL': ['203.0.113.20,tcp:80'], 'KUBE-HEALTH-CHECK-NODE-PORT': ['31000'] })
})

t.test('IPv6', async t => {
  const objects = [
    service('a/six', {
      ip: ['10.96.0.2', 'fd00:96::2'],
      ports: ['80@30080'],
      type: 'LoadBalancer',
      loadBalancerIPs: ['2001:db8::20'],
      loadBalancerSourceRanges: ['2001:db8:1::/48'],
    }),
    slice('a/six', ['fd00:244::4'], { ports: ['80'] }),
  ]
  const { backends, sets, filled, texts, rules } = parts(objects, { family: 'IPv6', clusterCIDRs: ['fd00:244::/48'] })
  t.same(backends, {
    'TCP [fd00:96::2]:80': ['[fd00:244::4]:80'],
    'TCP [2001:db8::20]:80': ['[fd00:244::4]:80'],
    'TCP [fd00:77::10]:30080': ['[fd00:244::4]:80'],
  })
  t.ok([...sets.keys()].every(name => name.startsWith('KUBE-6-')))
  t.ok([...sets.values()].every(({ family = 'inet6' }) => family === 'inet6'))
  t.same(filled['KUBE-6-LOAD-BALANCER-SOURCE-CID'], ['2001:db8::20,tcp:80,2001:db8:1::/48'], 'a name of 31 letters')
  t.match(texts.addresses, 'address replace fd00:96::2/128 dev kube-ipvs0\n')
  t.ok(rules(/^-A KUBE-SERVICES -s ::1\/128 -j RETURN$/).length === 1)
  t.same(rules(/CLUSTER-IP.*KUBE-MARK-MASQ/), [
    '-A KUBE-SERVICES -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set KUBE-6-CLUSTER-IP dst,dst ! -s fd00:244::/48 -j KUBE-MARK-MASQ',
  ])
})

t.test('an address that two services claim is served by the first', async t => {
  const externalIPs = ['203.0.113.1']
  const objects = [
    ...web({ externalIPs }),
    service('shop/also', { ip: '10.96.0.2', ports: ['80'], externalIPs }),
    slice('shop/also', ['10.244.3.3'], { ports: ['80'] }),
  ]
  t.same(parts(objects).backends, {
    'TCP 10.96.0.2:80': ['10.244.3.3:80'],
    'TCP 203.0.113.1:80': ['10.244.3.3:80'],
    'TCP 10.96.0.1:80': both,
  })
})

/** Everything that there is a rule for. */
const everything = [
  ...web({
    type: 'LoadBalancer',
    ports: ['80@30080'],
    loadBalancerIPs: ['203.0.113.20'],
    externalIPs: ['203.0.113.1'],
  }),
  ...['TCP', 'UDP', 'SCTP'].map((protocol, i) =>
    service(`a/${protocol.toLowerCase()}`, {
      ip: `10.96.1.${i}`,
      type: 'LoadBalancer',
      ports: [`80@3008${i + 1}/${protocol}`],
      externalTrafficPolicy: 'Local',
      loadBalancerIPs: [`203.0.113.3${i}`],
      externalIPs: [`203.0.113.4${i}`],
      loadBalancerSourceRanges: [i === 0 ? '192.168.77.0/24' : '198.51.100.0/24'],
      healthCheckNodePort: 31_000 + i,
    }),
  ),
]

t.test('rules match sets that there are, in as many parts as they have, and jump to chains that there are', async t => {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const { texts, sets } = parts(everything, { family })
    for (const [table, chains, rules] of tablesOf(texts.iptables)) {
      for (const rule of rules) {
        const [, chain = '', target = ''] = /^-A (\S+) .*-j (\S+)/.exec(rule) ?? /^-A (\S+) -j (\S+)/.exec(rule) ?? []
        if (!/^(INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING)$/.test(chain)) t.ok(chains.has(chain), `${table} ${chain}`)
        if (/^KUBE/.test(target)) t.ok(chains.has(target), `${table} ${target}`)
        for (const [, set = '', what = ''] of rule.matchAll(/--match-set (\S+) (\S+)/g)) {
          const type = sets.get(set)?.type ?? 'none'
          t.equal(what.split(',').length, type.split(',').length, rule)
        }
      }
    }
  }
})

function tablesOf(text: string): [name: string, chains: Set<string>, rules: string[]][] {
  return text
    .split(/^\*/m)
    .slice(1)
    .map(table => {
      const [name = '', ...lines] = table.trimEnd().split('\n')
      if (lines.pop() !== 'COMMIT') throw new Error(`${name} lacks its COMMIT`)
      const chains = lines.filter(line => line.startsWith(':')).map(line => line.slice(1).split(' ')[0]!)
      return [name, new Set(chains), lines.slice(chains.length)]
    })
}

t.test('rules stand in the order of kube-proxy', async t => {
  const { rules } = parts(everything, { masqueradeAll: true })
  const short = (pattern: RegExp) =>
    rules(pattern).map(rule => rule.replace(/^-A \S+ /, '').replace(/-m comment --comment "[^"]*" /, ''))
  t.same(short(/^-A KUBE-SERVICES/), [
    '-s 127.0.0.0/8 -j RETURN',
    '-m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER',
    '-m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ',
    '-m set --match-set KUBE-EXTERNAL-IP dst,dst -j KUBE-MARK-MASQ',
    '-m set --match-set KUBE-EXTERNAL-IP dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT',
    '-m set --match-set KUBE-EXTERNAL-IP dst,dst -m addrtype --dst-type LOCAL -j ACCEPT',
    '-m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT',
    '-m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -m addrtype --dst-type LOCAL -j ACCEPT',
    '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
    '-m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT',
    '-m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT',
  ])
  t.same(short(/^-A KUBE-NODE-PORT .*(RETURN|KUBE-MARK-MASQ)$/), [
    '-p tcp -m set --match-set KUBE-NODE-PORT-LOCAL-TCP dst -j RETURN',
    '-p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ',
    '-p udp -m set --match-set KUBE-NODE-PORT-LOCAL-UDP dst -j RETURN',
    '-p udp -m set --match-set KUBE-NODE-PORT-UDP dst -j KUBE-MARK-MASQ',
    '-p sctp -m set --match-set KUBE-NODE-PORT-LOCAL-SCTP-HASH dst,dst -j RETURN',
    '-p sctp -m set --match-set KUBE-NODE-PORT-SCTP-HASH dst,dst -j KUBE-MARK-MASQ',
  ])
  t.same(short(/^-A KUBE-(PROXY|SOURCE-RANGES)-FIREWALL/), [
    '-m set --match-set KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-SOURCE-RANGES-FIREWALL',
    '-m set --match-set KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN',
    '-m set --match-set KUBE-LOAD-BALANCER-SOURCE-IP dst,dst,src -j RETURN',
    '-j DROP',
  ])
  t.same(short(/^-A KUBE-POSTROUTING/)[0], '-m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE')
  t.match(short(/^-A KUBE-IPVS-FILTER/).at(-1), /^-m conntrack --ctstate NEW .*KUBE-IPVS-IPS dst -j REJECT$/)
  t.equal(parts(web()).rules(/CLUSTER-IP src,dst -j KUBE-MARK-MASQ/).length, 1, 'nobody says which sources are pods')
})

t.test('jumps, and who reads what', async t => {
  const kernel = /^-A (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING)/
  t.equal(parts(web()).rules(kernel).length, 9)
  t.same(parts(web(), { jumps: false }).rules(kernel), [])
  t.same(
    ipvsParts.map(part => readerOf(part, 'IPv6')),
    ['ip -batch -', 'ipvsadm --restore', 'ipset restore', 'ip6tables-restore --noflush'],
  )
})
