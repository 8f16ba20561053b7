/** The options of the `kubernetes` plugin: how they are read, and what those that concern names do. */
import { resolve } from 'node:path'
import t from 'tap'
import type { PortolanError } from '../../src/errors.ts'
import { type KubernetesOptions, readKubernetes } from '../../src/plugins/kubernetes/options.ts'
import { textFromKey } from '../../src/wire/name.ts'
import { cluster, namespace, service, slice } from '../helpers/cluster.ts'
import { pluginBench } from '../helpers/plugin.ts'
import { check, serveCluster } from './asking.ts'

function read(directive: string, zone = 'cluster.local'): { options: KubernetesOptions; lines: string[] } {
  let options: KubernetesOptions | undefined
  const setup: Parameters<typeof pluginBench>[0]['setup'] = (directive, context) => {
    options = readKubernetes(directive, context)
    return { name: 'kubernetes' }
  }
  const { lines } = pluginBench({ name: 'kubernetes', setup }, directive, { zone, directory: '/etc/portolan' })
  return { options: options!, lines }
}

const withOption = (line: string) => read(`kubernetes {\n  ${line}\n}`)

t.test('without options', async t => {
  const { options } = read('kubernetes')
  t.match(options, {
    ttl: 5,
    pods: 'disabled',
    endpointPodNames: false,
    noEndpoints: false,
    ignoreEmptyService: false,
    zonal: false,
    labels: undefined,
    namespaceLabels: undefined,
    fallthrough: [],
    startupTimeoutMs: 5_000,
    manifests: undefined,
    endpoint: undefined,
    kubeconfig: undefined,
    tls: undefined,
  })
  t.strictSame(options.origins.map(textFromKey), ['cluster.local.'])
  t.equal(options.namespaces.size, 0)
})

t.test('zones: its own, or those of the server block', async t => {
  const zones = (directive: string) => read(directive, '.').options.origins.map(textFromKey)
  t.strictSame(zones('kubernetes'), ['.'])
  t.strictSame(zones('kubernetes Cluster.local 10.0.0.0/24'), ['cluster.local.', '0.0.10.in-addr.arpa.'])
})

t.test('each option', async t => {
  const rows: readonly (readonly [string, Partial<KubernetesOptions>])[] = [
    ['endpoint_pod_names', { endpointPodNames: true }],
    ['pods disabled', { pods: 'disabled' }],
    ['pods insecure', { pods: 'insecure' }],
    ['pods verified', { pods: 'verified' }],
    ['namespaces shop data', { namespaces: new Set(['shop', 'data']) }],
    ['endpoint https://192.0.2.1:6443', { endpoint: 'https://192.0.2.1:6443' }],
    ['tls c.crt /k.key ca.crt', { tls: { cert: resolve('c.crt'), key: '/k.key', ca: resolve('ca.crt') } }],
    ['kubeconfig /root/config', { kubeconfig: { file: '/root/config', context: undefined } }],
    ['kubeconfig /root/config admin', { kubeconfig: { file: '/root/config', context: 'admin' } }],
    ['ttl 0', { ttl: 0 }],
    ['ttl 3600', { ttl: 3600 }],
    ['noendpoints', { noEndpoints: true }],
    ['zonal', { zonal: true }],
    ['ignore empty_service', { ignoreEmptyService: true }],
    ['startup_timeout 1m', { startupTimeoutMs: 60_000 }],
    ['', { selfCheckMs: 60_000 }],
    ['self_check 5m', { selfCheckMs: 300_000 }],
    ['self_check 0', { selfCheckMs: 0 }],
    ['apiserver_qps 12.5', { qps: 12.5 }],
    ['apiserver_burst 20', { burst: 20 }],
    ['apiserver_max_inflight 4', { maxInflight: 4 }],
    ['manifests ../manifests', { manifests: '/etc/manifests' }],
    ['manifests m\n  service_range 10.96.0.0/16 fd00:96::/108', { serviceRange: ['10.96.0.0/16', 'fd00:96::/108'] }],
    ['manifests m\n  pod_range 10.244.0.0/16', { podRange: ['10.244.0.0/16'] }],
  ]
  for (const [line, expected] of rows) t.match(withOption(line).options, expected, line)
})

t.test('fallthrough: for all names, or for those of zones', async t => {
  const zones = (line: string) => withOption(line).options.fallthrough.map(textFromKey)
  t.strictSame(zones('fallthrough'), ['.'])
  t.strictSame(zones('fallthrough in-addr.arpa IP6.arpa'), ['in-addr.arpa.', 'ip6.arpa.'])
})

t.test('selectors', async t => {
  const { labels, namespaceLabels } = withOption('labels app in (a, b), !old\n  namespace_labels team=x').options
  t.equal(labels!.text, 'app in (a, b), !old')
  t.equal(labels!.selector({ app: 'b' }), true)
  t.equal(labels!.selector({ app: 'b', old: '' }), false)
  t.equal(namespaceLabels!.selector({ team: 'x' }), true)
})

