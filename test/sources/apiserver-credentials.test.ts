import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Access } from '../../src/sources/apiserver/index.ts'
import { storedService } from '../contract/source.ts'
import { until } from '../helpers/fake-apiserver.ts'
import { fakeApiServer, follow, followed } from '../helpers/followed-apiserver.ts'

const pem = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/tls', name))
const tls = {
  cert: pem('server.crt'),
  key: pem('server.key'),
  ca: pem('ca.crt'),
  requestCert: true,
  rejectUnauthorized: false,
}

/** A folder with these files and a kubeconfig for this user and cluster. */
function kubeconfig(t: Test, cluster: object, user: object, files: Record<string, string | Buffer> = {}) {
  const config = {
    clusters: [{ name: 'lab', cluster }],
    users: [{ name: 'dns', user }],
    contexts: [
      { name: 'lab', context: { cluster: 'lab', user: 'dns' } },
      { name: 'astray', context: { cluster: 'nowhere', user: 'dns' } },
      { name: 'anonymous', context: { cluster: 'lab' } },
      { name: 'nobody', context: { cluster: 'lab', user: 'ghost' } },
    ],
    'current-context': 'lab',
  }
  const folder = t.testdir({})
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const file = join(folder, 'config')
  writeFileSync(file, JSON.stringify(config))
  return { folder, access: { from: 'kubeconfig', file } as const }
}

t.test('kubeconfig: a token, and the server certificate checked against the CA', async t => {
  const api = await fakeApiServer(t, { tls })
  api.tokens = new Set(['secret'])
  const { access } = kubeconfig(
    t,
    { server: api.url, 'certificate-authority': 'ca.crt' },
    { token: 'secret' },
    { 'ca.crt': tls.ca },
  )
  const { problems } = await followed(t, api, { access })
  t.same(problems, [])
})

t.test('kubeconfig: a token file is read, without its line end, and read anew when the token is refused', async t => {
  const api = await fakeApiServer(t)
  api.tokens = new Set(['first'])
  const { access, folder } = kubeconfig(
    t,
    { server: api.url },
    { tokenFile: 'token', token: 'stale' },
    { token: 'first\n' },
  )
  const { clock, passPause, pauses, problems, waits } = await followed(t, api, { access })
  api.tokens = new Set(['second'])
  clock.advance(60_000)
  api.end('Service')
  await until(() => pauses.length === 1)
  t.same(problems, ['Service unauthorized'])
  writeFileSync(join(folder, 'token'), 'second')
  await passPause(1)
  await until(() => waits() === 2)
  t.same(problems, ['Service unauthorized', 'Service undefined'])
})

t.test('kubeconfig: a token that was replaced in its file is the one that the next request has', async t => {
  const api = await fakeApiServer(t)
  api.tokens = new Set(['first'])
  const { access, folder } = kubeconfig(t, { server: api.url }, { tokenFile: 'token' }, { token: 'first' })
  const { clock, problems, waits } = await followed(t, api, { access })
  writeFileSync(join(folder, 'token'), 'second')
  api.tokens = new Set(['second'])
  clock.advance(6_000)
  api.end('Service')
  await until(() => waits() === 2 || problems.length > 0)
  t.same(problems, [])
})

t.test('kubeconfig: an exec plugin beside the file is run once, and again when its token is refused', async t => {
  const api = await fakeApiServer(t)
  api.tokens = new Set(['token-1'])
  const plugin = `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs')
const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO)
appendFileSync(__dirname + '/runs', info.spec.interactive + process.env.EXTRA + ' ')
const runs = readFileSync(__dirname + '/runs', 'utf8').split(' ').length - 1
console.log(JSON.stringify({ apiVersion: info.apiVersion, kind: info.kind, status: { token: 'token-' + runs } }))
`
  const { access, folder } = kubeconfig(
    t,
    { server: api.url },
    {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: './plugin.cjs',
        env: [{ name: 'EXTRA', value: '!' }],
      },
    },
    { 'plugin.cjs': plugin },
  )
  chmodSync(join(folder, 'plugin.cjs'), 0o755)
  const { clock, passPause, waits, problems } = await followed(t, api, { access })
  const runs = () => readFileSync(join(folder, 'runs'), 'utf8')
  t.equal(runs(), 'false! ')
  api.tokens = new Set(['token-2'])
  clock.advance(60_000)
  api.end('Service')
  await passPause(1)
  await until(() => waits() === 2)
  t.equal(runs(), 'false! false! ')
  t.same(problems, ['Service unauthorized', 'Service undefined'])
})

