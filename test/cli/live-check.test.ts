/** `portolan check --live`, against API servers that allow everything, something or nothing. */
import { createServer } from 'node:net'
import t from 'tap'
import type { FakeApiServer } from '../helpers/fake-apiserver.ts'
import { fakeApiServer } from '../helpers/followed-apiserver.ts'
import { run } from '../helpers/shell.ts'

const corefile = (url: string, more = '') =>
  `cluster.local in-addr.arpa {\nkubernetes {\nendpoint ${url}\n${more}\n}\n}\n`
const live = (text: string) => run(['check', '--live', '-'], { stdin: text })
const head = '-: 1 server block, no mistake\n'

t.test('all that is needed is allowed', async t => {
  const api = await fakeApiServer(t)
  api.release = 'v1.34.4'
  t.strictSame(await live(corefile(api.url, 'pods verified')), {
    code: 0,
    out: `${head}kubernetes (cluster.local. in-addr.arpa.): ${api.url}, Kubernetes v1.34.4
  may list namespaces (0 ms)
  may watch namespaces (0 ms)
  may list services (0 ms)
  may watch services (0 ms)
  may list endpointslices (0 ms)
  may watch endpointslices (0 ms)
  may list pods (0 ms)
  may watch pods (0 ms)
`,
    err: '',
  })
  t.match(api.asked('Pod', 'list')[0]?.parameters, { limit: '1', fieldSelector: /status.phase/ })
  t.match(api.asked('Pod', 'watch')[0]?.parameters, { resourceVersion: '1000', timeoutSeconds: '1' })
})

t.test('only what the Corefile needs is tried', async t => {
  const api = await fakeApiServer(t)
  const { code, out } = await live(corefile(api.url, 'noendpoints\nlabels a=b'))
  t.equal(code, 0)
  t.match(out, `): ${api.url}\n`, 'a server that does not tell its version is no failure')
  t.notMatch(out, /endpointslices|pods/)
  t.equal(api.asked('Service', 'list')[0]?.parameters['labelSelector'], 'a=b')
})

t.test('what is forbidden is named, with the rules to add', async t => {
  const api = await fakeApiServer(t)
  const said = (verb: string) => `User "dns" cannot ${verb} resource "endpointslices"`
  api.fail({ kind: 'EndpointSlice', verb: 'list' }, { status: 403, message: said('list') })
  api.fail({ kind: 'EndpointSlice', verb: 'watch' }, { status: 403, message: said('watch') })
  api.fail({ kind: 'Namespace', verb: 'watch' }, { status: 403 })
  const { code, out } = await live(corefile(api.url))
  t.equal(code, 1)
  t.equal(
    out,
    `${head}kubernetes (cluster.local. in-addr.arpa.): ${api.url}
  may list namespaces (0 ms)
  cannot watch namespaces: 403 Forbidden for this user
  may list services (0 ms)
  may watch services (0 ms)
  cannot list endpointslices: 403 Forbidden for dns
  cannot watch endpointslices: 403 Forbidden for dns
  add to the rules of its ClusterRole:
  - apiGroups: [""]
    resources: ["namespaces"]
    verbs: ["list", "watch"]
  - apiGroups: ["discovery.k8s.io"]
    resources: ["endpointslices"]
    verbs: ["list", "watch"]
`,
  )
})

const failures: readonly (readonly [what: string, prepare: (api: FakeApiServer) => unknown, line: RegExp])[] = [
  [
    'refused credentials',
    api => (api.tokens = new Set(['x'])),
    /\n {2}cannot list namespaces: 401 \w+; the API server/,
  ],
  ['no server', api => api.stop(), /\n {2}cannot reach http:\S+: connect ECONNREFUSED \S+; check its address/],
]

for (const [what, prepare, line] of failures) {
  t.test(`${what}: said once`, async t => {
    const api = await fakeApiServer(t)
    await prepare(api)
    const { code, out } = await live(corefile(api.url))
    t.equal(code, 1)
    t.match(out, line)
    t.equal(out.split('\n').length, 4)
  })
}

t.test('a server that does not speak TLS', async t => {
  const plain = createServer(socket => socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve))
  t.teardown(() => plain.close())
  const { port } = plain.address() as { port: number }
  const { code, out } = await live(corefile(`https://127.0.0.1:${port}`))
  t.equal(code, 1)
  t.match(out, /\n {2}no trusted connection to https:\S+: /)
})

t.test('no credentials at all', async t => {
  const { code, out } = await live('. {\nkubernetes cluster.local {\nkubeconfig /nonexistent/config\n}\n}\n')
  t.equal(code, 1)
  t.match(out, /kubernetes \(\.\): kubeconfig \/nonexistent\/config: ENOENT/)
})

t.test('a Corefile without an API server', async t => {
  t.match(await live('. {\nwhoami\n}\n'), { code: 0, out: `${head}nothing to try: no plugin needs an API server\n` })
  const { code, out } = await live('cluster.local {\nkubernetes {\nmanifests ./m\n}\n}\n')
  t.equal(code, 0)
  t.match(out, /kubernetes \(cluster.local.\): \S+m, no API server\n/)
})

t.test('one with a mistake is not tried', async t => {
  const api = await fakeApiServer(t)
  t.match(await live(corefile(api.url, 'bogus')), { code: 1, out: '' })
  t.same(api.requests, [])
})
