import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { portolan } from '../../src/cli/portolan.ts'
import type { Shell } from '../../src/cli/shell.ts'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { plugins } from '../../src/plugins/index.ts'
import { version } from '../../src/version.ts'
import { run, testShell } from '../helpers/shell.ts'

const WHOAMI = '.:0 {\n bind 127.0.0.1\n whoami\n}\n'

/** Files, and folders of files, by name. */
type Fixtures = Readonly<Record<string, string | Record<string, string>>>

/** A server that runs until the test ends it. */
async function serving(t: Test, corefile: string, options: Partial<Shell> = {}, files: Fixtures = {}) {
  const file = join(t.testdir({ Corefile: corefile, ...files }), 'Corefile')
  const outside = testShell(options)
  const ended = portolan(['serve', '-conf', file], outside.shell)
  t.teardown(async () => {
    outside.send('SIGTERM')
    await ended
  })
  const failure = ended.then(() => Promise.reject(new Error(outside.err())))
  const [, port = ''] = await Promise.race([outside.wrote(/dns:\/\/127\.0\.0\.1:(\d+)/), failure])
  failure.catch(() => undefined)
  const ask = async (...words: string[]) => (await run(['query', `@127.0.0.1:${port}`, ...words])).out
  return { ...outside, ended, file, port, ask }
}

/** All lines but the first, which says how UDP is received. */
const afterFirst = (text: string) => text.slice(text.indexOf('\n') + 1)

t.test('it says what it serves, answers, and ends', async t => {
  const { out, port, ask, send, ended } = await serving(t, WHOAMI)
  t.match(out(), /^\[INFO\] udp: (batch, \d answer threads?|dgram), receive buffer \d+ KiB.*\n/)
  t.equal(afterFirst(out()), `portolan ${version} · 1 server block\n  dns://127.0.0.1:${port}   .   whoami\n`)
  t.match(await ask('a.test'), 'status: NOERROR')
  send('SIGTERM')
  t.equal(await ended, 0)
  t.match(out(), /\[INFO\] SIGTERM: .*\n$/)
  t.equal((await run(['query', `@127.0.0.1:${port}`, 'a.test'])).code, 1)
})

t.test('several blocks and a long line', async t => {
  const many = Array.from({ length: 15 }, (_, i) => `10.0.0.${i}`).join(' ')
  const { out, port } = await serving(
    t,
    `${WHOAMI}a.test:0 b.test:0 {\n bind 127.0.0.1\n forward . ${many}\n errors\n}\n`,
  )
  const lines = afterFirst(out()).split('\n')
  t.equal(lines[0], `portolan ${version} · 2 server blocks`)
  t.equal(lines[1], `  dns://127.0.0.1:${port}   .               whoami`)
  t.match(lines[2], `  dns://127.0.0.1:${port}   a.test b.test   errors · forward . 10.0.0.0 `)
  t.match(lines[2], /…$/)
})

