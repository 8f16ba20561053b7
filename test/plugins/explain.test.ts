/** What the `explain` plugin answers over HTTP, from the names of its own server. */
import t, { type Test } from 'tap'
import { cluster, namespace, pod, service, slice } from '../helpers/cluster.ts'
import { testHub } from '../helpers/http.ts'
import { serve } from '../helpers/serve.ts'

const objects = [
  namespace('shop'),
  service('shop/web', { ip: '10.96.0.20', ports: ['http:80'] }),
  slice('shop/web', ['10.0.0.1'], { ports: ['http:8080'] }),
  service('shop/idle', { ip: '10.96.0.21', ports: ['80'], selector: { app: 'idle' } }),
  pod('shop/client', '10.0.0.9'),
]

async function asked(t: Test, query: string, init: RequestInit = {}) {
  const http = testHub(t)
  await serve(t, `.:53 {\n kubernetes cluster.local\n explain 127.0.0.1:0\n}`, { cluster: cluster(...objects), http })
  const response = await fetch(`http://127.0.0.1:${http.port}/explain${query}`, init)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

t.test('an explanation', async t => {
  const { status, body } = await asked(t, '?from=shop/client&name=web:80')
  t.equal(status, 200)
  t.match(body, {
    verdict: 'reachable',
    from: 'shop/client',
    walk: { outcome: 'found', addresses: ['10.96.0.20'], steps: [{ name: 'web.shop.svc.cluster.local' }] },
    destinations: [{ service: 'shop/web:http', backends: [{ address: '10.0.0.1:8080' }] }],
  })
})

t.test('no endpoint', async t => {
  const { body } = await asked(t, '?from=shop/client&name=idle')
  t.match(body, { verdict: 'no endpoint', why: /selector app=idle selects no pod of namespace shop/ })
})

t.test('what is wrong with a question', async t => {
  t.match(await asked(t, '?from=shop/client'), {
    status: 400,
    body: { error: { code: 'PORTOLAN_USAGE', message: /which name/ } },
  })
  t.match(await asked(t, '?name=web'), { status: 400, body: { error: { message: /from where/ } } })
  t.match(await asked(t, '?nmae=web'), { status: 400, body: { error: { message: /did you mean "name"/ } } })
  t.match(await asked(t, '?from=shop/cliemt&name=web'), {
    status: 404,
    body: {
      error: { code: 'PORTOLAN_NO_POD', message: /there is no pod shop\/cliemt: did you mean "shop\/client"/ },
    },
  })
  t.match(await asked(t, '?from=shop/client&name=web', { method: 'POST' }), { status: 405 })
})

t.test('a block without a cluster', async t => {
  await t.rejects(serve(t, '. {\n explain 127.0.0.1:0\n whoami\n}'), /put it into the server block of "kubernetes"/)
})
