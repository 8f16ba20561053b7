import t from 'tap'
import { byPrecedence, fitsPath, hostFit } from '../../../src/client/ingress/match.ts'
import type { IngressPath } from '../../../src/cluster/ingress.ts'

const backend = { service: 'web', port: 80 }
const path = (pathType: IngressPath['pathType'], path: string): IngressPath => ({ path, pathType, backend })

t.test('hosts: the table of the Kubernetes documentation', async t => {
  t.equal(hostFit('*.foo.com', 'bar.foo.com'), 'wildcard')
  t.equal(hostFit('*.foo.com', 'baz.bar.foo.com'), 'no')
  t.equal(hostFit('*.foo.com', 'foo.com'), 'no')
  t.equal(hostFit('foo.com', 'foo.com'), 'exact')
  t.equal(hostFit('foo.com', 'bar.foo.com'), 'no')
  t.equal(hostFit('', 'foo.com'), 'any')
  t.equal(hostFit('*.com', 'com'), 'no')
})

t.test('paths: the table of the Kubernetes documentation', async t => {
  const cases: [type: IngressPath['pathType'], path: string, asked: string, fits: boolean][] = [
    ['Prefix', '/', '/any/path', true],
    ['Exact', '/foo', '/foo', true],
    ['Exact', '/foo', '/bar', false],
    ['Exact', '/foo', '/foo/', false],
    ['Exact', '/foo/', '/foo', false],
    ['Prefix', '/foo', '/foo', true],
    ['Prefix', '/foo', '/foo/', true],
    ['Prefix', '/foo/', '/foo', true],
    ['Prefix', '/foo/', '/foo/', true],
    ['Prefix', '/aaa/bb', '/aaa/bbb', false],
    ['Prefix', '/aaa/bbb', '/aaa/bbb', true],
    ['Prefix', '/aaa/bbb/', '/aaa/bbb', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbb/', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbb/ccc', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbbxyz', false],
    ['Prefix', '/Foo', '/foo', false],
    ['ImplementationSpecific', '', '/any', true],
    ['ImplementationSpecific', '/foo', '/foo/x', true],
  ]
  for (const [type, own, asked, fits] of cases)
    t.equal(fitsPath(path(type, own), asked), fits, `${type} ${own} ${asked}`)
})

t.test('paths: the longest counts, and of two as long the exact one', async t => {
  const paths = [path('Prefix', '/'), path('Prefix', '/aaa/'), path('Exact', '/aaa'), path('Prefix', '/aaa/bbb')]
  t.same(
    paths.sort(byPrecedence).map(({ path, pathType }) => `${pathType} ${path}`),
    ['Prefix /aaa/bbb', 'Exact /aaa', 'Prefix /aaa/', 'Prefix /'],
  )
})
