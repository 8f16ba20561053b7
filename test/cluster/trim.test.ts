import t from 'tap'
import { type Kind, NO_HINTS, USUAL_TRAFFIC } from '../../src/cluster/objects.ts'
import { describe, trim } from '../../src/cluster/trim.ts'

const metadata = { name: 'web', namespace: 'shop' }

t.test('trim: a service has the defaults of the API server', async t => {
  t.same(trim('Service', { metadata, spec: { clusterIP: '10.96.0.1', ports: [{ port: 80 }] } }).object, {
    kind: 'Service',
    name: 'web',
    namespace: 'shop',
    labels: {},
    type: 'ClusterIP',
    clusterIPs: ['10.96.0.1'],
    headless: false,
    externalName: '',
    ports: [{ name: '', protocol: 'TCP', port: 80, targetPort: 80, nodePort: 0, appProtocol: '' }],
    selector: {},
    publishNotReadyAddresses: false,
    externalIPs: [],
    loadBalancerIPs: [],
    traffic: USUAL_TRAFFIC,
  })
})

t.test('trim: how connections are to be treated', async t => {
  const trafficOf = (spec: object, ingress: object[] = []) =>
    trim('Service', { metadata, spec, status: { loadBalancer: { ingress } } }).object?.traffic
  t.equal(trafficOf({}), USUAL_TRAFFIC, 'shared')
  const usual = { sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' }
  t.equal(trafficOf({ ...usual, healthCheckNodePort: 0 }, [{ ip: '192.0.2.1' }]), USUAL_TRAFFIC)
  t.same(
    trafficOf(
      {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        internalTrafficPolicy: 'Local',
        externalTrafficPolicy: 'Local',
        loadBalancerSourceRanges: [' 192.0.2.0/24', 'fd00::/8 '],
        healthCheckNodePort: 30_001,
        trafficDistribution: 'PreferClose',
      },
      [{ ip: '192.0.2.1' }, { ip: '192.0.2.2', ipMode: 'Proxy' }, { hostname: 'lb.test', ipMode: 'Proxy' }],
    ),
    {
      affinitySeconds: 60,
      internalTrafficPolicy: 'Local',
      externalTrafficPolicy: 'Local',
      loadBalancerSourceRanges: ['192.0.2.0/24', 'fd00::/8'],
      proxyModeIPs: ['192.0.2.2'],
      healthCheckNodePort: 30_001,
      trafficDistribution: 'PreferClose',
    },
  )
  t.match(trafficOf({ sessionAffinity: 'ClientIP' }), { affinitySeconds: 10_800 })
  const unknown = { sessionAffinity: 'Cookie', internalTrafficPolicy: 'Near', externalTrafficPolicy: 'Near' }
  t.equal(trafficOf(unknown), USUAL_TRAFFIC, 'of a later API')
})

t.test('trim: for whom endpoints are meant', async t => {
  const hints = { forZones: [{ name: 'a' }, { name: 'b' }], forNodes: [{ name: 'n' }] }
  const endpoints = [
    { addresses: ['10.0.0.1'], hints },
    { addresses: ['10.0.0.2'], hints: { forZones: [] } },
  ]
  t.match(trim('EndpointSlice', { metadata, endpoints }).object?.endpoints, [
    { hints: { forZones: ['a', 'b'], forNodes: ['n'] } },
    { hints: NO_HINTS },
  ])
})

t.test('trim: a node', async t => {
  const addresses = [
    { type: 'Hostname', address: 'n1' },
    { type: 'InternalIP', address: '172.18.0.1' },
    { type: 'InternalIP', address: 'fd00:18::1' },
    { type: 'ExternalIP', address: '203.0.113.1' },
  ]
  const labels = { 'topology.kubernetes.io/zone': 'z' }
  const spec = { podCIDR: '10.244.0.0/24', podCIDRs: ['10.244.0.0/24', 'fd00:244::/64'] }
  t.same(trim('Node', { metadata: { name: 'n1.test', labels }, spec, status: { addresses } }).object, {
    kind: 'Node',
    name: 'n1.test',
    namespace: '',
    labels,
    internalIPs: ['172.18.0.1', 'fd00:18::1'],
    zone: 'z',
    podCIDRs: ['10.244.0.0/24', 'fd00:244::/64'],
  })
  t.match(trim('Node', { metadata: { name: 'n' }, spec: { podCIDR: '10.0.0.0/24' } }).object, {
    internalIPs: [],
    zone: '',
    podCIDRs: ['10.0.0.0/24'],
  })
})

t.test('trim: a service with everything', async t => {
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53, targetPort: 'dns', nodePort: 30053, appProtocol: 'x' },
    { port: 1, targetPort: 0 },
    { port: 2, targetPort: '' },
  ]
  const spec = {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.1',
    clusterIPs: ['10.96.0.1', 'fd00::1'],
    selector: { app: 'web' },
    publishNotReadyAddresses: true,
    externalIPs: ['192.0.2.1'],
    externalName: 'ignored.example',
    ports,
  }
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { hostname: 'lb.example.com' }] } }
  t.match(trim('Service', { metadata: { ...metadata, labels: { a: 'b' } }, spec, status }).object, {
    type: 'LoadBalancer',
    labels: { a: 'b' },
    clusterIPs: ['10.96.0.1', 'fd00::1'],
    externalName: '',
    selector: { app: 'web' },
    publishNotReadyAddresses: true,
    externalIPs: ['192.0.2.1'],
    loadBalancerIPs: ['203.0.113.1'],
    ports: [
      { name: 'dns', protocol: 'UDP', targetPort: 'dns', nodePort: 30053, appProtocol: 'x' },
      { port: 1, targetPort: 1 },
      { port: 2, targetPort: 2 },
    ],
  })
})

