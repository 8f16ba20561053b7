import t from 'tap'
import { systemClock } from '../../src/observe/clock.ts'
import { readOnce } from '../../src/sources/apiserver/index.ts'
import { fakeApiServer } from '../helpers/followed-apiserver.ts'

t.test('read once: a list of objects, by its pages', async t => {
  const api = await fakeApiServer(t, { pageSize: 2 })
  for (const name of ['a', 'b', 'c']) api.put('Namespace', { metadata: { name } })
  const wanted = { plural: 'namespaces', path: '/api/v1/namespaces' }
  const found = await readOnce({ from: 'endpoint', url: api.host }, wanted, systemClock)
  t.same(
    found.map(object => (object as { metadata: { name: string } }).metadata.name),
    ['a', 'b', 'c'],
  )
  t.match(api.requests[0]?.parameters, { limit: '500' })
})

t.test('read once: one object, and its metadata alone', async t => {
  const api = await fakeApiServer(t)
  const wanted = { plural: 'namespaces', path: '/api/v1/namespaces', name: 'a', metadataOnly: true }
  await readOnce({ from: 'endpoint', url: api.host }, wanted, systemClock)
  t.match(api.requests[0], { parameters: { fieldSelector: 'metadata.name=a' } })
})

t.test('read once: what is not allowed', async t => {
  const api = await fakeApiServer(t)
  api.fail({}, { status: 403, message: 'forbidden' })
  const wanted = { plural: 'configmaps', path: '/api/v1/namespaces' }
  await t.rejects(readOnce({ from: 'endpoint', url: api.host }, wanted, systemClock), {
    message: /configmaps/,
  })
})