t.test('kubeconfig: an exec plugin that fails is a problem, not an end', async t => {
  const api = await fakeApiServer(t)
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './not-there' }
  const { access } = kubeconfig(t, { server: api.url }, { exec })
  const { problems, lines, pauses } = follow(t, api, { access })
  await until(() => pauses.length === 1)
  t.same(problems, ['Service credentials'])
  t.match(lines[0], /no credentials for the API server: spawn \S+not-there ENOENT; retrying/)
})

t.test('kubeconfig: an exec plugin that does not end is waited for, but not started again', async t => {
  const api = await fakeApiServer(t)
  const plugin = `#!/bin/sh
cd "\${0%/*}"; echo started >> runs
while [ ! -e end ]; do sleep 0.02; done
echo '{"status": {"token": "late"}}'
`
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './plugin' }
  const { access, folder } = kubeconfig(t, { server: api.url }, { exec }, { plugin })
  chmodSync(join(folder, 'plugin'), 0o755)
  t.teardown(() => writeFileSync(join(folder, 'end'), ''))
  const kinds = ['Service', 'Pod'] as const
  const { clock, problems, lines, pauses, passPause, waits } = follow(t, api, { access, kinds })
  await until(() => existsSync(join(folder, 'runs')))
  clock.advance(30_000)
  await until(() => pauses.length === 2)
  t.same(problems, ['Service credentials', 'Pod credentials'])
  t.match(lines, [/the credential plugin did not end within 30 s; retrying/])
  writeFileSync(join(folder, 'end'), '')
  await passPause(2)
  await until(() => waits() === 2)
  t.equal(readFileSync(join(folder, 'runs'), 'utf8'), 'started\n')
  t.equal(api.requests[0]?.headers.authorization, 'Bearer late')
})

t.test('kubeconfig: client certificates are read anew with each request', async t => {
  const api = await fakeApiServer(t, { tls })
  const { access, folder } = kubeconfig(
    t,
    { server: api.url, 'certificate-authority': 'ca.crt' },
    { 'client-certificate': 'my.crt', 'client-key': 'my.key' },
    { 'ca.crt': tls.ca, 'my.crt': pem('client-a.crt'), 'my.key': pem('client-a.key') },
  )
  const { clock, waits } = await followed(t, api, { access })
  writeFileSync(join(folder, 'my.crt'), pem('client-b.crt'))
  writeFileSync(join(folder, 'my.key'), pem('client-b.key'))
  clock.advance(60_000)
  api.end('Service')
  await until(() => waits() === 2)
  t.same(
    api.requests.map(({ certificate }) => certificate),
    ['client-a', 'client-a', 'client-b'],
  )
})

t.test('kubeconfig: a server that has moved is found at its new address', async t => {
  const [old, moved] = [await fakeApiServer(t), await fakeApiServer(t)]
  const { access } = kubeconfig(t, { server: old.url }, { token: 'secret' })
  const { passPause, problems, services } = await followed(t, old, { access })
  await old.stop()
  await until(() => problems.length === 1)
  const text = readFileSync(access.file, 'utf8')
  writeFileSync(access.file, text.replace(old.url, moved.url))
  moved.put('Service', storedService('web', '10.96.0.1'))
  moved.compact()
  // Nobody is at the old address any more: the next attempt looks for a new one.
  await passPause(1)
  await passPause(2)
  await until(() => services().length === 1)
  await until(() => problems.length === 2)
  t.same(problems, ['Service unreachable', 'Service undefined'])
})

t.test('kubeconfig: CONTEXT is taken instead of the current one', async t => {
  const api = await fakeApiServer(t)
  const { access } = kubeconfig(t, { server: api.url }, { token: 'secret' })
  await followed(t, api, { access: { ...access, context: 'anonymous' } })
  t.equal(api.requests[0]?.headers.authorization, undefined)
  await t.rejects(follow(t, api, { access: { ...access, context: 'astray' } }).synced, {
    code: 'PORTOLAN_KUBECONFIG',
    message: /the cluster of context "astray" is not in it/,
  })
  await t.rejects(follow(t, api, { access: { ...access, context: 'nobody' } }).synced, {
    message: /the user of context "nobody" is not in it/,
  })
  await t.rejects(follow(t, api, { access: { ...access, context: 'other' } }).synced, {
    message: /no context "other" \(it has lab, astray, anonymous, nobody\)/,
  })
})

