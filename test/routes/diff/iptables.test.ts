/** Rules that were saved under the real kube-proxy are as they should be; then each kind of damage is found, and the service is named. */
import t from 'tap'
import type { Finding } from '../../../src/routes/diff/finding.ts'
import { diffIptables } from '../../../src/routes/diff/iptables.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { chainNames, endpointChain } from '../../../src/routes/render/iptables-names.ts'
import type { Destination } from '../../../src/routes/route.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'
import { names, options, saved, table } from './saved.ts'

const expected = renderIptables(table, { ...options, family: 'IPv4', accounting: true })
const found = (dump: string, wanted = expected): Finding[] => diffIptables(wanted, dump, names())

/** The dump without the first line that the pattern matches, or with it changed. */
function changed(pattern: RegExp, change: (line: string) => string[] = () => [], dump = saved.IPv4): string {
  const lines = dump.split('\n')
  const at = lines.findIndex(line => pattern.test(line))
  if (at < 0) throw new Error(`no line matches ${pattern}`)
  return lines.toSpliced(at, 1, ...change(lines[at]!)).join('\n')
}

const destinationOf = (service: string, portName: string): Destination =>
  [...table.destinations()].find(one => one.service === service && one.portName === portName && one.family === 'IPv4')!
const web = destinationOf('shop/web', 'http')
const { cluster: webChain } = chainNames(web)
const webEndpoint = endpointChain(web, '10.244.1.4:8080')
const before =
  (...added: string[]) =>
  (line: string) => [...added, line]

t.test("kube-proxy's rules are as they should be", async t => {
  t.same(found(saved.IPv4), [])
  t.same(diffIptables(renderIptables(table, { ...options, family: 'IPv6' }), saved.IPv6, names()), [])
  t.same(found(saved.IPv4, renderIptables(table, { ...options, family: 'IPv4' })), [], 'with counting or without')
  t.same(found(saved.IPv4.replaceAll(/^-A/gm, '[12:345] -A')), [], 'iptables-save -c')
  t.same(
    found(saved.IPv4, renderIptables(table, { ...options, family: 'IPv4', jumps: false })),
    [],
    'jumps are left alone',
  )
})

const lastRule = /^-A KUBE-SERVICES .*-j KUBE-NODEPORTS$/m.exec(saved.IPv4)![0]

