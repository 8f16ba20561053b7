/** Services and slices that chance makes, changes and removes: few of them, so that they claim the same addresses. */
import fc from 'fast-check'
import { type ClusterObject, keyOf } from '../../src/cluster/objects.ts'
import type { ClusterState } from '../../src/cluster/state.ts'
import { type EndpointSpec, service, slice } from './cluster.ts'

export const keys = ['a/web', 'b/web', 'b/db']
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

export interface Step {
  readonly object: ClusterObject
  readonly gone: boolean
}

export const step: fc.Arbitrary<Step> = fc.record({ object, gone: fc.nat(4).map(n => n === 0) })

export function take(state: ClusterState, { object, gone }: Step): void {
  if (gone) state.remove(object.kind, keyOf(object))
  else state.upsert(object)
}
