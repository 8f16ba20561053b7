/**
 * The cluster that both servers are asked about: Services of every type, slices of every shape, pods in every phase. How names are
 * made of it is left to questions.ts.
 */
import type { ApiClient, ApiObject } from '../api-client.ts'
import { addressesIn, externalName, namespace, pod, service, slice } from '../objects.ts'

const web = ['http:80', 'https:443']
const headless = 'None'
const gone = { ready: false, serving: true, terminating: true }
const longPod = `long-${'p'.repeat(60)}`

/** Address of the endpoint whose slice names no service. */
export const unlabelledAddress = '10.9.0.99'

/** Chains of ExternalName services; each ends in shop/web. */
export const chainLengths = [3, 10, 11, 12]

const namespaces = [
  namespace('shop', { team: 'red' }),
  namespace('hl', { team: 'blue' }),
  namespace('big', { team: 'blue' }),
  namespace('odd'),
  namespace('ext'),
  namespace('empty', { team: 'red' }),
  namespace('svc'),
  namespace('pod'),
]

const clusterIPs = [
  service('shop/web', '10.96.0.80', web, { labels: { app: 'web' } }),
  slice('shop/web', ['10.1.0.1', '10.1.0.2', { at: '10.1.0.3', conditions: { ready: false } }], web, {
    labels: { app: 'web' },
  }),
  service('shop/plain', '10.96.0.81', ['9000']),
  slice('shop/plain', [{ at: '10.1.0.4', hostname: 'first', pod: 'plain-0' }], ['9000']),
  service('shop/five', '10.96.0.82', ['dns:53/UDP', 'dns-tcp:53', 'metrics:9153', 'sctp:9/SCTP', 'x-1:1'], {
    labels: { app: 'five' },
  }),
  slice('shop/five', ['10.1.0.5'], ['dns:53/UDP', 'dns-tcp:53', 'metrics:9153', 'sctp:9/SCTP', 'x-1:1'], {
    labels: { app: 'five' },
  }),
  service('shop/idle', '10.96.0.83', web),
  service('shop/down', '10.96.0.84', ['http:80']),
  slice('shop/down', [{ at: '10.1.0.6', conditions: { ready: false } }], ['http:80']),
  service('shop/dual', ['10.96.0.85', 'fd00:96::85'], web),
  slice('shop/dual', ['10.1.0.7'], web),
  slice('shop/dual', ['fd00:1::7'], web),
  service('shop/six', 'fd00:96::86', ['http:80']),
  slice('shop/six', ['fd00:1::8'], ['http:80']),
  service('shop/node', '10.96.0.87', ['http:80'], { spec: { type: 'NodePort' } }),
  service('shop/edge', '10.96.0.88', web, {
    spec: { type: 'LoadBalancer', externalIPs: ['198.51.100.9'] },
    status: { loadBalancer: { ingress: [{ ip: '198.51.100.8' }, { hostname: 'edge.up.test' }] } },
  }),
  service('svc/svc', '10.96.0.90', ['svc:80']),
  service('svc/pod', '10.96.0.91', ['http:80']),
  service('pod/svc', '10.96.0.92', ['http:80']),
]