t.test('kubeconfig: one that cannot be used ends the attempt', async t => {
  const api = await fakeApiServer(t)
  const file = join(t.testdir({}), 'config')
  const rejects = async (content: string, message: RegExp) => {
    writeFileSync(file, content)
    await t.rejects(follow(t, api, { access: { from: 'kubeconfig', file } }).synced, {
      code: 'PORTOLAN_KUBECONFIG',
      message,
    })
  }
  await rejects('', /config: no current-context: give the context's name after the file/)
  await rejects('a: [', /kubeconfig \S+config: /)
  await rejects('clusters: [{name: x}]', /clusters\[0\]\.cluster is missing/)
  const access: Access = { from: 'kubeconfig', file: `${file}-not-there` }
  await t.rejects(follow(t, api, { access }).synced, { code: 'PORTOLAN_KUBECONFIG', message: /ENOENT/ })
})

t.test('endpoint: certificates as the tls option names them', async t => {
  const api = await fakeApiServer(t, { tls: { ...tls, rejectUnauthorized: true } })
  const folder = t.testdir({})
  for (const name of ['client-a.crt', 'client-a.key', 'ca.crt']) writeFileSync(join(folder, name), pem(name))
  const files = { cert: join(folder, 'client-a.crt'), key: join(folder, 'client-a.key'), ca: join(folder, 'ca.crt') }
  await followed(t, api, { access: { from: 'endpoint', url: api.host, tls: files } })
  t.equal(api.requests[0]?.certificate, 'client-a')
})

t.test('endpoint: a server that cannot be trusted is not spoken to', async t => {
  const api = await fakeApiServer(t, { tls })
  const { problems, lines, pauses } = follow(t, api)
  await until(() => pauses.length === 1)
  t.same(problems, ['Service tls'])
  t.match(lines[0], /no trusted connection to https:\S+: .*certificate.*; check the CA certificate/)
  t.equal(api.requests.length, 0)
})

t.test('endpoint: what is no URL is refused', async t => {
  const api = await fakeApiServer(t)
  await t.rejects(follow(t, api, { access: { from: 'endpoint', url: 'http://:x' } }).synced, {
    code: 'PORTOLAN_KUBECONFIG',
    message: 'the API server\'s address "http://:x" is not an http or https URL',
  })
})

t.test('in the cluster: the service account, whose token rotates', async t => {
  const api = await fakeApiServer(t, { tls })
  api.tokens = new Set(['first'])
  const account = { token: 'first', 'ca.crt': tls.ca.toString(), namespace: 'kube-system' }
  const root = t.testdir({ var: { run: { secrets: { 'kubernetes.io': { serviceaccount: account } } } } })
  const access = { from: 'cluster', root } as const
  const [host, port] = api.host.split(':')
  environment(t, { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port })
  const { clock, problems, waits } = await followed(t, api, { access })
  api.tokens = new Set(['second'])
  writeFileSync(join(root, 'var/run/secrets/kubernetes.io/serviceaccount/token'), 'second')
  clock.advance(6_000)
  api.end('Service')
  await until(() => waits() === 2 || problems.length > 0)
  t.same(problems, [])
  t.equal(api.requests.at(-1)?.headers.authorization, 'Bearer second')
})

t.test('in the cluster: says what is missing', async t => {
  const api = await fakeApiServer(t)
  const access = { from: 'cluster', root: t.testdir({}) } as const
  environment(t, { KUBERNETES_SERVICE_HOST: undefined, KUBERNETES_SERVICE_PORT: undefined })
  await t.rejects(follow(t, api, { access }).synced, { code: 'PORTOLAN_KUBECONFIG', message: /^not in a pod/ })
  environment(t, { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' })
  await t.rejects(follow(t, api, { access }).synced, {
    code: 'PORTOLAN_KUBECONFIG',
    message: /automountServiceAccountToken/,
  })
})

/** Sets variables of the environment (`undefined` takes one away) until the test ends. */
function environment(t: Test, variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    const set = (to: string | undefined) => {
      if (to === undefined) delete process.env[name]
      else process.env[name] = to
    }
    set(value)
    t.teardown(() => set(before))
  }
}
