import t from 'tap'
import { parse } from 'yaml'
import { ingressRoutes, parseIngressUrl } from '../../../src/client/ingress/route.ts'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import { cluster, type Json, object, service } from '../../helpers/cluster.ts'

const ingress = (key: string, spec: string, more: Json = {}) => object('Ingress', key, { spec: parse(spec), ...more })
const nginx = object('IngressClass', 'nginx', { spec: { controller: 'k8s.io/ingress-nginx' } })
const web = service('shop/web', { ip: '10.96.0.1', ports: ['http:80->8080', 'metrics:9090'] })
const api = service('shop/api', { ip: '10.96.0.2', ports: ['8080'] })
const cert = object('Secret', 'shop/cert', { type: 'kubernetes.io/tls' })

const to = (name: string, port: number | string) =>
  `backend: { service: { name: ${name}, port: { ${typeof port === 'number' ? 'number' : 'name'}: ${port} } } }`
const rule = (host: string, ...paths: string[]) => `{ ${host && `host: '${host}', `}http: { paths: [${paths}] } }`
const at = (path: string, backend: string, type = 'Prefix') => `{ path: ${path}, pathType: ${type}, ${backend} }`
const nginxed = (...rules: string[]) => `{ ingressClassName: nginx, rules: [${rules}] }`

function answer(url: string, objects: readonly ClusterObject[], secrets = true) {
  return ingressRoutes(cluster(nginx, web, api, ...objects), parseIngressUrl(url)!, { secrets })
}

const faults = (url: string, ...objects: ClusterObject[]) =>
  answer(url, objects).routes.flatMap(({ findings }) => findings.filter(({ fault }) => fault).map(({ text }) => text))
const notes = (url: string, ...objects: ClusterObject[]) =>
  answer(url, objects).routes.flatMap(({ findings }) => findings.filter(({ fault }) => !fault).map(({ text }) => text))

t.test('ingress: URLs', async t => {
  t.same(parseIngressUrl('https://Shop.Example.:8443/API/x?q#f'), {
    scheme: 'https',
    host: 'shop.example',
    path: '/API/x',
  })
  t.same(parseIngressUrl('http://shop.example'), { scheme: 'http', host: 'shop.example', path: '/' })
  for (const text of ['shop.example', 'ftp://shop.example/', 'web:80', ''])
    t.equal(parseIngressUrl(text), undefined, text)
})

t.test('ingress: from a URL to the port of a service', async t => {
  const tls = 'tls: [{ hosts: [shop.example], secretName: cert }]'
  const rules = `rules: [${rule('shop.example', at('/', to('web', 'http')), at('/api', to('api', 8080)))}]`
  const shop = ingress('shop/shop', `{ ingressClassName: nginx, ${tls}, ${rules} }`)
  const { routes, why } = answer('https://shop.example/api/v1', [shop, cert])
  t.equal(routes.length, 1)
  t.match(routes[0], {
    ingress: 'shop/shop',
    class: { name: 'nginx', controller: 'k8s.io/ingress-nginx' },
    decides: 'spec.rules[0].http.paths[1]',
    backend: { service: 'api', port: 8080 },
    service: { name: 'api' },
    servicePort: { port: 8080 },
    certificate: { secret: 'shop/cert', present: true },
  })
  t.equal(routes[0]!.findings.length, 0)
  t.equal(
    why,
    'shop/shop leads shop.example/api/v1 to service shop/api port 8080: spec.rules[0].http.paths[1] (Prefix /api)',
  )
  t.match(answer('http://shop.example/', [shop]).routes, [
    { servicePort: { name: 'http', port: 80 }, certificate: undefined },
  ])
})

t.test('ingress: the closest host hides the others', async t => {
  const rules = nginxed(
    rule('', at('/', to('a', 1))),
    rule('*.example', at('/', to('b', 1))),
    rule('shop.example', at('/shop', to('c', 1))),
  )
  const leads = (url: string) => answer(url, [ingress('shop/shop', rules)]).routes.map(({ backend }) => backend)
  t.match(leads('http://shop.example/shop'), [{ service: 'c' }])
  t.match(leads('http://blog.example/'), [{ service: 'b' }])
  t.match(leads('http://a.b.example/'), [{ service: 'a' }])
  t.same(leads('http://shop.example/'), [], 'no path of the closest host fits')
})

