import t from 'tap'
import { describe, trim } from '../../src/cluster/trim.ts'

const metadata = { name: 'web', namespace: 'shop' }
const backend = { service: { name: 'web', port: { name: 'http' } } }

t.test('trim: an ingress', async t => {
  const annotations = { 'kubernetes.io/ingress.class': 'nginx' }
  const spec = {
    ingressClassName: 'public',
    defaultBackend: { resource: { apiGroup: 'store.test', kind: 'Bucket', name: 'static' } },
    tls: [{ hosts: ['shop.test'], secretName: 'cert' }, {}],
    rules: [
      { host: 'shop.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } },
      {
        http: {
          paths: [{ pathType: 'ImplementationSpecific', backend: { service: { name: 'a', port: { number: 80 } } } }],
        },
      },
      { host: '*.test' },
    ],
  }
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.test' }] } }
  t.same(trim('Ingress', { metadata: { ...metadata, annotations }, spec, status }).object, {
    kind: 'Ingress',
    ...metadata,
    labels: {},
    className: 'public',
    classAnnotation: 'nginx',
    defaultBackend: { resource: 'Bucket.store.test static' },
    tls: [
      { hosts: ['shop.test'], secretName: 'cert' },
      { hosts: [], secretName: '' },
    ],
    rules: [
      { host: 'shop.test', paths: [{ path: '/', pathType: 'Prefix', backend: { service: 'web', port: 'http' } }] },
      { host: '', paths: [{ path: '', pathType: 'ImplementationSpecific', backend: { service: 'a', port: 80 } }] },
      { host: '*.test', paths: [] },
    ],
    addresses: ['192.0.2.1', 'lb.test'],
  })
  t.match(trim('Ingress', { metadata }).object, {
    className: '',
    classAnnotation: '',
    defaultBackend: undefined,
    rules: [],
  })
})

t.test('trim: an ingress that the API does not take', async t => {
  const path = (path: object) => ({ rules: [{ http: { paths: [path] } }] })
  const at = 'spec.rules[0].http.paths[0]'
  const cases: [spec: object, message: string][] = [
    [path({ path: '/', backend }), `${at}.pathType is missing`],
    [path({ path: 'a', pathType: 'Prefix', backend }), `${at}.path must be a path that starts with /, got "a"`],
    [path({ pathType: 'Exact', backend }), `${at}.path is missing`],
    [path({ path: '/', pathType: 'Exact' }), `${at}.backend.service is missing`],
    [path({ path: '/', pathType: 'Exact', backend: { service: {} } }), `${at}.backend.service.name is missing`],
    [{ defaultBackend: { service: { name: 'a' } } }, 'spec.defaultBackend.service.port.number is missing'],
  ]
  for (const [spec, message] of cases) {
    const { problem } = trim('Ingress', { metadata, spec })
    t.equal(problem && describe(problem), `Ingress shop/web: ${message}`)
  }
})

t.test('trim: classes of ingresses', async t => {
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' }
  const spec = { controller: 'k8s.io/ingress-nginx' }
  t.same(trim('IngressClass', { metadata: { name: 'public', annotations }, spec }).object, {
    kind: 'IngressClass',
    name: 'public',
    namespace: '',
    labels: {},
    controller: 'k8s.io/ingress-nginx',
    isDefault: true,
  })
  t.match(trim('IngressClass', { metadata: { name: 'public' } }).object, { controller: '', isDefault: false })
})

t.test('trim: nothing of what is in a secret is kept', async t => {
  const secret = { metadata, type: 'kubernetes.io/tls', data: { 'tls.key': 'c2VjcmV0' }, stringData: { a: 'b' } }
  t.same(trim('Secret', secret).object, { kind: 'Secret', ...metadata, labels: {}, type: 'kubernetes.io/tls' })
  t.match(trim('Secret', { metadata }).object, { type: 'Opaque' })
  t.match(trim('Secret', { kind: 'PartialObjectMetadata', metadata }).object, { type: '' })
})
