import t from 'tap'
import { parse } from 'yaml'
import { Fields } from '../../src/cluster/fields.ts'
import { keyOf, NO_HINTS } from '../../src/cluster/objects.ts'
import { ClusterState } from '../../src/cluster/state.ts'
import { allocate, parsePools, suffixes } from '../../src/sources/manifests/allocate.ts'
import { compile, type Wanted } from '../../src/sources/manifests/compile.ts'
import { manifestsSource } from '../../src/sources/manifests/index.ts'
import type { Manifest } from '../../src/sources/manifests/read.ts'
import { cluster } from '../helpers/cluster.ts'

const groups: Record<string, string> = { EndpointSlice: 'discovery.k8s.io/v1' }
for (const kind of ['NetworkPolicy', 'Ingress']) groups[kind] = 'networking.k8s.io/v1'
for (const kind of ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet']) groups[kind] = 'apps/v1'

/** One manifest: its kind, its key (namespace `default` if that is left out), and the rest as YAML. */
function manifest(kind: string, key: string, yaml = ''): Manifest {
  const { metadata, ...rest } = parse(yaml) ?? {}
  const [name, namespace] = key.split('/').reverse()
  const fields = new Fields({ metadata: { name, namespace, ...metadata }, ...rest })
  return { apiVersion: groups[kind] ?? 'v1', kind, fields, at: { file: 'x.yaml', line: 1, column: 1 }, document: 1 }
}

const defaults = { service: ['10.96.0.0/12', 'fd00:10:96::/112'], pod: ['10.244.0.0/16', 'fd00:10:244::/64'] }

function compiled(
  manifests: Manifest[],
  ranges: { service?: string[]; pod?: string[] } = {},
  wanted: Wanted = { kinds: [], detail: false },
): ClusterState {
  const { service, pod } = { ...defaults, ...ranges }
  const pools = { service: parsePools(service), pod: parsePools(pod) }
  const { objects, problems } = compile(manifests, pools, wanted)
  t.same(problems, [])
  return cluster(...objects)
}

function problemsOf(...manifests: Manifest[]): string[] {
  const pools = { service: parsePools(['10.96.0.0/12']), pod: parsePools(defaults.pod) }
  return compile(manifests, pools, { kinds: [], detail: false }).problems.map(({ message }) => message)
}

const pods = (state: ClusterState) => [...state.list('Pod')].map(keyOf).sort()
const endpoints = (state: ClusterState, key: string) => state.slices(key).flatMap(({ endpoints }) => endpoints)
const ports = (state: ClusterState, key: string) =>
  state.slices(key).map(({ ports }) => ports.map(({ name, port, protocol }) => `${name}:${port}/${protocol}`).join())

const app = 'spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: web }] }'
const template =
  '{ metadata: { labels: { app: web } }, spec: { containers: [{ ports: [{ name: web, containerPort: 8080 }] }] } }'

t.test('manifests: a Deployment becomes ready pods that its service finds', async t => {
  const state = compiled([
    manifest('Service', 'shop/web', app),
    manifest('Deployment', 'shop/web', `spec: { replicas: 3, template: ${template} }`),
    manifest('Deployment', 'data/web', `spec: { template: ${template} }`),
  ])
  t.equal(pods(state).length, 4)
  for (const key of pods(state)) t.match(key, /^(shop|data)\/web-[a-z0-9]{5}-[a-z0-9]{5}$/)
  const found = endpoints(state, 'shop/web')
  t.equal(found.length, 3)
  for (const { ready, serving, terminating, targetName, hostname, addresses } of found) {
    t.same({ ready, serving, terminating, hostname }, { ready: true, serving: true, terminating: false, hostname: '' })
    const { podIPs, phase } = state.get('Pod', `shop/${targetName}`)!
    t.equal(phase, 'Running')
    t.match(podIPs, [/^10\.244\./, /^fd00:10:244::/])
    t.same(addresses, [podIPs[0]])
  }
  t.same(ports(state, 'shop/web'), ['http:8080/TCP'])
})

t.test('manifests: names and addresses stay when something is added', async t => {
  const web = manifest('Deployment', 'shop/web', `spec: { replicas: 3, template: ${template} }`)
  const service = manifest('Service', 'shop/web', app)
  const before = compiled([web, service])
  const after = compiled([
    manifest('Deployment', 'shop/api', 'spec: { replicas: 5 }'),
    manifest('Deployment', 'shop/web', `spec: { replicas: 5, template: ${template} }`),
    manifest('Service', 'shop/api', app),
    service,
  ])
  t.equal(pods(before).length, 3)
  for (const pod of before.list('Pod')) t.same(after.get('Pod', keyOf(pod)), pod)
  t.same(after.service('shop/web'), before.service('shop/web'))
})

t.test('manifests: StatefulSets, ReplicaSets, DaemonSets', async t => {
  const node = (name: string, ip: string) =>
    manifest(
      'Node',
      name,
      `{ metadata: { labels: { topology.kubernetes.io/zone: z-${name} } }, status: { addresses: [{ type: InternalIP, address: ${ip} }, { type: Hostname, address: ${name} }] } }`,
    )
  const state = compiled([
    manifest('Service', 'data/db', 'spec: { clusterIP: None, selector: { app: web } }'),
    manifest(
      'StatefulSet',
      'data/db',
      `spec: { serviceName: db, replicas: 2, ordinals: { start: 3 }, template: ${template} }`,
    ),
    manifest('ReplicaSet', 'data/rs', `spec: { replicas: 1, template: ${template} }`),
    manifest(
      'DaemonSet',
      'data/ds',
      'spec: { template: { metadata: { labels: { app: ds } }, spec: { hostNetwork: true } } }',
    ),
    manifest('Service', 'data/ds', 'spec: { clusterIP: None, selector: { app: ds }, ports: [{ port: 9100 }] }'),
    node('n1', '172.18.0.1'),
    node('n2', '172.18.0.2'),
  ])
  t.match(pods(state), [/^data\/db-3$/, /^data\/db-4$/, /^data\/ds-\w{5}$/, /^data\/ds-\w{5}$/, /^data\/rs-\w{5}$/])
  t.same(
    endpoints(state, 'data/db')
      .map(({ hostname }) => hostname)
      .sort(),
    ['', 'db-3', 'db-4'],
  )
  t.match(state.get('Pod', 'data/db-3')?.labels, { app: 'web', 'apps.kubernetes.io/pod-index': '3' })
  t.match(endpoints(state, 'data/ds'), [
    { addresses: ['172.18.0.1'], nodeName: 'n1', zone: 'z-n1' },
    { addresses: ['172.18.0.2'], nodeName: 'n2', zone: 'z-n2' },
  ])
  t.match(state.get('Node', 'n1'), { internalIPs: ['172.18.0.1'], zone: 'z-n1' })
  t.match(pods(compiled([manifest('DaemonSet', 'a', 'spec: { template: {} }')])), [/^default\/a-\w{5}$/])
  t.same(pods(compiled([manifest('Deployment', 'a', 'spec: { replicas: 0 }')])), [])
})

t.test('manifests: endpoints are meant for whom the controller would say', async t => {
  const pod = (name: string, node: string) =>
    manifest('Pod', name, `{ metadata: { labels: { app: web } }, spec: { nodeName: ${node} } }`)
  const hints = (distribution: string) =>
    endpoints(
      compiled([
        manifest('Node', 'n1', 'metadata: { labels: { topology.kubernetes.io/zone: z1 } }'),
        manifest('Node', 'n2', ''),
        manifest('Service', 'web', `spec: { selector: { app: web }, trafficDistribution: ${distribution} }`),
        pod('a', 'n1'),
        pod('b', 'n2'),
      ]),
      'default/web',
    ).map(({ hints }) => hints)
  t.same(hints('PreferClose'), [
    { forZones: ['z1'], forNodes: [] },
    { forZones: [], forNodes: [] },
  ])
  t.same(hints('PreferSameNode'), [
    { forZones: ['z1'], forNodes: ['n1'] },
    { forZones: [], forNodes: ['n2'] },
  ])
  t.same(hints('null'), [NO_HINTS, NO_HINTS])
})

t.test('manifests: an export of a running cluster is not expanded again', async t => {
  const owned = (kind: string, name: string) =>
    `metadata: { ownerReferences: [{ kind: ${kind}, name: ${name}, controller: true }] }`
  const deployment = manifest('Deployment', 'shop/web', 'spec: { replicas: 3 }')
  const replicaSet = manifest('ReplicaSet', 'shop/web-6b8f', `{ ${owned('Deployment', 'web')}, spec: { replicas: 3 } }`)
  const pod = manifest('Pod', 'shop/web-6b8f-x2k9q', owned('ReplicaSet', 'web-6b8f'))
  t.same(pods(compiled([deployment, replicaSet, pod])), ['shop/web-6b8f-x2k9q'])
  t.same(pods(compiled([deployment, pod])), ['shop/web-6b8f-x2k9q'])
  t.equal(pods(compiled([deployment, replicaSet])).length, 3)
  t.equal(pods(compiled([replicaSet])).length, 3, 'without its Deployment a ReplicaSet stands for itself')
  const member = manifest('Pod', 'data/db-0', owned('StatefulSet', 'db'))
  t.same(pods(compiled([manifest('StatefulSet', 'data/db', 'spec: { replicas: 3 }'), member])), ['data/db-0'])
})

t.test('manifests: the status of a pod is kept', async t => {
  const pod = (name: string, status = '{}', extra = '') =>
    manifest(
      'Pod',
      name,
      `{ metadata: { labels: { app: web } ${extra} }, spec: { hostname: ${name}, subdomain: web, containers: [{ ports: [{ name: web, containerPort: 1 }] }] }, status: ${status} }`,
    )
  const notReady = 'conditions: [{ type: Ready, status: "False" }]'
  const all = [
    pod('plain'),
    pod('given', '{ podIP: 10.1.2.3 }'),
    pod('pending', '{ phase: Pending }'),
    pod('unready', `{ phase: Running, ${notReady} }`),
    pod('done', '{ phase: Succeeded, podIP: 10.1.2.4 }'),
    pod('failed', '{ phase: Failed, podIP: 10.1.2.5 }'),
    pod('leaving', '{ podIP: 10.1.2.6 }', ', deletionTimestamp: "2026-01-01T00:00:00Z"'),
  ]
  const state = compiled([manifest('Service', 'web', app), ...all])
  t.match(
    endpoints(state, 'default/web').map(({ hostname, ready, serving, terminating }) => [
      hostname,
      ready,
      serving,
      terminating,
    ]),
    [
      ['plain', true, true, false],
      ['given', true, true, false],
      ['unready', false, false, false],
      ['leaving', false, true, true],
    ],
  )
  t.same(state.get('Pod', 'default/given')?.podIPs, ['10.1.2.3'])
  t.same(state.get('Pod', 'default/pending')?.podIPs, [])
  const publishing = manifest(
    'Service',
    'web',
    'spec: { clusterIP: None, publishNotReadyAddresses: true, selector: { app: web } }',
  )
  t.same(
    endpoints(compiled([publishing, ...all]), 'default/web').map(({ ready, serving }) => [ready, serving]),
    [
      [true, true],
      [true, true],
      [true, false],
      [true, true],
    ],
  )
})

t.test('manifests: named target ports are looked up in each pod', async t => {
  const pod = (name: string, spec: string) =>
    manifest('Pod', name, `{ metadata: { labels: { app: web } }, spec: ${spec} }`)
  const state = compiled([
    manifest(
      'Service',
      'web',
      'spec: { selector: { app: web }, ports: [{ name: a, port: 80, targetPort: web }, { name: b, port: 81, targetPort: 9 }, { name: c, port: 82 }] }',
    ),
    pod('one', '{ containers: [{ ports: [{ name: web, containerPort: 8080 }] }] }'),
    pod('two', '{ containers: [{ ports: [{ name: web, containerPort: 8081 }] }] }'),
    pod('udp', '{ containers: [{ ports: [{ name: web, containerPort: 5, protocol: UDP }] }] }'),
    pod(
      'sidecar',
      '{ initContainers: [{ ports: [{ name: web, containerPort: 1 }] }, { restartPolicy: Always, ports: [{ name: web, containerPort: 8080 }] }] }',
    ),
  ])
  t.same(ports(state, 'default/web').sort(), [
    'a:8080/TCP,b:9/TCP,c:82/TCP',
    'a:8081/TCP,b:9/TCP,c:82/TCP',
    'b:9/TCP,c:82/TCP',
  ])
  t.equal(endpoints(state, 'default/web').length, 4)
})

t.test('manifests: services get addresses of the families they ask for', async t => {
  const addresses = (spec: string, ranges = {}) => {
    const state = compiled([manifest('Service', 'a', `spec: ${spec}`)], ranges)
    return state
      .service('default/a')
      ?.clusterIPs.map(ip => (ip.startsWith('10.96.1.') ? ip : ip.includes(':') ? 'v6' : 'v4'))
      .join()
  }
  t.equal(addresses('{}'), 'v4')
  t.equal(addresses('{ clusterIP: "" }'), 'v4')
  t.equal(addresses('{ ipFamilies: [IPv6] }'), 'v6')
  t.equal(addresses('{ ipFamilyPolicy: PreferDualStack }'), 'v4,v6')
  t.equal(addresses('{ ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6, IPv4] }'), 'v6,v4')
  t.equal(addresses('{ ipFamilyPolicy: RequireDualStack, clusterIP: 10.96.1.1 }'), '10.96.1.1,v6')
  t.equal(addresses('{ clusterIPs: [10.96.1.1] }'), '10.96.1.1')
  t.equal(addresses('{ clusterIP: None, ipFamilyPolicy: RequireDualStack }'), '')
  t.equal(addresses('{ type: ExternalName, externalName: a.example }'), '')
  t.equal(addresses('{ ipFamilyPolicy: PreferDualStack }', { service: ['10.96.0.0/12'] }), 'v4')
  t.equal(addresses('{}', { service: ['fd00:10:96::/112', '10.96.0.0/12'] }), 'v6')
  const place = 'x.yaml:1:1: document 1: Service default/a: spec.'
  t.same(problemsOf(manifest('Service', 'a', 'spec: { ipFamilies: [IPv6] }')), [
    `${place}ipFamilies must be of a service range: IPv4, got ["IPv6"]`,
  ])
  t.same(problemsOf(manifest('Service', 'a', 'spec: { ipFamilyPolicy: RequireDualStack }')), [
    `${place}ipFamilyPolicy must be SingleStack: there is one service range, got "RequireDualStack"`,
  ])
})

t.test('manifests: a dual-stack service has slices of both families', async t => {
  const state = compiled([
    manifest('Service', 'web', 'spec: { clusterIP: None, ipFamilyPolicy: RequireDualStack, selector: { app: web } }'),
    manifest('Deployment', 'web', `spec: { replicas: 2, template: ${template} }`),
  ])
  t.same(
    state
      .slices('default/web')
      .map(({ addressType, endpoints }) => `${addressType} ${endpoints.length}`)
      .sort(),
    ['IPv4 2', 'IPv6 2'],
  )
})

t.test('manifests: slices come before Endpoints, and these before pods', async t => {
  const service = manifest(
    'Service',
    'web',
    'metadata: { labels: { a: b } }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }',
  )
  const pod = manifest('Pod', 'p', 'metadata: { labels: { app: web } }\nstatus: { podIP: 10.0.0.3 }')
  const old = manifest(
    'Endpoints',
    'web',
    'subsets: [{ addresses: [{ ip: 10.0.0.2, hostname: h, nodeName: n, targetRef: { name: p } }, { ip: "fd00::2" }], notReadyAddresses: [{ ip: 10.0.0.9 }], ports: [{ name: http, port: 8080 }] }]',
  )
  const slice = manifest(
    'EndpointSlice',
    'web-1',
    'metadata: { labels: { kubernetes.io/service-name: web } }\nendpoints: [{ addresses: [10.0.0.1] }]',
  )
  const found = (...manifests: Manifest[]) =>
    endpoints(compiled(manifests), 'default/web')
      .map(({ addresses, ready }) => `${addresses} ${ready}`)
      .sort()
  t.same(found(service, pod, old, slice), ['10.0.0.1 true'])
  t.same(found(service, pod, old), ['10.0.0.2 true', '10.0.0.9 false', 'fd00::2 true'])
  t.same(found(service, pod), ['10.0.0.3 true'])
  t.same(found(old), [], 'Endpoints without a service lead nowhere')
  t.match(
    compiled([service, pod]).slices('default/web')[0]?.labels,
    { a: 'b' },
    'slices have the labels of their service',
  )
  const mirrored = endpoints(compiled([service, old]), 'default/web')
  t.match(
    mirrored.find(({ addresses }) => addresses[0] === '10.0.0.2'),
    { hostname: 'h', nodeName: 'n', targetName: 'p' },
  )
  t.same(ports(compiled([service, old]), 'default/web'), ['http:8080/TCP', 'http:8080/TCP'])
  t.same(problemsOf(manifest('Endpoints', 'web', 'subsets: [{ addresses: [{}] }]')), [
    'x.yaml:1:1: document 1: Endpoints default/web: subsets[0].addresses[0].ip is missing',
  ])
  t.same(endpoints(compiled([manifest('Service', 'web', 'spec: {}'), pod]), 'default/web'), [], 'no selector, no pods')
})

t.test('manifests: namespaces exist because something is in them, and have their name as a label', async t => {
  const state = compiled([
    manifest('Service', 'shop/web'),
    manifest('Namespace', 'empty', 'metadata: { labels: { team: a } }'),
  ])
  t.same([...state.list('Namespace')].map(({ name, labels }) => [name, labels]).sort(), [
    ['default', { 'kubernetes.io/metadata.name': 'default' }],
    ['empty', { team: 'a', 'kubernetes.io/metadata.name': 'empty' }],
    ['kube-system', { 'kubernetes.io/metadata.name': 'kube-system' }],
    ['shop', { 'kubernetes.io/metadata.name': 'shop' }],
  ])
})

t.test('manifests: of two objects with one name the later counts', async t => {
  const state = compiled([
    manifest('Service', 'a', 'spec: { clusterIP: 10.96.0.1 }'),
    manifest('Service', 'a', 'spec: { clusterIP: 10.96.0.2 }'),
  ])
  t.same(state.service('default/a')?.clusterIPs, ['10.96.0.2'])
})

t.test('allocate: each name has an address of its own, none is taken, and the pool may run out', async t => {
  const [pool] = parsePools(['10.0.0.0/26'])
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`)
  const taken = new Set(['10.0.0.20', '10.0.0.30'])
  const given = allocate(pool!, names, taken)
  t.equal(new Set(given.values()).size, 40)
  for (const ip of given.values()) {
    const last = Number(ip.replace('10.0.0.', ''))
    t.ok(last >= 16 && last < 63 && !taken.has(ip), `${ip} is neither kept back, taken nor the broadcast address`)
  }
  const many = Array.from({ length: 48 }, (_, index) => `n${index}`)
  t.throws(() => allocate(pool!, many, new Set()), {
    code: 'PORTOLAN_MANIFESTS_RANGE',
    message: /^the range 10\.0\.0\.0\/26 has only 47 /,
  })
  t.throws(() => compiled([manifest('Deployment', 'a', 'spec: { replicas: 48 }')], { pod: ['10.0.0.0/26'] }), {
    code: 'PORTOLAN_MANIFESTS_RANGE',
  })
  t.equal(new Set(suffixes(names).values()).size, 40)
})

t.test('manifests: the sample cluster', async t => {
  const source = manifestsSource({ path: new URL('../../config/manifests', import.meta.url).pathname, watch: 'never' })
  const state = new ClusterState({ kinds: source.kinds })
  await source.follow(state, new AbortController().signal)
  t.same(Object.fromEntries([...state.list('Service')].map(service => [keyOf(service), service.type]).sort()), {
    'data/db': 'ClusterIP',
    'data/queue': 'ClusterIP',
    'data/reports': 'ClusterIP',
    'data/reports-pods': 'ClusterIP',
    'default/kubernetes': 'ClusterIP',
    'kube-system/kube-dns': 'ClusterIP',
    'kube-system/node-exporter': 'ClusterIP',
    'shop/admin': 'NodePort',
    'shop/cart': 'ClusterIP',
    'shop/database': 'ExternalName',
    'shop/legacy': 'ClusterIP',
    'shop/payments': 'ExternalName',
    'shop/search': 'ClusterIP',
    'shop/storefront': 'LoadBalancer',
    'shop/web': 'ClusterIP',
  })
  t.equal(endpoints(state, 'shop/web').length, 3)
  t.same(
    endpoints(state, 'data/db').map(({ hostname }) => hostname),
    ['db-0', 'db-1', 'db-2'],
  )
  t.same(
    endpoints(state, 'data/queue').map(({ ready }) => ready),
    [true, true],
  )
  t.same(
    endpoints(state, 'data/reports').map(({ ready }) => ready),
    [false],
  )
  t.equal(state.service('shop/search')?.clusterIPs.length, 2)
  t.same(state.service('shop/storefront')?.loadBalancerIPs, ['203.0.113.20'])
  t.same(state.service('kube-system/kube-dns')?.clusterIPs, ['10.96.0.10'])
})

t.test('manifests: other kinds and details only where they are asked for', async t => {
  const manifests = [
    manifest('Secret', 'shop/cert', 'type: kubernetes.io/tls'),
    manifest('NetworkPolicy', 'shop/deny', 'spec: { podSelector: {} }'),
    manifest('Ingress', 'shop/web', 'spec: { defaultBackend: {} }'),
    manifest('Deployment', 'shop/web', `spec: { template: ${template} }`),
  ]
  const usual = compiled(manifests)
  t.same([...usual.list('NetworkPolicy')], [])
  t.notOk([...usual.list('Pod')].some(pod => Object.hasOwn(pod, 'detail')))
  const kinds = ['NetworkPolicy', 'Secret'] as const
  const more = compiled(manifests, {}, { kinds, detail: true })
  t.ok(more.get('NetworkPolicy', 'shop/deny'))
  t.match(more.get('Secret', 'shop/cert'), { type: 'kubernetes.io/tls' })
  const [pod] = more.list('Pod')
  t.match(pod?.detail, { containers: [{ ports: [{ name: 'web', port: 8080 }] }] })
  const pools = { service: parsePools(['10.96.0.0/12']), pod: parsePools(defaults.pod) }
  const { problems } = compile(manifests, pools, { kinds: ['Ingress'], detail: false })
  t.match(problems, [{ message: /Ingress shop\/web: spec.defaultBackend.service is missing/ }])
})
