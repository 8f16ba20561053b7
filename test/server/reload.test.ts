import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { httpHub } from '../../src/net/http-hub.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import type { PluginDefinition, ServerControl } from '../../src/plugin/plugin.ts'
import { definition as bind } from '../../src/plugins/bind/index.ts'
import { Server } from '../../src/server/server.ts'
import { testClock } from '../helpers/clock.ts'

t.test('a Corefile counts as changed once, taken or not', async t => {
  let control: ServerControl | undefined
  const spy: PluginDefinition = {
    name: 'spy',
    setup(_directive, { server }) {
      control = server
      return { name: 'spy' }
    },
  }
  const corefile = join(t.testdir(), 'Corefile')
  const write = (text: string) => writeFileSync(corefile, `.:0 {\nbind 127.0.0.1\n${text}\n}\n`)
  const lines: string[] = []
  const http = httpHub()
  write('spy')
  const server = new Server({
    corefile,
    env: {},
    port: 0,
    plugins: [bind, spy],
    clock: testClock(),
    random: () => 0,
    log: logger({ format: 'text', write: line => lines.push(line) }),
    metrics: metrics(),
    http,
    fail: reason => t.fail(reason.message),
  })
  t.teardown(() => http.close())
  await server.start()
  t.teardown(() => server.stop())
  const first = control!
  t.equal(await first.corefileChanged(), false)
  write('spy # a comment says nothing')
  t.equal(await first.corefileChanged(), false)

  lines.length = 0
  write('spy\nbogus')
  t.equal(await first.corefileChanged(), true)
  t.equal(await first.reload(), false)
  t.match(lines, [/^\[ERROR\] the old configuration stays: .*Corefile:4:1: unknown plugin "bogus"/])
  t.equal(await first.corefileChanged(), false, 'what was refused is not tried again')
  t.equal(control, first)

  write('spy }')
  await t.rejects(first.corefileChanged(), { code: 'PORTOLAN_COREFILE_SYNTAX' })

  write('spy x')
  t.equal(await first.corefileChanged(), true)
  t.equal(await first.reload(), true)
  t.not(control, first, 'another generation is served')
  t.not(control!.corefileHash, first.corefileHash)
  t.equal(await control!.corefileChanged(), false)

  write('spy')
  t.equal(await control!.corefileChanged(), true, 'going back is a change')
})
