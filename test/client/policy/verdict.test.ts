import t from 'tap'
import { parse } from 'yaml'
import { endAt, endText, NetworkPolicies } from '../../../src/client/policy/verdict.ts'
import { cluster, node, object, pod } from '../../helpers/cluster.ts'
import type { Host, PolicyJson } from './naive.ts'
import { clusterOf, judge } from './world.ts'

const ports = [{ name: 'http', containerPort: 8080 }]
const web: Host = { namespace: 'shop', name: 'web', ip: '10.244.1.1', labels: { app: 'web' }, node: 'n1', ports }
const api: Host = { namespace: 'shop', name: 'api', ip: '10.244.2.1', labels: { app: 'api' }, node: 'n2' }
const guest: Host = { namespace: 'front', name: 'x', ip: '10.244.2.2', labels: { app: 'api' }, node: 'n2' }
const proxy: Host = {
  namespace: 'shop',
  name: 'proxy',
  ip: '172.18.0.2',
  labels: { app: 'web' },
  node: 'n2',
  hostNetwork: true,
}
const second: Host = { ip: '172.18.0.2', node: 'n2' }

const policy = (name: string, spec: string): PolicyJson => ({ namespace: 'shop', name, spec: parse(spec) })
const world = (...policies: PolicyJson[]) =>
  clusterOf({ namespaces: { front: { team: 'a' } }, hosts: [web, api, guest, proxy], ports: [], policies })
const webOnly = 'podSelector: { matchLabels: { app: web } }'

t.test('a verdict names the rule that lets a connection through', async t => {
  const rules = `
ingress:
- from: [{ ipBlock: { cidr: 192.0.2.0/24 } }]
- from: [{ podSelector: { matchLabels: { app: x } } }, { namespaceSelector: { matchLabels: { team: a } }, podSelector: {} }]
  ports: [{ port: 80 }, { port: http }]`
  const verdict = judge(world(policy('web', webOnly + rules)), guest, web, 'TCP', 8080)
  const { ingress, egress } = verdict
  t.match(egress, { allowed: true, because: 'not isolated' })
  t.same(egress.isolatedBy, [])
  t.match(ingress, { allowed: true, because: 'rule' })
  t.same([ingress.isolatedBy, ingress.nearMisses, ingress.caveats], [['shop/web'], [], []])
  t.same(ingress.rule, { policy: 'shop/web', path: 'spec.ingress[1]', peer: 1, port: 1 })
  t.equal(
    verdict.why,
    'pod front/x is not isolated for egress: no policy selects it; shop/web allows it: spec.ingress[1], from[1] (all pods in namespaces team=a), ports[1] (TCP "http")',
  )
  const open = judge(world(policy('open', 'podSelector: {}\ningress: [{}]')), guest, web, 'UDP', 1).ingress
  t.same(open.rule, { policy: 'shop/open', path: 'spec.ingress[0]', peer: undefined, port: undefined })
  t.equal(open.why, 'shop/open allows it: spec.ingress[0], from anybody, all ports')
})

t.test('a denial names who isolates the pod', async t => {
  const state = world(policy('b', webOnly), policy('a', 'podSelector: {}\ningress: [{ ports: [{ port: 1 }] }]'))
  const verdict = judge(state, guest, web, 'TCP', 8080)
  t.match(verdict.ingress, { allowed: false, because: 'no rule', isolatedBy: ['shop/a', 'shop/b'], rule: undefined })
  t.equal(
    verdict.why,
    'pod shop/web is isolated for ingress by shop/a, shop/b, and no rule lets pod front/x in on TCP 8080',
  )
  const egress = world(policy('out', 'podSelector: {}\npolicyTypes: [Egress]'))
  t.equal(
    judge(egress, web, guest, 'UDP', 53).why,
    'pod shop/web is isolated for egress by shop/out, and there is no rule',
  )
})

t.test('a denial on both sides names both', async t => {
  const state = world(
    policy(
      'out',
      'podSelector: {}\npolicyTypes: [Ingress, Egress]\negress: [{ to: [{ podSelector: {} }], ports: [{ port: 1 }] }]',
    ),
  )
  t.equal(
    judge(state, web, api, 'TCP', 80).why,
    'pod shop/web is isolated for egress by shop/out, and no rule lets it out to pod shop/api on TCP 80; pod shop/api is isolated for ingress by shop/out, and there is no rule',
  )
})

