/** The scenarios hold what they say, as far as it can be told from policies and Ingresses alone. */
import t from 'tap'
import { ingressRoutes, parseIngressUrl } from '../../src/client/ingress/route.ts'
import { endAt, endOfPod, NetworkPolicies } from '../../src/client/policy/verdict.ts'
import type { ClusterState } from '../../src/cluster/state.ts'
import { clusterOf, type Scenario, scenarios } from './scenario.ts'

t.test('scenarios are numbered, and none is there twice', async t => {
  t.ok(scenarios.length >= 40)
  scenarios.forEach(({ id, reason }, index) => {
    t.equal(id.slice(0, 3), `${String(index + 1).padStart(2, '0')}-`)
    t.ok(new RegExp(reason))
  })
  t.equal(new Set(scenarios.map(({ id }) => id.slice(3))).size, scenarios.length)
})

for (const scenario of scenarios) {
  t.test(`scenario ${scenario.id}`, async t => {
    const state = await clusterOf(t, scenario)
    t.ok(state.get('Pod', scenario.from)?.podIPs[0], 'the pod that asks is there')
    const request = parseIngressUrl(scenario.name)
    if (request) {
      const { routes } = ingressRoutes(state, request, { secrets: true })
      const sound = routes.length > 0 && routes.every(({ findings }) => findings.every(({ fault }) => !fault))
      t.equal(sound, scenario.exit !== 1)
    } else t.equal(letThrough(state, scenario), scenario.exit !== 4)
  })
}

/** Whether the pod may reach all DNS pods, and all pods of `shop/web`. */
function letThrough(state: ClusterState, { from }: Scenario): boolean {
  const client = state.get('Pod', from)!
  const policies = new NetworkPolicies(state)
  const reaches = (ip: string, protocol: 'TCP' | 'UDP', port: number) =>
    policies.judge({ from: endOfPod(client, client.podIPs[0]!), to: endAt(state, ip), protocol, port }).allowed
  const dns = ['10.244.2.2', '10.244.3.2'].every(ip => reaches(ip, 'UDP', 53) && reaches(ip, 'TCP', 53))
  return dns && ['10.244.1.21', '10.244.2.21', '10.244.3.21'].every(ip => reaches(ip, 'TCP', 8080))
}