t.test('trim: headless, without address, and ExternalName', async t => {
  const service = (spec: object) => trim('Service', { metadata, spec }).object
  t.match(service({ clusterIP: 'None' }), { headless: true, clusterIPs: [] })
  t.match(service({ clusterIPs: ['None'] }), { headless: true, clusterIPs: [] })
  t.match(service({ clusterIP: '' }), { headless: false, clusterIPs: [] })
  const external = { type: 'ExternalName', externalName: 'example.com.' }
  t.match(service({ ...external, clusterIP: 'None' }), {
    headless: false,
    clusterIPs: [],
    externalName: 'example.com.',
  })
})

t.test('trim: the conditions of an endpoint', async t => {
  const cases: [conditions: unknown, ready: boolean, serving: boolean, terminating: boolean][] = [
    [undefined, true, true, false],
    [null, true, true, false],
    [{ ready: null }, true, true, false],
    [{ ready: false }, false, true, false],
    [{ ready: false, serving: false }, false, false, false],
    [{ ready: false, serving: true, terminating: true }, false, true, true],
  ]
  for (const [conditions, ready, serving, terminating] of cases) {
    const json = { metadata, addressType: 'IPv4', endpoints: [{ addresses: ['10.244.0.1'], conditions }] }
    t.match(trim('EndpointSlice', json).object?.endpoints, [{ ready, serving, terminating }])
  }
})

t.test('trim: an endpoint slice', async t => {
  const json = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv6',
    ports: [{ name: 'http', port: 8080 }, { port: null }],
    endpoints: [
      { addresses: ['fd00::1'], hostname: 'a', nodeName: 'n', zone: 'z', targetRef: { kind: 'Pod', name: 'web-1' } },
      { addresses: ['fd00::2'], hostname: null, targetRef: null },
    ],
  }
  t.match(trim('EndpointSlice', json).object, {
    serviceName: 'web',
    addressType: 'IPv6',
    ports: [
      { name: 'http', protocol: 'TCP', port: 8080 },
      { name: '', protocol: 'TCP', port: undefined },
    ],
    endpoints: [
      { hostname: 'a', nodeName: 'n', zone: 'z', targetName: 'web-1' },
      { hostname: '', nodeName: '', zone: '', targetName: '' },
    ],
  })
  t.match(trim('EndpointSlice', { metadata, ports: null, endpoints: null }).object, {
    serviceName: '',
    ports: [],
    endpoints: [],
  })
  t.match(trim('EndpointSlice', { metadata, addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] }).object, {
    endpoints: [{ addresses: ['a.example'] }],
  })
})

t.test('trim: leading zeros in IPv4 addresses, which the API server takes', async t => {
  const status = { loadBalancer: { ingress: [{ ip: '192.0.02.1' }] } }
  const spec = { clusterIP: '010.096.0.10', externalIPs: ['010.20.000.1'] }
  t.match(trim('Service', { metadata, spec, status }).object, {
    clusterIPs: ['10.96.0.10'],
    externalIPs: ['10.20.0.1'],
    loadBalancerIPs: ['192.0.2.1'],
  })
  const endpoints = [{ addresses: ['10.1.0.1'] }, { addresses: ['010.1.0.02'] }]
  t.match(trim('EndpointSlice', { metadata, endpoints }).object, {
    endpoints: [{ addresses: ['10.1.0.1'] }, { addresses: ['10.1.0.2'] }],
  })
  t.match(trim('EndpointSlice', { metadata, addressType: 'FQDN', endpoints: [{ addresses: ['01.example'] }] }).object, {
    endpoints: [{ addresses: ['01.example'] }],
  })
  t.match(trim('Pod', { metadata, status: { podIP: '010.244.1.9' } }).object, { podIPs: ['10.244.1.9'] })
})