t.test('ingress: rules of several objects are one, and the older counts first', async t => {
  const born = (creationTimestamp: string) => ({ metadata: { creationTimestamp } })
  const whole = ingress('shop/b', nginxed(rule('x.example', at('/', to('web', 80)))), born('2026-01-01T00:00:00Z'))
  const twin = ingress('shop/a', nginxed(rule('x.example', at('/', to('api', 80)))), born('2026-01-02T00:00:00Z'))
  const part = ingress('shop/c', nginxed(rule('x.example', at('/api', to('api', 8080)))))
  const leads = (path: string) =>
    answer(`http://x.example${path}`, [twin, whole, part]).routes.map(({ ingress }) => ingress)
  t.same(leads('/'), ['shop/b'])
  t.same(leads('/api'), ['shop/c'])
})

t.test('ingress: default backends', async t => {
  const own = ingress(
    'shop/own',
    `{ ingressClassName: nginx, defaultBackend: { service: { name: web, port: { number: 80 } } }, rules: [${rule('x.example', at('/a', to('api', 8080)))}] }`,
  )
  const { routes } = answer('http://x.example/b', [own])
  t.match(routes, [{ decides: 'spec.defaultBackend', backend: { service: 'web' } }])
  t.match(notes('http://x.example/b', own), [
    'no rule has host x.example and a path that fits /b, so the default backend gets it',
  ])
  t.same(answer('http://other.example/', [own]).routes, [], 'it is for the hosts of its own rules')
  const catchAll = ingress(
    'shop/all',
    '{ ingressClassName: nginx, defaultBackend: { service: { name: web, port: { number: 80 } } } }',
  )
  t.match(answer('http://other.example/', [own, catchAll]).routes, [{ ingress: 'shop/all' }])
  const named = ingress('shop/x', nginxed("{ host: 'x.example' }"))
  t.match(answer('http://x.example/', [named, catchAll]).routes, [
    { ingress: 'shop/all', decides: 'spec.defaultBackend' },
  ])
})

t.test('ingress: each class for itself', async t => {
  const other = object('IngressClass', 'traefik', { spec: { controller: 'traefik.io/ingress-controller' } })
  const inner = ingress(
    'shop/inner',
    `{ ingressClassName: traefik, rules: [${rule('x.example', at('/', to('api', 8080)))}] }`,
  )
  const outer = ingress('shop/outer', nginxed(rule('x.example', at('/', to('web', 80)))))
  const routes = answer('http://x.example/', [inner, outer, other]).routes
  t.match(routes, [
    { class: { name: 'traefik' }, ingress: 'shop/inner' },
    { class: { name: 'nginx' }, ingress: 'shop/outer' },
  ])
  const rest = ingress(
    'shop/rest',
    '{ ingressClassName: traefik, defaultBackend: { service: { name: web, port: { number: 80 } } } }',
  )
  const ingresses = answer('http://x.example/', [rest, outer, other]).routes.map(({ ingress }) => ingress)
  t.same(ingresses, ['shop/outer'], 'a host counts more than none')
})

t.test('ingress: why nothing leads there', async t => {
  const shop = ingress(
    'shop/shop',
    nginxed(rule('shop.example', at('/api', to('api', 8080)), at('/x', to('api', 8080), 'Exact'))),
  )
  t.same(answer('http://shop.exmple/', [shop]), {
    routes: [],
    why: 'no Ingress has the host shop.exmple: did you mean "shop.example"?',
  })
  t.equal(answer('http://a.test/', []).why, 'no Ingress has the host a.test')
  t.equal(
    answer('http://shop.example/', [shop]).why,
    'no path of shop.example fits /: shop/shop has Prefix /api, Exact /x, and there is no default backend',
  )
})