t.test('options of old Corefiles are named and passed over', async t => {
  for (const line of [
    'upstream',
    'upstream /etc/resolv.conf',
    'resyncperiod 5m',
    'transfer to *',
    'federation x {\n y\n }',
  ]) {
    const [name] = line.split(' ')
    t.strictSame(withOption(line).lines, [`[WARNING] ${name} is obsolete and ignored: remove it from the Corefile`])
  }
})

t.test('of several endpoints the first is used', async t => {
  const { options, lines } = withOption('endpoint http://a:8080 http://b:8080')
  t.equal(options.endpoint, 'http://a:8080')
  t.strictSame(lines, ['[WARNING] endpoint: only the first URL is used, http://a:8080'])
})

t.test('mistakes, and what is said of them', async t => {
  const rows: readonly (readonly [string, string])[] = [
    ['endpoint_pod_names yes', '3:22: kubernetes: unexpected argument "yes" for endpoint_pod_names'],
    ['pods', '3:3: kubernetes: pods needs an argument'],
    ['pods all', '3:8: kubernetes: pods must be "disabled" or "insecure" or "verified", got "all"'],
    ['pods insecure x', '3:17: kubernetes: unexpected argument "x" for pods'],
    ['namespaces', '3:3: kubernetes: namespaces needs an argument'],
    ['endpoint', '3:3: kubernetes: endpoint needs its url'],
    ['tls a b', '3:3: kubernetes: tls needs an argument'],
    ['tls a b c d', '3:13: kubernetes: unexpected argument "d" for tls'],
    ['kubeconfig', '3:3: kubernetes: kubeconfig needs an argument'],
    ['kubeconfig a b c', '3:18: kubernetes: unexpected argument "c" for kubeconfig'],
    ['labels', '3:3: kubernetes: labels needs its selector'],
    ['labels =b', '3:10: kubernetes: labels: label selector "=b": expected a label at column 1, found "="'],
    [
      'namespace_labels a in b',
      '3:20: kubernetes: namespace_labels: label selector "a in b": expected "(" at column 6, found "b"',
    ],
    [
      'fallthrough a..b',
      '3:15: kubernetes: "a..b" is not a domain name: labels have 1 to 63 letters, a name at most 255',
    ],
    ['ttl', '3:3: kubernetes: ttl needs an argument'],
    ['ttl 3601', '3:7: kubernetes: ttl must be at most 3600, got "3601"'],
    ['ttl -1', '3:7: kubernetes: ttl must not be negative, got "-1"'],
    ['ttl 5s', '3:7: kubernetes: ttl must be a whole number, got "5s"'],
    ['noendpoints x', '3:15: kubernetes: unexpected argument "x" for noendpoints'],
    ['zonal x', '3:9: kubernetes: unexpected argument "x" for zonal'],
    ['zonal\n  noendpoints', '2:1: kubernetes: zonal needs endpoints: remove noendpoints'],
    ['ignore', '3:3: kubernetes: ignore needs an argument'],
    ['ignore empty', '3:10: kubernetes: ignore must be "empty_service", got "empty"'],
    ['self_check 999ms', '3:3: kubernetes: self_check must be 0 or at least 1s'],
    ['startup_timeout', '3:3: kubernetes: startup_timeout needs an argument'],
    ['startup_timeout 5', '3:19: kubernetes: startup_timeout must be a duration such as 500ms, 5s or 1h30m, got "5"'],
    ['startup_timeout -5s', '3:19: kubernetes: startup_timeout must not be negative, got "-5s"'],
    ['apiserver_qps -1', '3:17: kubernetes: apiserver_qps must be a number, got "-1"'],
    ['apiserver_burst 1.5', '3:19: kubernetes: apiserver_burst must be a whole number, got "1.5"'],
    ['apiserver_max_inflight -1', '3:26: kubernetes: apiserver_max_inflight must not be negative, got "-1"'],
    ['multicluster clusterset.local', '3:3: kubernetes: multicluster is not supported yet'],
    ['manifests', '3:3: kubernetes: manifests needs its path'],
    ['service_range 10.0.0.0/8', '2:1: kubernetes: service_range and pod_range go with manifests'],
    ['pod_range 10.0.0.0/8', '2:1: kubernetes: service_range and pod_range go with manifests'],
    ['pod_range', '3:3: kubernetes: pod_range needs its ranges'],
    [
      'manifests m\n  endpoint http://a',
      '2:1: kubernetes: manifests takes the place of an API server: remove kubeconfig and endpoint',
    ],
    ['namespaces a\n  namespace_labels a=b', '2:1: kubernetes: namespaces and namespace_labels cannot both be set'],
    ['pod verified', '3:3: kubernetes: unknown option "pod": did you mean "pods"?'],
  ]
  for (const [line, message] of rows) {
    const error = failure(() => withOption(line))
    t.match(error, { code: 'PORTOLAN_COREFILE_OPTION' }, line)
    t.equal(error.message, `Corefile:${message}`)
  }
  t.equal(
    failure(() => read('kubernetes in-addr.arpa')).message,
    'Corefile:2:1: kubernetes: at least one zone must not be a reverse zone',
  )
})