const headlessServices = [
  service('hl/hn', headless, ['http:80'], { labels: { app: 'web' } }),
  slice('hl/hn', [{ at: '10.2.0.1', hostname: 'h-0' }, { at: '10.2.0.2', hostname: 'h-1' }, '10.2.0.3'], ['http:8080']),
  slice('hl/hn', [{ at: 'fd00:2::1', hostname: 'h-0' }, 'fd00:2::4'], ['http:8080']),
  service('hl/dash', headless, ['http:80', 'dns:53/UDP']),
  slice('hl/dash', ['10.2.1.1', '10.2.1.2'], ['http:8080', 'dns:5353/UDP']),
  service('hl/six', headless, ['http:80']),
  slice('hl/six', ['fd00:2:1::1', 'fd00:2:1::'], ['http:8080']),
  service('hl/pods', headless, ['http:80']),
  slice(
    'hl/pods',
    [
      { at: '10.2.2.1', pod: 'pods-0' },
      { at: '10.2.2.2', pod: 'dotted.pod' },
      { at: '10.2.2.3', pod: longPod },
      { at: '10.2.2.4', pod: 'pods-0', hostname: 'chosen' },
    ],
    ['http:8080'],
  ),
  service('hl/down', headless, ['http:80']),
  slice('hl/down', [{ at: '10.2.3.1', conditions: { ready: false } }], ['http:80']),
  service('hl/early', headless, ['http:80'], { spec: { publishNotReadyAddresses: true } }),
  slice(
    'hl/early',
    [
      { at: '10.2.3.2', conditions: { ready: true, serving: false } },
      { at: '10.2.3.3', conditions: { ready: false } },
    ],
    ['http:80'],
  ),
  service('hl/leaving', headless, ['http:80']),
  slice('hl/leaving', [{ at: '10.2.3.4', conditions: gone }, '10.2.3.5'], ['http:80']),
  service('hl/none', headless, ['http:80']),
  service('hl/hollow', headless, ['http:80']),
  slice('hl/hollow', [], ['http:80']),
  service('hl/dup', headless, ['a:1', 'b:2', 'c:3']),
  slice('hl/dup', ['10.2.4.1', '10.2.4.2'], ['a:1', 'b:2', 'c:3'], { name: 'one' }),
  slice('hl/dup', ['10.2.4.1', '10.2.4.3'], ['a:1', 'b:2', 'c:3'], { name: 'two' }),
  service('hl/ports', headless, ['http:80']),
  slice('hl/ports', ['10.2.5.1'], ['http:8080'], { name: 'one' }),
  slice('hl/ports', ['10.2.5.2'], ['http:9090', 'extra:7'], { name: 'two' }),
  service('hl/portless', headless, []),
  slice('hl/portless', ['10.2.6.1'], []),
  service('hl/mixed', headless, ['http:80']),
  slice('hl/mixed', [{ at: '10.2.7.1', hostname: 'both' }], ['http:80']),
  slice('hl/mixed', [{ at: 'fd00:2:7::1', hostname: 'both' }], ['http:80']),
  service('hl/same', headless, ['http:80']),
  slice(
    'hl/same',
    [
      { at: '10.2.8.1', hostname: 'twin' },
      { at: '10.2.8.2', hostname: 'twin' },
    ],
    ['http:80'],
  ),
  service('hl/fqdn', headless, ['http:80']),
  slice('hl/fqdn', ['www.up.test'], ['http:80'], { addressType: 'FQDN' }),
  service('hl/unnamed', headless, ['9000']),
  slice('hl/unnamed', ['10.2.9.1', { at: '10.2.9.2', hostname: 'n' }], ['9000']),
  service('hl/zoned', headless, ['http:80']),
  slice(
    'hl/zoned',
    [
      { at: '10.2.10.1', zone: 'zone-a', node: 'a' },
      { at: '10.2.10.2', zone: 'zone-a', hostname: 'za', node: 'a' },
      { at: '10.2.10.3', zone: 'eu.Zone-B', node: 'b' },
      '10.2.10.4',
    ],
    ['http:8080'],
  ),
]

const oddities = [
  slice('odd/orphan', [{ at: '10.9.0.1', hostname: 'lost' }, '10.9.0.2'], ['http:80']),
  slice('odd/nolabel', [{ at: unlabelledAddress, hostname: 'nolabel' }], ['http:80'], { unlabelled: true }),
  service('odd/share-a', headless, ['http:80']),
  slice('odd/share-a', ['10.9.1.1', '10.96.0.80'], ['http:80']),
  service('odd/share-b', headless, ['http:80']),
  slice('odd/share-b', [{ at: '10.9.1.1', hostname: 'b' }], ['http:80']),
  service('odd/share-c', '10.96.0.95', ['http:80']),
  slice('odd/share-c', ['10.9.1.1'], ['http:80']),
  service('odd/tcp', '10.96.0.96', ['tcp:80', 'udp:80/UDP']),
  slice('odd/tcp', [{ at: '10.9.1.2', hostname: 'tcp' }], ['tcp:80', 'udp:80/UDP']),
  service('odd/digits', '10.96.0.97', ['p80:80']),
]