t.test('ingress: certificates', async t => {
  const withTls = (tls: string) =>
    ingress(
      'shop/shop',
      `{ ingressClassName: nginx, tls: ${tls}, rules: [${rule('shop.example', at('/', to('web', 80)))}] }`,
    )
  const url = 'https://shop.example/'
  t.same(faults(url, withTls('[{ hosts: [shop.example], secretName: cert }]')), [
    'there is no secret shop/cert of type kubernetes.io/tls, which shop/shop names',
  ])
  const [unknown] = answer(url, [withTls('[{ secretName: cert }]')], false).routes
  t.same(unknown?.certificate, { secret: 'shop/cert', present: undefined, findings: [] })
  t.match(answer(url, [withTls("[{ hosts: ['*.example'], secretName: cert }]"), cert]).routes, [
    { certificate: { present: true } },
  ])
  t.match(notes(url, withTls('[{ hosts: [other.example], secretName: cert }]'), cert), [
    /^no tls section covers shop.example/,
  ])
  t.match(notes(url, withTls('[{ hosts: [shop.example] }]')), [/^shop\/shop names no secret for shop.example/])
  t.same(notes(url, withTls('[{ secretName: cert }]'), object('Secret', 'shop/cert')), [
    'secret shop/cert is of type Opaque, not kubernetes.io/tls',
  ])
  const elsewhere = ingress(
    'shop/tls',
    '{ ingressClassName: nginx, tls: [{ hosts: [shop.example], secretName: cert }], rules: [{ host: a.example }] }',
  )
  t.match(answer(url, [withTls('[]'), elsewhere, cert]).routes, [
    { certificate: { secret: 'shop/cert', present: true } },
  ])
})

t.test('ingress: classes', async t => {
  const rules = `rules: [${rule('x.example', at('/', to('web', 80)))}]`
  const url = 'http://x.example/'
  t.same(faults(url, ingress('shop/x', `{ ingressClassName: ngnix, ${rules} }`)), [
    'there is no IngressClass ngnix, so no controller takes shop/x',
  ])
  t.match(faults(url, ingress('shop/x', `{ ${rules} }`)), [/^shop\/x names no class, and no class is the default/])
  const annotations = { 'kubernetes.io/ingress.class': 'nginx' }
  const annotated = ingress('shop/x', `{ ${rules} }`, { metadata: { annotations } })
  t.match(answer(url, [annotated]).routes, [{ class: { name: 'nginx', controller: 'k8s.io/ingress-nginx' } }])
  t.match(notes(url, annotated), [/^shop\/x names its class by the annotation/])
  const fallback = object('IngressClass', 'main', {
    metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  })
  t.match(answer(url, [ingress('shop/x', `{ ${rules} }`), fallback]).routes, [
    { class: { name: 'main', controller: '' } },
  ])
  t.match(notes(url, ingress('shop/x', `{ ${rules} }`), fallback), [
    /^shop\/x names no class: it gets the default, main/,
  ])
  const live = (status: object) =>
    ingress('shop/x', `{ ingressClassName: nginx, ${rules} }`, { metadata: { resourceVersion: '7' }, status })
  t.same(notes(url, live({})), ['no controller has written an address into the status of shop/x'])
  t.same(notes(url, live({ loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })), [])
})

t.test('ingress: backends that are not there', async t => {
  const leading = (backend: string, type = 'Prefix') =>
    ingress('shop/x', nginxed(rule('x.example', at('/', backend, type))))
  const url = 'http://x.example/'
  t.same(faults(url, leading(to('wbe', 80))), ['there is no service shop/wbe'])
  t.same(faults(url, leading(to('web', 8080))), ['service shop/web has no port 8080; it has 80 (http), 9090 (metrics)'])
  t.same(faults(url, leading(to('api', 'http'))), ['service shop/api has no port http; it has 8080'])
  t.same(notes(url, leading('backend: { resource: { apiGroup: store.test, kind: Bucket, name: static } }')), [
    'the backend is no service but Bucket.store.test static in shop, which only its controller knows',
  ])
  const out = service('shop/out', { externalName: 'example.com', ports: ['80'] })
  t.same(notes(url, leading(to('out', 80)), out), [
    'service shop/out stands for example.com, which not every controller follows',
  ])
  t.match(notes(url, leading(to('web', 80), 'ImplementationSpecific')), [
    /^what path \/ of type ImplementationSpecific means/,
  ])
})