function failure(action: () => unknown): PortolanError {
  try {
    action()
  } catch (error) {
    return error as PortolanError
  }
  throw new Error('no mistake was found')
}

t.test('ttl', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1', ports: ['http:80'] }))
  await check(t, await serveCluster(t, state, { options: 'ttl 60' }), [
    ['web.shop.svc A', '60 A 10.96.0.1'],
    ['web.shop.svc SRV', '60 SRV 0 100 80 web.shop.svc + web.shop.svc 60 A 10.96.0.1'],
    ['1.0.96.10.in-addr.arpa. PTR', '60 PTR web.shop.svc'],
  ])
  await check(t, await serveCluster(t, state, { options: 'ttl 0' }), [['web.shop.svc A', '0 A 10.96.0.1']])
})

const endpointed = () =>
  cluster(
    service('shop/web', { ip: '10.96.0.1' }),
    slice('shop/web', ['10.0.0.1']),
    service('shop/hn', { ip: 'None' }),
    slice('shop/hn', ['10.0.0.2']),
    service('shop/idle', { ip: '10.96.0.2', ports: ['http:80'] }),
    slice('shop/idle', [{ ip: '10.0.0.3', ready: false }]),
  )

t.test('noendpoints', async t => {
  await check(t, await serveCluster(t, endpointed(), { options: 'noendpoints' }), [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['hn.shop.svc A', 'NXDOMAIN'],
    ['10-0-0-1.web.shop.svc A', 'NXDOMAIN'],
    ['1.0.0.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['1.0.96.10.in-addr.arpa. PTR', 'PTR web.shop.svc'],
  ])
})

t.test('ignore empty_service', async t => {
  const state = endpointed()
  const served = await serveCluster(t, state, { options: 'ignore empty_service' })
  await check(t, served, [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['idle.shop.svc A', 'NXDOMAIN'],
    ['idle.shop.svc TXT', 'NXDOMAIN'],
    ['_http._tcp.idle.shop.svc SRV', 'NXDOMAIN'],
    ['_._tcp.idle.shop.svc SRV', 'NXDOMAIN'],
    ['2.0.96.10.in-addr.arpa. PTR', 'PTR idle.shop.svc'],
    ['hn.shop.svc A', 'A 10.0.0.2'],
  ])
  state.upsert(slice('shop/idle', ['10.0.0.3']))
  await check(t, served, [
    ['idle.shop.svc A', 'A 10.96.0.2'],
    ['_._tcp.idle.shop.svc SRV', 'SRV 0 100 80 idle.shop.svc + idle.shop.svc A 10.96.0.2'],
  ])
})

const spaces = () =>
  cluster(
    namespace('shop', { team: 'a' }),
    service('shop/web', { ip: '10.96.0.1' }),
    namespace('data', { team: 'b' }),
    service('data/db', { ip: '10.96.0.2' }),
  )

t.test('namespaces hide the others, reverse names too', async t => {
  await check(t, await serveCluster(t, spaces(), { options: 'namespaces shop nosuch\npods insecure' }), [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['db.data.svc A', 'NXDOMAIN'],
    ['data.svc A', 'NXDOMAIN'],
    ['data.pod A', 'NXDOMAIN'],
    ['10-0-0-1.data.pod A', 'NXDOMAIN'],
    ['nosuch.svc A', 'NXDOMAIN'],
    ['1.0.96.10.in-addr.arpa. PTR', 'PTR web.shop.svc'],
    ['2.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
  ])
})

t.test('namespace_labels hide the others, reverse names not', async t => {
  const state = spaces()
  const served = await serveCluster(t, state, { options: 'namespace_labels team=a' })
  await check(t, served, [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['db.data.svc A', 'NXDOMAIN'],
    ['data.svc A', 'NXDOMAIN'],
    ['2.0.96.10.in-addr.arpa. PTR', 'PTR db.data.svc'],
  ])
  state.upsert(namespace('data', { team: 'a' }))
  state.upsert(namespace('shop', {}))
  await check(t, served, [
    ['db.data.svc A', 'A 10.96.0.2'],
    ['web.shop.svc A', 'NXDOMAIN'],
    ['shop.svc A', 'NXDOMAIN'],
  ])
})

t.test('labels choose services, and slices by their own', async t => {
  const labels = { app: 'x' }
  const state = cluster(
    service('shop/web', { ip: '10.96.0.1', labels }),
    service('shop/other', { ip: '10.96.0.2' }),
    service('shop/hn', { ip: 'None', labels }),
    slice('shop/hn', ['10.0.0.1'], { labels, name: 'a' }),
    slice('shop/hn', ['10.0.0.2'], { name: 'b' }),
    service('shop/manual', { ip: 'None', labels }),
    slice('shop/manual', ['10.0.0.3']),
  )
  await check(t, await serveCluster(t, state, { options: 'labels app=x' }), [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['other.shop.svc A', 'NXDOMAIN'],
    ['hn.shop.svc A', 'A 10.0.0.1'],
    ['manual.shop.svc A', 'NXDOMAIN'],
    ['2.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['3.0.0.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['shop.svc A', 'NODATA'],
  ])
})