t.test('trim: a pod keeps its addresses, phase and node', async t => {
  const spec = { nodeName: 'n', hostNetwork: true }
  t.match(
    trim('Pod', {
      metadata,
      spec,
      status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
    }).object,
    {
      podIPs: ['10.0.0.1', 'fd00::1'],
      phase: 'Running',
      terminating: false,
      hostNetwork: true,
      nodeName: 'n',
    },
  )
  t.same(trim('Pod', { metadata, status: { podIP: '10.0.0.1' } }).object?.podIPs, ['10.0.0.1'])
  t.match(trim('Pod', { metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }).object, {
    terminating: true,
    podIPs: [],
    phase: 'Pending',
  })
})

t.test('trim: which pods search the domains of the cluster alone', async t => {
  const searches = (spec: unknown) => trim('Pod', { metadata, spec }).object?.clusterSearch
  t.equal(searches({}), true)
  t.equal(searches({ dnsPolicy: 'ClusterFirst', dnsConfig: { options: [{ name: 'ndots', value: '2' }] } }), true)
  t.equal(searches({ dnsPolicy: 'ClusterFirst', dnsConfig: { searches: ['corp.test'] } }), false)
  for (const dnsPolicy of ['Default', 'None', 'ClusterFirstWithHostNet']) t.equal(searches({ dnsPolicy }), false)
})

t.test('trim: what does not parse is a named problem', async t => {
  for (const range of ['192.0.2.1', '192.0.2.0/33', 'fd00::/129', '/8', '10.0.0.0/8/8', 'x/8', '10.0.0.0/']) {
    const { problem } = trim('Service', { metadata, spec: { loadBalancerSourceRanges: [range] } })
    t.match(problem?.message, /^spec.loadBalancerSourceRanges must be CIDR ranges/, range)
  }
  const label = 'a DNS label: at most 63 lower-case letters, digits and hyphens'
  const cases: [kind: Kind, json: unknown, problem: string][] = [
    ['Service', undefined, 'Service (no name): the object must be a mapping, got undefined'],
    ['Service', [], 'Service (no name): the object must be a mapping, got []'],
    ['Service', { metadata: 'x' }, 'Service (no name): metadata must be a mapping, got "x"'],
    [
      'Service',
      { metadata: { name: 7 } },
      'Service (no name): metadata.name must be a string, got 7 (put it in quotes)',
    ],
    ['Namespace', { metadata: { name: 'Shop' } }, `Namespace Shop: metadata.name must be ${label}, got "Shop"`],
    ['Service', { metadata: { name: 'web' } }, 'Service web: metadata.namespace is missing'],
    [
      'Service',
      { metadata, spec: { type: 'Headless' } },
      'Service shop/web: spec.type must be ClusterIP, NodePort, LoadBalancer, ExternalName, got "Headless"',
    ],
    ['Service', { metadata, spec: { type: 'ExternalName' } }, 'Service shop/web: spec.externalName is missing'],
    [
      'Service',
      { metadata, spec: { clusterIP: '10.96.0' } },
      'Service shop/web: spec.clusterIP must be IP addresses or None, got "10.96.0"',
    ],
    [
      'Service',
      { metadata, spec: { externalIPs: ['fe80::1%eth0'] } },
      'Service shop/web: spec.externalIPs must be IP addresses, got ["fe80::1%eth0"]',
    ],
    ['Service', { metadata, spec: { ports: {} } }, 'Service shop/web: spec.ports must be a list, got {}'],
    ['Service', { metadata, spec: { ports: [{}] } }, 'Service shop/web: spec.ports[0].port is missing'],
    [
      'Service',
      { metadata, spec: { publishNotReadyAddresses: 'yes' } },
      'Service shop/web: spec.publishNotReadyAddresses must be true or false, got "yes"',
    ],
    [
      'EndpointSlice',
      { metadata, endpoints: [{ addresses: ['fd00::1'] }] },
      'EndpointSlice shop/web: endpoints[0].addresses must be IPv4 addresses, got ["fd00::1"]',
    ],
    [
      'EndpointSlice',
      { metadata, endpoints: [{ addresses: [1] }] },
      'EndpointSlice shop/web: endpoints[0].addresses[0] must be a string, got 1 (put it in quotes)',
    ],
    [
      'Pod',
      { metadata, status: { podIPs: [{ ip: 'x'.repeat(99) }] } },
      `Pod shop/web: status.podIPs[0].ip must be an IP address, got "${'x'.repeat(59)}…`,
    ],
  ]
  for (const [kind, json, problem] of cases) {
    const trimmed = trim(kind, json)
    t.equal(trimmed.problem && describe(trimmed.problem), problem)
  }
})
