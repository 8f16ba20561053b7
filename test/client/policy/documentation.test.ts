/** The examples of the Kubernetes documentation (Concepts, Network Policies), with the verdicts that its text gives them. */
import t from 'tap'
import { parse } from 'yaml'
import type { Protocol } from '../../../src/cluster/objects.ts'
import type { Host, PolicyJson } from './naive.ts'
import { clusterOf, judge } from './world.ts'

const pod = (namespace: string, name: string, ip: string, labels: Record<string, string> = {}): Host => ({
  namespace,
  name,
  ip,
  labels,
  node: `node-of-${name}`,
})

const db = pod('default', 'db', '10.244.0.1', { role: 'db' })
const frontend = pod('default', 'frontend', '10.244.0.2', { role: 'frontend' })
const other = pod('default', 'other', '10.244.0.3')
const project = pod('mine', 'anything', '10.244.0.4')
const impostor = pod('elsewhere', 'frontend', '10.244.0.5', { role: 'frontend' })
const client = pod('alice', 'client', '10.244.0.6', { role: 'client' })
const idle = pod('alice', 'idle', '10.244.0.7')
const ownClient = pod('default', 'client', '10.244.0.8', { role: 'client' })
const foreignClient = pod('elsewhere', 'client', '10.244.0.9', { role: 'client' })
const outside = (ip: string): Host => ({ ip })

const named = (name: string, labels = {}) => [name, { 'kubernetes.io/metadata.name': name, ...labels }]
const namespaces = Object.fromEntries([
  named('default'),
  named('mine', { project: 'myproject' }),
  named('elsewhere'),
  named('alice', { user: 'alice' }),
])
const pods = [db, frontend, other, project, impostor, client, idle, ownClient, foreignClient]

type Case = [from: Host, to: Host, protocol: Protocol, port: number, allowed: boolean]

function example(name: string, specs: string | readonly string[], cases: readonly Case[]): void {
  t.test(name, async t => {
    const policies: PolicyJson[] = [specs]
      .flat()
      .map((spec, index) => ({ namespace: 'default', name: `policy-${index}`, spec: parse(spec) }))
    const hosts = [...new Set([...pods, ...cases.map(([from]) => from), ...cases.map(([, to]) => to)])]
    const state = clusterOf({ namespaces, hosts, ports: [], policies })
    for (const [from, to, protocol, port, allowed] of cases) {
      const { allowed: verdict, why } = judge(state, from, to, protocol, port)
      t.equal(verdict, allowed, `${from.name ?? from.ip} to ${to.name ?? to.ip} ${protocol} ${port}: ${why}`)
    }
  })
}

example(
  'the NetworkPolicy resource',
  `
podSelector: { matchLabels: { role: db } }
policyTypes: [Ingress, Egress]
ingress:
- from:
  - ipBlock: { cidr: 172.17.0.0/16, except: [172.17.1.0/24] }
  - namespaceSelector: { matchLabels: { project: myproject } }
  - podSelector: { matchLabels: { role: frontend } }
  ports:
  - { protocol: TCP, port: 6379 }
egress:
- to:
  - ipBlock: { cidr: 10.0.0.0/24 }
  ports:
  - { protocol: TCP, port: 5978 }
`,
  [
    [frontend, db, 'TCP', 6379, true],
    [frontend, db, 'TCP', 6380, false],
    [frontend, db, 'UDP', 6379, false],
    [other, db, 'TCP', 6379, false],
    [project, db, 'TCP', 6379, true],
    [impostor, db, 'TCP', 6379, false],
    [outside('172.17.0.0'), db, 'TCP', 6379, true],
    [outside('172.17.0.255'), db, 'TCP', 6379, true],
    [outside('172.17.1.0'), db, 'TCP', 6379, false],
    [outside('172.17.1.255'), db, 'TCP', 6379, false],
    [outside('172.17.2.0'), db, 'TCP', 6379, true],
    [outside('172.17.255.255'), db, 'TCP', 6379, true],
    [outside('172.18.0.0'), db, 'TCP', 6379, false],
    [db, outside('10.0.0.255'), 'TCP', 5978, true],
    [db, outside('10.0.0.255'), 'TCP', 5979, false],
    [db, outside('10.0.1.0'), 'TCP', 5978, false],
    [db, frontend, 'TCP', 6379, false],
    [db, db, 'TCP', 1, true],
    [{ ip: '172.18.0.9', node: 'node-of-db' }, db, 'TCP', 1, true],
    [{ ip: '172.18.0.8', node: 'another' }, db, 'TCP', 6379, false],
    [frontend, other, 'TCP', 6379, true],
  ],
)