const large = [
  service('big/big', headless, ['http:80']),
  slice('big/big', addressesIn('10.3', 600), ['http:8080'], { name: 'one' }),
  slice('big/big', addressesIn('10.4', 600), ['http:8080'], { name: 'two' }),
  service('big/thirty', headless, ['http:80', 'admin:81']),
  slice('big/thirty', addressesIn('10.5', 30), ['http:80', 'admin:81']),
  service(
    'big/ports',
    '10.96.0.99',
    Array.from({ length: 24 }, (_, n) => `port-${n}:${1000 + n}`),
  ),
]

const externalNames = [
  externalName('ext/www', 'www.up.test', ['http:80']),
  externalName('ext/dotted', 'alias.up.test.'),
  externalName('ext/nx', 'nx.up.test'),
  externalName('ext/nodata', 'txtonly.up.test'),
  externalName('ext/fails', 'servfail.up.test'),
  externalName('ext/refused', 'refused.up.test'),
  externalName('ext/back', 'back.up.test'),
  externalName('ext/inside', 'web.shop.svc.cluster.local'),
  externalName('ext/headless', 'hn.hl.svc.cluster.local'),
  externalName('ext/endpoint', 'h-0.hn.hl.svc.cluster.local'),
  externalName('ext/podname', '10-244-1-1.shop.pod.cluster.local'),
  externalName('ext/missing', 'nosuch.shop.svc.cluster.local'),
  externalName('ext/apex', 'cluster.local'),
  externalName('ext/six', 'six.shop.svc.cluster.local'),
  externalName('ext/self', 'self.ext.svc.cluster.local'),
  externalName('ext/loop-a', 'loop-b.ext.svc.cluster.local'),
  externalName('ext/loop-b', 'loop-a.ext.svc.cluster.local'),
  externalName('ext/literal', '192.0.2.5'),
  externalName('ext/reverse', '80.0.96.10.in-addr.arpa'),
  externalName('ext/single', 'web'),
  ...chainLengths.flatMap(length =>
    Array.from({ length }, (_, n) =>
      externalName(
        `ext/chain-${length}${n === 0 ? '' : `-${n}`}`,
        n === length - 1 ? 'web.shop.svc.cluster.local' : `chain-${length}-${n + 1}.ext.svc.cluster.local`,
      ),
    ),
  ),
]

const leaving = pod('shop/leaving', ['10.244.1.6'], { finalizers: ['portolan.test/keep'] })

const pods = [
  pod('shop/running', ['10.244.1.1'], { labels: { app: 'web' } }),
  pod('shop/pending', ['10.244.1.2'], { phase: 'Pending' }),
  pod('shop/waiting', [], { phase: 'Pending' }),
  pod('shop/succeeded', ['10.244.1.3'], { phase: 'Succeeded' }),
  pod('shop/failed', ['10.244.1.4'], { phase: 'Failed' }),
  leaving,
  pod('shop/twin', ['10.244.1.1']),
  pod('shop/dual-a', ['10.244.1.21', 'fd00:10::21']),
  pod('shop/dual-b', ['fd00:10::22', '10.244.1.22']),
  pod('shop/six', ['2001:db8:5::']),
  pod('shop/six-b', ['2001:db8:6::1']),
  pod('shop/host', ['192.168.1.11'], { hostNetwork: true }),
  pod('odd/running', ['10.244.2.1']),
]

export const objects: readonly ApiObject[] = [
  ...namespaces,
  ...clusterIPs,
  ...headlessServices,
  ...oddities,
  ...large,
  ...externalNames,
  ...pods,
]

/** Posts all objects, namespaces first. */
export async function fillCluster(client: ApiClient): Promise<void> {
  for (const object of namespaces) await client.create(object)
  await Promise.all(objects.filter(object => object.kind !== 'Namespace').map(object => client.create(object)))
  await client.remove(leaving)
}
