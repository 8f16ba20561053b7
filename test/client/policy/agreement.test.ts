/** Two evaluators of network policies that share no code must agree about random clusters. */
import fc from 'fast-check'
import t from 'tap'
import type { Protocol } from '../../../src/cluster/objects.ts'
import { type Host, naivelyAllowed, type PolicyJson, type World } from './naive.ts'
import { clusterOf, judge } from './world.ts'

const namespaces = {
  a: { 'kubernetes.io/metadata.name': 'a', team: 'x' },
  b: { 'kubernetes.io/metadata.name': 'b', team: 'y', tier: '' },
  c: { 'kubernetes.io/metadata.name': 'c' },
}

const ports = [53, 80, 81, 8080, 9000]
const named = [
  { name: 'http', containerPort: 80 },
  { name: 'dns', protocol: 'UDP', containerPort: 53 },
]
const renamed = [
  { name: 'http', containerPort: 8080 },
  { name: 'dns', containerPort: 53 },
]

const hosts: readonly Host[] = [
  { namespace: 'a', name: 'web', ip: '10.244.1.1', labels: { app: 'web', tier: 'front' }, node: 'n1', ports: named },
  { namespace: 'a', name: 'api', ip: '10.244.2.1', labels: { app: 'api' }, node: 'n2', ports: renamed },
  { namespace: 'b', name: 'web', ip: '10.244.1.2', labels: { app: 'web' }, node: 'n1', ports: renamed },
  { namespace: 'b', name: 'bare', ip: '10.244.2.2', node: 'n2' },
  { namespace: 'c', name: 'six', ip: 'fd00:244::1', labels: { app: 'api', tier: 'front' }, node: 'n1', ports: named },
  {
    namespace: 'a',
    name: 'host',
    ip: '172.18.0.1',
    labels: { app: 'web' },
    node: 'n1',
    hostNetwork: true,
    ports: named,
  },
  { ip: '172.18.0.2', node: 'n2' },
  { ip: '192.0.2.7' },
  { ip: '2001:db8::7' },
]

const label = fc.constantFrom(
  ['app', 'web'],
  ['app', 'api'],
  ['tier', 'front'],
  ['tier', ''],
  ['team', 'x'],
  ['team', 'y'],
)
const requirement = fc.oneof(
  fc.record({ key: fc.constantFrom('app', 'tier', 'team'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  fc.record({
    key: fc.constantFrom('app', 'tier', 'team', 'kubernetes.io/metadata.name'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom('web', 'api', 'front', '', 'x', 'y', 'a', 'b'), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
)
const selector = fc.oneof(
  fc.constant({}),
  label.map(([key, value]) => ({ matchLabels: { [key!]: value! } })),
  fc.array(requirement, { minLength: 1, maxLength: 2 }).map(matchExpressions => ({ matchExpressions })),
  fc
    .tuple(label, requirement)
    .map(([[key, value], also]) => ({ matchLabels: { [key!]: value! }, matchExpressions: [also] })),
)
const range = fc.constantFrom(
  '10.244.0.0/16',
  '10.244.1.0/24',
  '172.18.0.2/32',
  '192.0.2.0/25',
  '0.0.0.0/0',
  '::/0',
  'fd00:244::/64',
  '10.244.1.77/23',
)
const except = fc.constantFrom('10.244.1.0/24', '10.244.2.1/32', '192.0.2.7/32', 'fd00:244::1/128', '2001:db8::/32')
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({
    ipBlock: fc.record({ cidr: range, except: fc.array(except, { maxLength: 2 }) }, { requiredKeys: ['cidr'] }),
  }),
)
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP')
const port = fc.oneof(
  fc.record({ protocol, port: fc.constantFrom<number | string>(80, 53, 8080, 'http', 'dns') }, { requiredKeys: [] }),
  fc.record(
    { protocol, port: fc.constant(80), endPort: fc.constantFrom(80, 81, 8085) },
    { requiredKeys: ['port', 'endPort'] },
  ),
)
const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 2 })
const rule = (way: 'from' | 'to') => fc.record({ [way]: few(peer), ports: few(port) }, { requiredKeys: [] })
const spec: fc.Arbitrary<PolicyJson['spec']> = fc.record(
  {
    podSelector: fc.oneof(fc.constant({}), selector),
    policyTypes: fc.constantFrom<string[]>([], ['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: few(rule('from')),
    egress: few(rule('to')),
  },
  { requiredKeys: ['podSelector'] },
)
const policies = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), spec), { minLength: 2, maxLength: 6 })
const connection = fc.tuple(
  fc.constantFrom(...hosts),
  fc.constantFrom(...hosts),
  fc.constantFrom<Protocol>('TCP', 'TCP', 'UDP', 'SCTP'),
  fc.constantFrom(...ports),
)

t.test('two evaluators agree about random policies and connections', async t => {
  const counts = { allowed: 0, denied: 0, byRule: 0, nearMisses: 0 }
  const law = fc.property(policies, fc.array(connection, { minLength: 20, maxLength: 20 }), (drawn, connections) => {
    const world: World = {
      namespaces,
      hosts,
      ports,
      policies: drawn.map(([namespace, spec], index) => ({ namespace, name: `p${index}`, spec })),
    }
    const state = clusterOf(world)
    for (const [from, to, protocol, port] of connections) {
      const verdict = judge(state, from, to, protocol, port)
      if (verdict.allowed !== naivelyAllowed(world, from, to, protocol, port)) {
        throw new Error(`${JSON.stringify([from, to, protocol, port])}: ${verdict.why}`)
      }
      counts[verdict.allowed ? 'allowed' : 'denied']++
      for (const side of [verdict.egress, verdict.ingress]) {
        if (side.because === 'rule') counts.byRule++
        counts.nearMisses += side.nearMisses.length
      }
    }
  })
  t.doesNotThrow(() => fc.assert(law, { seed: 20, numRuns: 600 }))
  for (const [what, count] of Object.entries(counts)) t.ok(count > 1_000, `${what}: ${count}`)
})

t.test('the rule that is named lets the connection through by itself', async t => {
  let looked = 0
  const law = fc.property(policies, connection, (drawn, [from, to, protocol, port]) => {
    const all = drawn.map(([namespace, spec], index) => ({ namespace, name: `p${index}`, spec }))
    const world: World = { namespaces, hosts, ports, policies: all }
    const { ingress } = judge(clusterOf(world), from, to, protocol, port)
    if (ingress.rule === undefined) return
    looked++
    const [, index] = /^spec\.ingress\[(\d+)\]$/.exec(ingress.rule.path)!
    const only = all
      .filter(({ namespace, name }) => `${namespace}/${name}` === ingress.rule!.policy)
      .map(policy => ({ ...policy, spec: { podSelector: {}, ingress: [policy.spec.ingress![Number(index)]!] } }))
    if (!naivelyAllowed({ ...world, policies: only }, from, to, protocol, port)) throw new Error(ingress.why)
  })
  t.doesNotThrow(() => fc.assert(law, { seed: 21, numRuns: 3_000 }))
  t.ok(looked > 100, `${looked}`)
})
