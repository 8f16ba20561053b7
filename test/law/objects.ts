/** A cluster so small that its objects meet, and random changes of it. */
import { type ClusterObject, keyOf } from '../../src/cluster/objects.ts'
import type { ClusterState } from '../../src/cluster/state.ts'
import { Transport } from '../../src/table/counters.ts'
import { cluster, type EndpointSpec, namespace, pod, service, slice } from '../helpers/cluster.ts'
import { peers } from '../table/answering.ts'
import type { Chance } from '../wire/random.ts'

const SERVICES = ['shop/web', 'shop/pin', 'data/db', 'data/out', 'kube-system/kube-dns', 'shop/big']
const CLUSTER_IPS = ['10.96.0.1', '10.96.0.2', 'fd00:96::1']
const PORTS = [['http:80/TCP'], ['http:80', 'Metrics:90/UDP'], ['80'], []]
const TARGETS = [
  'www.up.test',
  'web.shop.svc.cluster.local',
  'out.data.svc.cluster.local',
  '192.0.2.7',
  'nosuch.svc.two.test',
]

/** The addresses that all requests come from. */
const CLIENT = [peers[Transport.UDP4].address, peers[Transport.UDP6].address]

export function smallCluster(): ClusterState {
  return cluster(
    service('shop/web', { ip: ['10.96.0.1', 'fd00:96::1'], ports: ['http:80/TCP', 'Metrics:90/UDP'] }),
    service('shop/pin', { ip: 'None', ports: ['http:80/TCP'] }),
    slice(
      'shop/pin',
      [
        { ip: '10.0.0.1', hostname: 'one', zone: 'z1' },
        { ip: '10.0.0.2', target: 'pod-2', zone: 'z2' },
        { ip: '10.0.0.3', ready: false },
      ],
      { ports: ['http:80/TCP'] },
    ),
    service('shop/big', { ip: 'None', ports: ['http:80/TCP'] }),
    slice(
      'shop/big',
      Array.from({ length: 60 }, (_, i) => `10.0.1.${i + 1}`),
      { ports: ['http:80/TCP'] },
    ),
    service('data/db', { ip: 'None' }),
    service('data/out', { externalName: 'www.up.test', ports: ['http:80/TCP'] }),
    service('kube-system/kube-dns', { ip: '10.96.0.2', ports: ['dns:53/UDP', 'dns-tcp:53/TCP'] }),
    pod('shop/pod-2', '10.0.0.2'),
    pod('data/pod-9', ['10.0.0.9', 'fd00::9']),
    pod('shop/client', CLIENT),
  )
}

export function change(state: ClusterState, source: Chance): void {
  const { below } = source
  const object = randomObject(source)
  if (below(4) === 0) state.remove(object.kind, keyOf(object))
  else state.upsert(object)
}

function randomObject(source: Chance): ClusterObject {
  const { below, pick } = source
  const key = pick(SERVICES)
  const ports = pick(PORTS)
  switch (below(8)) {
    case 7:
      return pod(pick(['shop/client', 'shop/client', 'data/client']), pick([CLIENT, CLIENT.slice(1), '10.0.0.8']), {
        hostNetwork: below(6) === 0,
        terminating: below(6) === 0,
      })
    case 0:
      return namespace(pick(['shop', 'data', 'kube-system', 'new']))
    case 1:
      return pod(`${pick(['shop', 'data'])}/pod-${below(3)}`, pick(['10.0.0.1', '10.0.0.2', 'fd00::1']), {
        phase: pick(['Running', 'Running', 'Succeeded']),
      })
    case 2:
      return service(key, { externalName: pick(TARGETS), ports })
    case 3:
      return service(key, { ip: 'None', ports })
    case 4:
      return service(key, { ip: pick(CLUSTER_IPS), ports })
    default:
      return slice(key, below(8) ? randomEndpoints(source) : ['www.up.test'], { ports, name: pick(['s1', 's2']) })
  }
}

function randomEndpoints({ below, pick }: Chance): EndpointSpec[] {
  const six = below(4) === 0
  return Array.from({ length: pick([0, 1, 2, 3, 40]) }, (_, i) => ({
    ip: six ? `fd00::${i}` : `10.0.0.${below(3) + 3 * i}`,
    hostname: pick(['', '', `host-${i}`]),
    ready: below(5) > 0,
    zone: pick(['', 'z1', 'Z2']),
  }))
}
