/** The law of the table: updates leave what one rebuild makes, and the revision moves when a route does. */
import fc from 'fast-check'
import t from 'tap'
import type { Changes, ClusterView, Projection } from '../../src/cluster/contract.ts'
import { type ClusterObject, keyOf } from '../../src/cluster/objects.ts'
import { RouteTable } from '../../src/routes/table.ts'
import { cluster, type EndpointSpec, service, slice } from '../helpers/cluster.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 0xffffffff)
const keys = ['a/web', 'b/web', 'b/db']
const addresses = ['10.96.0.1', '10.96.0.2', 'fd00:96::1', '192.0.2.1']
const ports = fc.subarray(['http:80@30080', 'dns:53/UDP', '80', 'x:81@30080'], { maxLength: 3 })

const endpoint: fc.Arbitrary<EndpointSpec> = fc.record({
  ip: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.10'),
  ready: fc.boolean(),
  serving: fc.boolean(),
  terminating: fc.boolean(),
  node: fc.constantFrom('n1', 'n2'),
  forZones: fc.subarray(['z1', 'z2']),
})

const object: fc.Arbitrary<ClusterObject> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...keys),
      fc.subarray(addresses, { minLength: 1, maxLength: 2 }),
      ports,
      fc.record({
        type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
        externalIPs: fc.subarray(addresses, { maxLength: 1 }),
        loadBalancerIPs: fc.subarray(addresses, { maxLength: 2 }),
        proxyModeIPs: fc.subarray(addresses, { maxLength: 1 }),
        affinitySeconds: fc.constantFrom(0, 60),
        externalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
        loadBalancerSourceRanges: fc.subarray(['192.0.2.7/24', 'fd00::/8', '0.0.0.0/0']),
        labels: fc.constantFrom({}, {}, {}, { 'service.kubernetes.io/service-proxy-name': 'x' }),
        publishNotReadyAddresses: fc.boolean(),
      }),
    )
    .map(([key, ip, ports, spec]) => service(key, { ip, ports, ...spec })),
  fc.constantFrom(...keys).map(key => service(key, { ip: 'None', ports: ['80'] })),
  fc.constantFrom(...keys).map(key => service(key, { externalName: 'www.test' })),
  fc
    .tuple(fc.constantFrom(...keys), fc.array(endpoint, { maxLength: 3 }), ports, fc.constantFrom('s1', 's2'))
    .map(([key, endpoints, ports, name]) => slice(key, endpoints, { ports, name })),
  fc.constantFrom(...keys).map(key => slice(key, ['fd00::1'], { ports: ['http:80'], name: 's3' })),
)

const step = fc.record({ object, gone: fc.nat(4).map(n => n === 0) })

/** Everything that a table says. */
function contents(table: RouteTable): unknown {
  const routes = [...table.all()]
  return {
    routes,
    found: routes.map(({ ip, protocol, port }) => table.find(ip, protocol, port)),
    destinations: [...table.destinations()],
    routeless: [...table.routeless()],
    services: keys.map(key => table.service(key)),
    nothing: table.find('10.96.0.9', 'TCP', 80),
  }
}

/** A table that is compared with one rebuild after each commit. */
class Checked implements Projection {
  readonly #table = new RouteTable()

  rebuild(view: ClusterView): void {
    this.#table.rebuild(view)
  }

  update(view: ClusterView, changes: Changes): void {
    const { revision } = this.#table
    const before = JSON.stringify(contents(this.#table))
    const destinations = new Map([...this.#table.destinations()].map(known => [JSON.stringify(known), known]))
    this.#table.update(view, changes)
    const fresh = new RouteTable()
    fresh.rebuild(view)
    const after = JSON.stringify(contents(this.#table))
    if (after !== JSON.stringify(contents(fresh))) throw new Error(`updated: ${after}`)
    if ((after !== before) !== (this.#table.revision !== revision)) throw new Error(`revision: ${before} ${after}`)
    for (const now of this.#table.destinations()) {
      if ((destinations.get(JSON.stringify(now)) ?? now) !== now) throw new Error('an equal destination is another one')
    }
    this.#table.rebuild(view)
    if (after !== JSON.stringify(contents(this.#table))) throw new Error('rebuilt in place')
  }
}

t.test('updates leave what a rebuild makes', async t => {
  t.comment(`seed ${seed}`)
  const law = fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), steps => {
    const state = cluster()
    state.follow(new Checked())
    for (const { object, gone } of steps) {
      if (gone) state.remove(object.kind, keyOf(object))
      else state.upsert(object)
    }
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 300 }))
})