t.test('a denial tells what is nearly right', async t => {
  const missesOf = (rules: string, from = guest, port = 8080) => {
    const { nearMisses } = judge(world(policy('web', `${webOnly}\n${rules}`)), from, web, 'TCP', port).ingress
    return nearMisses.map(({ lacks, why }) => [lacks, why])
  }
  const but = 'shop/web spec.ingress[0] allows'
  t.same(
    missesOf(
      'ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 80 }, { port: 90, endPort: 99 }, { port: metrics }, { protocol: UDP }] }]',
    ),
    [
      [
        'port',
        `${but} pod front/x, but only on TCP 80; TCP 90-99; TCP "metrics" (no container there has a port of this name); all UDP ports`,
      ],
    ],
  )
  t.same(missesOf('ingress: [{ ports: [{ port: http }] }]', guest, 80), [
    ['port', `${but} pod front/x, but only on TCP "http" (which is 8080 there)`],
  ])
  t.same(
    missesOf(
      'ingress: [{ from: [{ podSelector: { matchLabels: { app: api } } }, { ipBlock: { cidr: 10.0.0.0/8, except: [10.244.0.0/16] } }] }]',
    ),
    [
      [
        'peer',
        `${but} TCP 8080, but only from pods app=api of namespace shop (its labels fit, namespace front does not); 10.0.0.0/8 except 10.244.0.0/16`,
      ],
    ],
  )
  t.same(
    missesOf(
      'ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: a } }, podSelector: { matchLabels: { app: web } } }] }]',
    ),
    [
      [
        'peer',
        `${but} TCP 8080, but only from pods app=web in namespaces team=a (the namespace fits, its labels do not)`,
      ],
    ],
  )
  t.same(missesOf('ingress: [{ from: [{ podSelector: {} }] }]', proxy), [
    [
      'peer',
      `${but} TCP 8080, but only from all pods of namespace shop (a pod on the network of its node counts as the node)`,
    ],
  ])
  t.same(missesOf('ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 1 }] }]'), [], 'nothing fits')
  const many = Array.from({ length: 6 }, (_, i) => `{ port: ${i + 1} }`)
  t.match(missesOf(`ingress: [{ ports: [${many}] }]`), [['port', /on TCP 1; TCP 2; TCP 3; 3 more$/]])
})

t.test('a pod always reaches itself, and its node', async t => {
  const state = world(policy('deny', 'podSelector: {}\npolicyTypes: [Ingress, Egress]'))
  t.match(judge(state, web, web, 'TCP', 1), {
    allowed: true,
    egress: { because: 'itself' },
    ingress: { because: 'itself' },
  })
  t.match(judge(state, proxy, api, 'TCP', 1), {
    allowed: true,
    egress: { because: 'no pod' },
    ingress: { because: 'own node' },
  })
  t.match(judge(state, api, proxy, 'TCP', 1), {
    allowed: true,
    egress: { because: 'own node' },
    ingress: { because: 'no pod' },
  })
  t.match(judge(state, proxy, web, 'TCP', 1), { allowed: false, ingress: { because: 'no rule' } })
})

t.test('what the API leaves open is said', async t => {
  const deny = world(policy('deny', 'podSelector: {}'))
  t.same(judge(deny, guest, proxy, 'TCP', 1).ingress.caveats, [
    'shop/deny would select pod shop/proxy (on the network of node n2): what then is undefined by the API; treated as not selected, as by most network plugins',
  ])
  t.same(judge(deny, guest, second, 'TCP', 1).ingress.caveats, [])
  const ranges = world(policy('web', `${webOnly}\ningress: [{ from: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }]`))
  t.match(judge(ranges, guest, web, 'TCP', 1).ingress.caveats, [
    /^ipBlock is meant for addresses outside of the cluster/,
  ])
  t.same(judge(ranges, { ip: '192.0.2.1' }, web, 'TCP', 1).ingress.caveats, [])
})

t.test('ports without details of the pod are not known', async t => {
  const spec = parse(`${webOnly}\ningress: [{ ports: [{ port: http }] }]`)
  const bare = pod('shop/web', '10.244.1.1', { labels: { app: 'web' } })
  const state = cluster(bare, object('NetworkPolicy', 'shop/web', { spec }))
  const { ingress } = new NetworkPolicies(state).judge({
    from: endAt(state, '192.0.2.1'),
    to: endAt(state, '10.244.1.1'),
    protocol: 'TCP',
    port: 8080,
  })
  t.match(ingress, {
    allowed: false,
    nearMisses: [{ why: /TCP "http" \(the ports of its containers are not known\)$/ }],
  })
})

t.test('who has an address', async t => {
  const state = cluster(
    pod('a/old', '10.244.1.1', { phase: 'Succeeded' }),
    pod('a/new', ['10.244.1.1', 'fd00::1'], { node: 'n1' }),
    pod('a/host', '172.18.0.1', { hostNetwork: true, node: 'n1' }),
    pod('a/lost', '172.18.0.9', { hostNetwork: true, node: 'n9' }),
    pod('a/bare', '172.18.0.8', { hostNetwork: true }),
    node('n1', ['172.18.0.1', 'fd00:18::1']),
  )
  const found = (ip: string) => endText(endAt(state, ip))
  t.equal(found('10.244.1.1'), 'pod a/new')
  t.equal(found('FD00:0::1'), 'pod a/new')
  t.equal(found('172.18.0.1'), 'node n1')
  t.equal(found('fd00:18:0::1'), 'node n1')
  t.equal(found('172.18.0.9'), 'node n9')
  t.equal(found('172.18.0.8'), 'the node at 172.18.0.8')
  t.equal(found('192.0.2.1'), '192.0.2.1')
})