/** `default` and `kube-system` are there without being written. */
const SHOP = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}
`

const KUBERNETES = `cluster.local:0 {
  bind 127.0.0.1
  kubernetes 10.0.0.0/8 cluster.local {
    manifests cluster
  }
}
`

t.test('for a manifests folder it says how to try it', async t => {
  const { out, port, ask, file } = await serving(t, KUBERNETES, {}, { cluster: { 'web.yaml': SHOP } })
  const folder = relative(process.cwd(), join(dirname(file), 'cluster'))
  t.match(out(), `1 server block · cluster from ${folder} (1 service, 0 endpoints, 3 namespaces)\n`)
  const dig = `dig @127.0.0.1 -p ${port}`
  t.match(out(), `  try   ${dig} web.shop.svc.cluster.local\n`)
  t.match(out(), `        ${dig} _http._tcp.web.shop.svc.cluster.local SRV\n`)
  t.match(out(), `  edit a file in ${folder} and ask again`)
  t.equal(await ask('web.shop.svc.cluster.local', '+short'), '10.96.0.7\n')
})

t.test('an empty manifests folder has nothing to try', async t => {
  const { out } = await serving(t, KUBERNETES, {}, { cluster: {} })
  t.match(out(), '(0 services, 0 endpoints, 2 namespaces)')
  t.notMatch(out(), 'dig')
})

t.test('SIGHUP and SIGUSR1 reload; a bad file is reported and changes nothing', async t => {
  const { ask, send, wrote, file } = await serving(t, WHOAMI)
  writeFileSync(file, WHOAMI.replace('.:0', 'b.test:0'))
  send('SIGHUP')
  await wrote(/SIGHUP: reloading\n(.*\n)*\[INFO\] Reloading complete/)
  t.match(await ask('a.test'), 'status: REFUSED')
  writeFileSync(file, 'b.test:0 {\n whoamy\n}\n')
  send('SIGUSR1')
  await wrote(/SIGUSR1: reloading\n(.*\n)*\[ERROR\] the old configuration stays: .*unknown plugin "whoamy"/)
  t.match(await ask('b.test'), 'status: NOERROR')
})

t.test('a second signal ends it at once', async t => {
  const held = Promise.withResolvers<void>()
  const slow: PluginDefinition = { name: 'slow', setup: () => ({ name: 'slow', drain: () => held.promise }) }
  const options = { plugins: [...plugins, slow] }
  const { send, exits, ended } = await serving(t, WHOAMI.replace('whoami', 'whoami\n slow'), options)
  send('SIGTERM')
  send('SIGHUP')
  t.strictSame(exits, [])
  send('SIGTERM')
  t.strictSame(exits, [1])
  held.resolve()
  t.equal(await ended, 0)
})

t.test('a plugin may end the server', async t => {
  let fail: ((reason: Error) => void) | undefined
  const doom: PluginDefinition = {
    name: 'doom',
    setup(_directive, { server }) {
      fail = reason => server.fail(reason)
      return { name: 'doom' }
    },
  }
  const options = { plugins: [...plugins, doom] }
  const { ended, out } = await serving(t, WHOAMI.replace('whoami', 'whoami\n doom'), options)
  fail?.(new Error('a loop was found'))
  t.equal(await ended, 1)
  t.match(out(), /^\[ERROR\] a loop was found$/m)
})

t.test('-quiet, -pidfile and -log-format json', async t => {
  const folder = t.testdir({ Corefile: WHOAMI })
  const pidfile = join(folder, 'pid')
  const outside = testShell()
  const args = ['-quiet', '-pidfile', pidfile, '-log-format', 'json', '-conf', join(folder, 'Corefile')]
  const ended = portolan(args, outside.shell)
  // Signals are heeded once the Corefile was found, which takes no longer than this.
  await setImmediate()
  outside.send('SIGHUP')
  await outside.wrote(/Reloading complete/)
  t.equal(readFileSync(pidfile, 'utf8'), `${process.pid}\n`)
  outside.send('SIGTERM')
  t.equal(await ended, 0)
  t.notOk(existsSync(pidfile))
  const lines = outside.out().trimEnd().split('\n')
  t.match(
    lines.map(line => JSON.parse(line)),
    [{ level: 'INFO', msg: 'SIGHUP: reloading' }],
  )
})

t.test('-udp-engine and -no-answer-table', async t => {
  for (const [args, engine] of [
    [['-udp-engine', 'dgram'], 'dgram'],
    [['-no-answer-table'], 'dgram'],
  ] as const) {
    const outside = testShell({ stdin: WHOAMI })
    const ended = portolan(['-conf', 'stdin', ...args], outside.shell)
    await outside.wrote(/dns:\/\/127/)
    t.match(outside.out(), `[INFO] udp: ${engine}, receive buffer`)
    outside.send('SIGTERM')
    t.equal(await ended, 0)
  }
})

t.test('the Corefile may come from the standard input', async t => {
  const outside = testShell({ stdin: WHOAMI })
  const ended = portolan(['-conf', 'stdin'], outside.shell)
  await outside.wrote(/dns:\/\/127/)
  outside.send('SIGTERM')
  t.equal(await ended, 0)
})

t.test('what keeps it from starting is one line', async t => {
  const folder = t.testdir({ Corefile: '.:0 {\n whoamy\n}\n' })
  t.match(await run(['-conf', `${folder}/nosuch`]), {
    code: 1,
    out: '',
    err: /^portolan: cannot read the Corefile .*\n$/,
  })
  t.strictSame(await run(['-conf', `${folder}/Corefile`]), {
    code: 1,
    out: '',
    err: `portolan: ${folder}/Corefile:2:2: unknown plugin "whoamy": did you mean "whoami"?\n`,
  })
  t.match(await run(['-pidfile', `${folder}/none/pid`]), {
    code: 1,
    err: /^portolan: cannot write .*none\/pid: ENOENT/,
  })
  t.match(await run(['-udp-engine', 'tcp']), { code: 2, err: /-udp-engine is auto, batch or dgram, got "tcp"\n/ })
  t.match(await run(['-log-format', 'xml']), { code: 2, err: /^portolan: -log-format is text or json, got "xml"\n/ })
  const { port } = await serving(t, WHOAMI)
  const taken = await run(['-conf', '-'], { stdin: WHOAMI.replace(':0', `:${port}`) })
  t.match(taken, { code: 1, err: /^portolan: cannot listen on 127\.0\.0\.1:\d+\/tcp: the port is in use .*\n$/ })
})