/** What is done to the rules, and the only thing that is found then. */
const damages: Readonly<Record<string, readonly [damaged: string, finding: Partial<Record<keyof Finding, unknown>>]>> =
  {
    'a rule of KUBE-SERVICES is gone': [
      changed(/^-A KUBE-SERVICES .*shop\/web:http cluster IP/),
      { kind: 'missing', chain: 'KUBE-SERVICES', service: 'shop/web:http', why: 'connections to it are not taken' },
    ],
    'a probability is wrong': [
      changed(/^-A KUBE-SVC-.*shop\/web:http -> .*0\.333/, line => [line.replace(/0\.333\d+/, '0.50000000000')]),
      { kind: 'wrong', chain: webChain, service: 'shop/web:http', why: 'probability 0.5, should be 0.333333' },
    ],
    'an endpoint is not chosen': [
      changed(/^-A KUBE-SVC-.*shop\/web:http -> 10\.244\.1\.4:8080/),
      { kind: 'missing', service: 'shop/web:http', why: 'endpoint 10.244.1.4:8080 is not chosen' },
    ],
    'DNAT leads to another port': [
      changed(/^-A KUBE-SEP-.*shop\/web:http".*DNAT --to-destination 10\.244\.1\.4:/, line => [
        line.replace(':8080', ':8081'),
      ]),
      {
        kind: 'wrong',
        chain: webEndpoint,
        service: 'shop/web:http',
        why: 'leads to 10.244.1.4:8081, should be 10.244.1.4:8080',
      },
    ],
    'the way in is gone': [
      changed(/^-A PREROUTING/),
      { kind: 'missing', table: 'nat', chain: 'PREROUTING', why: 'nothing leads from PREROUTING to KUBE-SERVICES' },
    ],
    'the last rule stands first': [
      changed(/^-A KUBE-SERVICES .*cluster IP/, before(lastRule), saved.IPv4.replace(`${lastRule}\n`, '')),
      { kind: 'misplaced', chain: 'KUBE-SERVICES', rule: /-j KUBE-NODEPORTS$/ },
    ],
    'hairpins are not masqueraded': [
      changed(/^-A KUBE-SEP-.*shop\/web:http".*KUBE-MARK-MASQ/),
      { kind: 'missing', service: 'shop/web:http', why: 'an endpoint that reaches itself is not masqueraded' },
    ],
    'sources outside are not masqueraded': [
      changed(/^-A KUBE-SVC-.*shop\/web:http cluster IP.*KUBE-MARK-MASQ/),
      { kind: 'missing', service: 'shop/web:http', why: 'what should be masqueraded is not' },
    ],
    'a refusal is left over': [
      changed(
        /^-A KUBE-SERVICES .*REJECT/,
        before(
          '-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "shop/web:http has no endpoints" -m tcp --dport 80 -j REJECT',
        ),
      ),
      { kind: 'stale', table: 'filter', service: 'shop/web:http', why: /turned away \(REJECT\) that should not be/ },
    ],
    'a refusal is missing': [
      changed(/^-A KUBE-SERVICES .*shop\/empty.*REJECT/),
      { kind: 'missing', table: 'filter', service: 'shop/empty:http', why: /not turned away \(REJECT\)/ },
    ],
    'somebody else has a rule there': [
      changed(/^-A KUBE-SERVICES .*cluster IP/, before('-A KUBE-SERVICES -s 192.0.2.9/32 -j ACCEPT')),
      { kind: 'extra', chain: 'KUBE-SERVICES', service: undefined, rule: '-s 192.0.2.9/32 -j ACCEPT' },
    ],
    'a source range is gone': [
      changed(/^-A KUBE-FW-.*-s 198\.51/),
      { kind: 'missing', service: 'shop/front', why: 'source 198.51.100.0/24 is not let in' },
    ],
    'nothing is dropped behind the source ranges': [
      changed(/^-A KUBE-PROXY-FIREWALL /),
      { kind: 'missing', chain: 'KUBE-PROXY-FIREWALL', service: 'shop/front' },
    ],
    'affinity does not last as it should': [
      changed(/^-A KUBE-SVC-.*--rcheck --seconds 60/, line => [line.replace('--seconds 60', '--seconds 10')]),
      { kind: 'wrong', service: 'shop/local' },
    ],
    'a chain was emptied': [
      saved.IPv4.replaceAll(new RegExp(`^-A ${webChain} .*\n`, 'gm'), ''),
      {
        kind: 'missing',
        rule: `:${webChain}`,
        service: 'shop/web:http',
        why: /^the chain is empty, and should have 4 rules/,
      },
    ],
    'a chain that nothing leads to': [
      changed(/^:KUBE-SERVICES.*\n?/, line => [line]).replace(
        /^COMMIT\n(?=# Completed on [^\n]*\n$)/m,
        '-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.9.9:80\nCOMMIT\n',
      ),
      {
        kind: 'orphan chain',
        level: 'fault',
        chain: 'KUBE-SEP-AAAAAAAAAAAAAAAA',
        service: undefined,
        why: /leads to 10\.244\.9\.9:80/,
      },
    ],
  }

t.test('each kind of damage is found, and nothing else', async t => {
  for (const [what, [damaged, finding]] of Object.entries(damages)) {
    const all = found(damaged)
    t.equal(all.length, 1, `${what}: ${all.map(({ kind, chain, why }) => `${kind} ${chain} ${why}`).join('; ')}`)
    t.match(all[0], { level: 'fault', ...finding }, what)
  }
})

t.test('an endpoint that is gone is told by what leads to it, or by its hash', async t => {
  const chain = endpointChain(web, '10.244.9.9:8080')
  const rules = (comment: string) => [
    `-A ${webChain} ${comment}-m statistic --mode random --probability 0.25000000000 -j ${chain}`,
    `-A ${chain} -p tcp ${comment}-m tcp -j DNAT --to-destination 10.244.9.9:8080`,
  ]
  const stale = found(changed(new RegExp(`^-A ${webChain} `), before(...rules(''))))
  t.match(stale, [{ kind: 'stale', service: 'shop/web:http', why: '10.244.9.9:8080 is no endpoint of it' }])
  t.equal(stale.length, 1)
  const orphan = found(changed(new RegExp(`^-A ${webChain} `), before(rules('')[1]!)))
  t.match(orphan, [{ kind: 'orphan chain', service: 'shop/web:http', why: /leads to 10\.244\.9\.9:8080$/ }])
})

t.test('a service that is gone is named by its comments, else by nothing but its hash', async t => {
  const gone = { ...web, service: 'shop/old' }
  const { cluster: chain } = chainNames(gone)
  const rules = (comment: string) => [
    `-A KUBE-SERVICES -d 10.96.0.99/32 -p tcp ${comment}-m tcp --dport 80 -j ${chain}`,
    `-A ${chain} -j ${webEndpoint}`,
  ]
  const first = /^-A KUBE-SERVICES .*cluster IP/
  t.match(found(changed(first, before(...rules('-m comment --comment "shop/old:http cluster IP" ')))), [
    { kind: 'stale', chain: 'KUBE-SERVICES', service: 'shop/old:http', why: 'there is no such service' },
  ])
  const [finding, ...others] = found(changed(first, before(...rules(''))))
  t.same(others, [])
  t.match(finding, { kind: 'stale', service: undefined, why: /^its hash is of no service that there is \(\w{16}\)$/ })
})

t.test('the names of an old kube-proxy are known', async t => {
  const front = destinationOf('shop/front', '')
  const old = chainNames({ ...front, service: 'shop/front:' }).cluster
  const rule = '-A KUBE-SERVICES -d 10.96.0.21/32 -p tcp -m tcp --dport 80 -j'
  const damaged = changed(/^-A KUBE-SERVICES .*shop\/front cluster IP/, () => [`${rule} ${old}`])
  t.match(found(damaged), [
    { kind: 'wrong', service: 'shop/front', why: /^it is named as an old kube-proxy did/, wanted: /-j KUBE-SVC-/ },
  ])
})

t.test("what is other people's business", async t => {
  const kubelet = [
    '-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP',
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    '-A KUBE-ROUTER-INPUT -j RETURN',
    '-A FORWARD -j KUBE-ROUTER-INPUT',
  ]
  t.same(found(changed(/^-A KUBE-FIREWALL/, before(...kubelet))), [])
  t.same(found(saved.IPv4.replace(':INPUT ACCEPT', ':INPUT DROP')), [])
  const twice = found(changed(/^-A PREROUTING/, line => [line, line]))
  t.match(twice, [{ kind: 'extra', chain: 'PREROUTING', why: 'it leads to KUBE-SERVICES once more' }])
  const moved = found(
    changed(/^-A INPUT .*KUBE-NODEPORTS/).replace(
      /^-A INPUT /m,
      '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS\n$&',
    ),
  )
  t.match(moved, [{ kind: 'misplaced', level: 'note' }])
})

t.test('comments do no harm', async t => {
  const all = found(saved.IPv4.replaceAll(/-m comment --comment "shop\/web:http" /g, ''))
  t.ok(all.length > 0)
  for (const { kind, level, service } of all)
    t.match({ kind, level, service }, { kind: 'comments', level: 'note', service: 'shop/web:http' })
})

t.test('without comments, in a cluster of many endpoints', async t => {
  const pods = Array.from({ length: 1100 }, (_, i) => `10.244.${i >> 8}.${i & 255}`)
  const many = new RouteTable()
  cluster(service('shop/web', { ip: '10.96.0.1', ports: ['80'] }), slice('shop/web', pods, { ports: ['80'] })).follow(
    many,
  )
  const wanted = renderIptables(many, { ...options, family: 'IPv4' })
  const damaged = wanted.replace(/DNAT --to-destination 10\.244\.1\.7:80/, 'DNAT --to-destination 10.244.1.7:81')
  t.match(diffIptables(wanted, damaged), [{ kind: 'wrong', service: 'shop/web' }], 'by what leads to it')
  const [only] = [...many.destinations()]
  const gone = endpointChain(only!, '10.250.0.1:80')
  const late = wanted.replace(/COMMIT\n$/, `-A ${gone} -p tcp -m tcp -j DNAT --to-destination 10.250.0.1:80\nCOMMIT\n`)
  t.match(diffIptables(wanted, late), [{ kind: 'orphan chain', level: 'note', why: /removes it late/ }])
})
