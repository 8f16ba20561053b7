import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { portolan } from '../../src/cli/portolan.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { fakeApiServer } from '../helpers/followed-apiserver.ts'
import { kubeconfig } from '../helpers/kubeconfig.ts'
import { run, testShell } from '../helpers/shell.ts'
import { ask, endpoint, host, ipOf, port } from '../routes/proxy/lab.ts'

const manifests = (services: readonly string[], ...endpoints: readonly number[]) =>
  services
    .map(
      (name, i) => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { clusterIP: 10.96.0.${i + 1}, ports: [{ name: http, port: ${port} }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: shop, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: ${port} }]
endpoints: [${endpoints.map(number => `{ addresses: [${ipOf(number)}] }`).join(', ')}]
---
`,
    )
    .join('')

/** Runs the command; `file` is what it follows. */
function start(t: Test, text: string, ...words: string[]) {
  const file = join(t.testdir({ 'all.yaml': text }), 'all.yaml')
  const test = testShell({ clock: systemClock })
  const ended = portolan(['routes', 'proxy', '-manifests', file, '-listen', host, ...words], test.shell)
  t.teardown(async () => {
    test.send('SIGTERM')
    await ended
  })
  return { ...test, file, ended }
}

t.test('tells what listens where, follows changes and ends on SIGTERM', async t => {
  await endpoint(t, 1)
  await endpoint(t, 2)
  const { file, wrote, err, out, send, ended, exits } = start(t, manifests(['web'], 1))
  await wrote(/\n.*\n/)
  t.equal(
    out(),
    `SERVICE        VIRTUAL ADDRESS      LISTENS AT\nshop/web:http  10.96.0.1:${port}/TCP  ${host}:${port}\n`,
  )
  t.equal(await ask(port, 'x'), '1:x')
  writeFileSync(file, manifests(['web', 'new'], 2))
  while (!err().includes('shop/new')) await sleep(10)
  t.match(err(), `[INFO] shop/new:http: 10.96.0.2:${port}/TCP is at ${host}:${port + 1}\n`)
  t.same([await ask(port, 'x'), await ask(port + 1, 'x')], ['2:x', '2:x'])
  send('SIGTERM')
  t.equal(await ended, 0)
  t.match(err(), /\[INFO\] SIGTERM: connections may end, then it does\n$/)
  t.equal(await ask(port, 'x'), 'ECONNREFUSED')
  t.same(exits, [])
})

t.test('one service, and what programs read', async t => {
  const { wrote, out } = start(t, manifests(['web', 'new'], 1), '-service', 'shop/new:http', '-o', 'json')
  await wrote(/\]\n$/)
  t.same(JSON.parse(out()), [
    { service: 'shop/new:http', kind: 'ClusterIP', virtual: `10.96.0.2:${port}/TCP`, local: `${host}:${port}` },
  ])
})

/** The error that a client gets which goes on talking. */
function talkOn(): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    socket.on('error', error => resolve('code' in error ? String(error.code) : error.message))
    socket.resume()
  })
}

t.test('a second signal ends it at once', async t => {
  await endpoint(t, 1)
  const { wrote, send, ended, exits } = start(t, manifests(['web'], 1), '-grace', '0.2')
  await wrote(/\n.*\n/)
  const answer = talkOn()
  await sleep(50)
  send('SIGTERM')
  send('SIGTERM')
  t.same(exits, [1])
  t.equal(await ended, 0)
  t.equal(await answer, 'ECONNRESET', 'its grace was over')
})

t.test('follows an API server', async t => {
  await endpoint(t, 1)
  await endpoint(t, 2)
  const api = await fakeApiServer(t)
  const slice = (number: number) => ({
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port }],
    endpoints: [{ addresses: [ipOf(number)] }],
  })
  api.put('Service', {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { clusterIP: '10.96.0.1', ports: [{ port }] },
  })
  api.put('EndpointSlice', slice(1))
  api.put('Node', { metadata: { name: 'worker-1' } })
  const file = `${t.testdir({ config: JSON.stringify(kubeconfig(api.url)) })}/config`
  const { shell, wrote, send } = testShell({ clock: systemClock })
  const ended = portolan(['routes', 'proxy', '-kubeconfig', file, '-node', 'worker-1', '-listen', host], shell)
  await wrote(/shop\/web/)
  t.equal(await ask(port, 'x'), '1:x')
  api.put('EndpointSlice', slice(2))
  while ((await ask(port, 'x')) !== '2:x') await sleep(10)
  send('SIGTERM')
  t.equal(await ended, 0)
})

t.test('mistakes', async t => {
  const folder = t.testdir({ 'all.yaml': manifests(['web'], 1) })
  const usage = async (words: string) => {
    const { code, err } = await run(['routes', 'proxy', '-manifests', folder, ...words.split(' ')], {
      clock: systemClock,
    })
    t.equal(code, 2, words)
    return err
  }
  t.match(await usage('-service shop/wab'), /there is no service "shop\/wab": did you mean "shop\/web"/)
  t.match(await usage('-service shop/web:https'), /shop\/web has no port "https"; it has http/)
  t.match(await usage('-service web'), /-service is NAMESPACE\/NAME/)
  t.match(await usage('-listen localhost'), /-listen is an address/)
  t.match(await usage('-listen ::1 -virtual'), /give one/)
  t.match(await usage('-scheduler best'), /-scheduler is random, rr/)
  t.match(await usage('-grace 0'), /-grace is a number of seconds above 0/)
})