const alice = (podPrefix: string) => `
podSelector: { matchLabels: { role: db } }
ingress:
- from:
  - namespaceSelector: { matchLabels: { user: alice } }
  ${podPrefix} podSelector: { matchLabels: { role: client } }
`

example('one peer with both selectors', alice(' '), [
  [client, db, 'TCP', 80, true],
  [idle, db, 'TCP', 80, false],
  [ownClient, db, 'TCP', 80, false],
  [foreignClient, db, 'TCP', 80, false],
])

example('two peers with one selector each', alice('-'), [
  [client, db, 'TCP', 80, true],
  [idle, db, 'TCP', 80, true],
  [ownClient, db, 'TCP', 80, true],
  [foreignClient, db, 'TCP', 80, false],
])

const denyIngress = 'podSelector: {}\npolicyTypes: [Ingress]'
const denyEgress = 'podSelector: {}\npolicyTypes: [Egress]'

example('default deny all ingress traffic', denyIngress, [
  [frontend, db, 'TCP', 80, false],
  [outside('192.0.2.1'), db, 'TCP', 80, false],
  [db, outside('192.0.2.1'), 'TCP', 80, true],
  [db, client, 'TCP', 80, true],
])

example(
  'allow all ingress traffic',
  [denyIngress, 'podSelector: {}\ningress: [{}]\npolicyTypes: [Ingress]'],
  [
    [frontend, db, 'TCP', 80, true],
    [outside('192.0.2.1'), db, 'SCTP', 80, true],
  ],
)

example('default deny all egress traffic', denyEgress, [
  [db, outside('192.0.2.1'), 'TCP', 80, false],
  [db, client, 'UDP', 53, false],
  [client, db, 'TCP', 80, true],
])

example(
  'allow all egress traffic',
  [denyEgress, 'podSelector: {}\negress: [{}]\npolicyTypes: [Egress]'],
  [
    [db, outside('192.0.2.1'), 'TCP', 80, true],
    [db, client, 'UDP', 53, true],
  ],
)

example('default deny all ingress and all egress traffic', 'podSelector: {}\npolicyTypes: [Ingress, Egress]', [
  [db, outside('192.0.2.1'), 'TCP', 80, false],
  [client, db, 'TCP', 80, false],
  [client, foreignClient, 'TCP', 80, true],
])

example(
  'targeting a range of ports',
  `
podSelector: { matchLabels: { role: db } }
policyTypes: [Egress]
egress:
- to: [{ ipBlock: { cidr: 10.0.0.0/24 } }]
  ports: [{ protocol: TCP, port: 32000, endPort: 32768 }]
`,
  [
    [db, outside('10.0.0.1'), 'TCP', 31999, false],
    [db, outside('10.0.0.1'), 'TCP', 32000, true],
    [db, outside('10.0.0.1'), 'TCP', 32768, true],
    [db, outside('10.0.0.1'), 'TCP', 32769, false],
    [db, outside('10.0.0.1'), 'UDP', 32000, false],
  ],
)

example(
  'targeting multiple namespaces by label',
  `
podSelector: { matchLabels: { role: db } }
policyTypes: [Egress]
egress:
- to:
  - namespaceSelector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: [alice, mine] }] }
`,
  [
    [db, client, 'TCP', 80, true],
    [db, project, 'UDP', 80, true],
    [db, impostor, 'TCP', 80, false],
    [db, frontend, 'TCP', 80, false],
  ],
)
