/** The running server: sockets on loopback, start, reload and stop. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { httpHub } from '../../src/net/http-hub.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import type { Plugin, PluginDefinition, ServerControl } from '../../src/plugin/plugin.ts'
import { definition as bind } from '../../src/plugins/bind/index.ts'
import { Server } from '../../src/server/server.ts'
import { answerTo } from '../helpers/answer.ts'
import { answerText, questionPacket } from '../helpers/serve.ts'

/** What the plugin `answer` of one generation went through. */
interface Generation {
  readonly text: string
  asked: number
  started: boolean
  stopped: boolean
}

interface Running {
  readonly server: Server
  readonly lines: string[]
  readonly generations: Generation[]
  /** What `shared` opened (+) and closed (-). */
  readonly opened: string[]
  readonly folder: string
  write(corefile: string): void
  control(): ServerControl
}

/**
 * A server whose plugin `answer TEXT` answers TXT records, after an asynchronous step in which a stopped one fails. `hold` keeps
 * answers back, `broken` fails to start, `shared KEY` has a resource that outlives reloads.
 */
async function running(t: Test, corefile: string, hold?: Promise<void>): Promise<Running> {
  const generations: Generation[] = []
  const opened: string[] = []
  let control: ServerControl | undefined
  const answer: PluginDefinition = {
    name: 'answer',
    setup(directive, context) {
      control = context.server
      const generation: Generation = { text: directive.text(), asked: 0, started: false, stopped: false }
      generations.push(generation)
      const plugin: Plugin = {
        name: 'answer',
        async handle(query) {
          generation.asked++
          await (hold ?? new Promise<void>(resolve => setImmediate(resolve)))
          if (!generation.started || generation.stopped) throw new Error('asked before the start or after the end')
          return { answer: answerTo(query, { answers: [`. 5 IN TXT ${generation.text}`] }), plugin: 'answer' }
        },
        start: async () => void (generation.started = true),
        stop: async () => void (generation.stopped = true),
      }
      return plugin
    },
  }
  const broken: PluginDefinition = {
    name: 'broken',
    setup: () => ({ name: 'broken', start: () => Promise.reject(new Error('it does not start')) }),
  }
  const stuck: PluginDefinition = {
    name: 'stuck',
    setup: () => ({ name: 'stuck', stop: () => Promise.reject(new Error('it does not stop')) }),
  }
  const shared: PluginDefinition = {
    name: 'shared',
    setup(directive, { resources }) {
      const key = directive.text()
      resources.share(key, () => {
        opened.push(`+${key}`)
        return { close: () => void opened.push(`-${key}`) }
      })
      return { name: 'shared' }
    },
  }
  const folder = t.testdir()
  const path = join(folder, 'Corefile')
  const write = (text: string) => writeFileSync(path, text)
  write(corefile)
  const lines: string[] = []
  const http = httpHub()
  const server = new Server({
    corefile: path,
    env: {},
    port: 0,
    plugins: [bind, broken, stuck, shared, answer],
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: line => void (isOfEngine(line) || lines.push(line.trimEnd())) }),
    metrics: metrics(),
    http,
    fail: reason => t.fail(reason.message),
  })
  t.teardown(async () => {
    await server.stop()
    await http.close()
  })
  return { server, lines, generations, opened, folder, write, control: () => control! }
}

/** How UDP is received, which each machine has its own way of. */
const isOfEngine = (line: string) => line.startsWith('[INFO] udp: ')

const block = (text: string, key = '.:0') => `${key} {\n bind 127.0.0.1\n ${text}\n}\n`

const portOf = ({ server }: Running) => server.listeners[0]!.port

/** Asks over a UDP socket of its own; undefined where nothing listens. */
async function ask(port: number): Promise<string | undefined> {
  const socket = createSocket('udp4')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.send(questionPacket('. TXT'))
  try {
    const [reply] = (await once(socket, 'message')) as [Buffer]
    return answerText(reply)
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

async function askByTcp(port: number): Promise<string> {
  const socket = createConnection(port, '127.0.0.1')
  const packet = questionPacket('. TXT')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(packet.length)
  socket.end(Buffer.concat([length, packet]))
  const received: Buffer[] = []
  for await (const part of socket) received.push(part as Buffer)
  return answerText(Buffer.concat(received).subarray(2))
}

const said = (text: string) => `.. 5 IN TXT "${text}"`

/** Lets events pass until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether something listens on the port. */
async function isOpen(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

t.test('answers over UDP and TCP, on one port', async t => {
  const made = await running(t, block('answer one'))
  t.throws(() => made.server.instance, { code: 'PORTOLAN_NOT_STARTED' })
  await made.server.start()
  const { listeners } = made.server
  t.strictSame(
    listeners.map(({ protocol, address, port }) => [protocol, address, port]),
    [
      ['udp', '127.0.0.1', portOf(made)],
      ['tcp', '127.0.0.1', portOf(made)],
    ],
  )
  t.equal(await ask(portOf(made)), said('one'))
  t.equal(await askByTcp(portOf(made)), said('one'))
  t.strictSame(made.control().addresses(), listeners)
  t.strictSame(made.generations, [{ text: 'one', asked: 2, started: true, stopped: false }])
})

t.test('twenty reloads under load: no query is lost, no socket changes', async t => {
  const made = await running(t, block('answer 0'))
  await made.server.start()
  const { listeners } = made.server
  const port = portOf(made)
  const replies: (string | undefined)[] = []
  let loading = true
  const load = async () => {
    while (loading) replies.push(await ask(port))
  }
  const clients = [load(), load(), load()]
  const overTcp = async () => {
    while (loading) replies.push(await askByTcp(port))
  }
  clients.push(overTcp())
  for (let i = 1; i <= 20; i++) {
    const enough = replies.length + 10
    while (replies.length < enough) await new Promise(setImmediate)
    made.write(block(`answer ${i}`))
    t.equal(await made.server.reload(), true)
    t.equal(await ask(port), said(String(i)))
  }
  loading = false
  await Promise.all(clients)
  const known = new Set(Array.from({ length: 21 }, (_, i) => said(String(i))))
  t.ok(replies.length >= 200)
  t.strictSame(
    replies.filter(reply => !known.has(reply!)),
    [],
  )
  t.strictSame(made.server.listeners, listeners)
  t.strictSame(
    made.generations.map(({ stopped }) => stopped),
    [...Array(20).fill(true), false],
  )
  t.strictSame(new Set(made.lines), new Set(['[INFO] Reloading complete']))
})

t.test('a generation stops when its queries are answered', async t => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const made = await running(t, block('answer old'), promise)
  await made.server.start()
  const reply = askByTcp(portOf(made))
  await until(() => made.generations[0]!.asked === 1)
  made.write(block('answer new'))
  const reload = made.server.reload()
  await until(() => made.generations[1]?.started === true)
  await new Promise(setImmediate)
  t.equal(made.generations[0]!.stopped, false)
  resolve()
  t.equal(await reload, true)
  t.equal(await reply, said('old'))
  t.equal(made.generations[0]!.stopped, true)
})

t.test('stop answers what is in flight, then gives everything back', async t => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const made = await running(t, block('answer one\n shared key'), promise)
  await made.server.start()
  const port = portOf(made)
  const replies = [ask(port), askByTcp(port)]
  await until(() => made.generations[0]!.asked === 2)
  const stop = made.server.stop()
  await new Promise(setImmediate)
  resolve()
  t.strictSame(await Promise.all(replies), [said('one'), said('one')])
  await stop
  t.equal(made.generations[0]!.stopped, true)
  t.strictSame(made.opened, ['+key', '-key'])
  t.equal(await isOpen(port), false)
  t.strictSame(made.server.listeners, [])
  t.throws(() => made.server.instance)
})

t.test('a bad Corefile keeps the old configuration', async t => {
  const made = await running(t, block('answer one\n shared old'))
  await made.server.start()
  const { listeners } = made.server
  const rows: readonly (readonly [string, RegExp])[] = [
    ['. {', /Corefile:1:3: /],
    ['', /there is no server block: nothing would be served/],
    [block('bogus'), /Corefile:3:2: unknown plugin "bogus"/],
    [block('answer'), /Corefile:3:2: answer: answer needs an argument/],
    [block('answer two\n broken\n shared new'), /it does not start/],
    ['.:0 {\n bind 192.0.2.1\n answer two\n shared new\n}', /cannot listen on 192\.0\.2\.1:0\/tcp/],
  ]
  for (const [corefile, reason] of rows) {
    made.write(corefile)
    made.lines.length = 0
    t.equal(await made.server.reload(), false, corefile)
    t.match(made.lines, [/^\[ERROR\] the old configuration stays: /])
    t.match(made.lines[0], reason)
    t.equal(await ask(portOf(made)), said('one'))
    t.strictSame(made.server.listeners, listeners)
  }
  const [first, ...refused] = made.generations
  t.match(first, { started: true, stopped: false })
  t.equal(refused.length, 2, 'only what was read in full was set up')
  for (const generation of refused) t.match(generation, { started: true, stopped: true })
  t.strictSame(made.opened, ['+old', '+new', '-new', '+new', '-new'])
})

t.test('a Corefile that cannot be read', async t => {
  const made = await running(t, block('answer one'))
  rmSync(join(made.folder, 'Corefile'))
  const unreadable = { code: 'PORTOLAN_COREFILE_READ', message: /^cannot read the Corefile .*Corefile: ENOENT/ }
  await t.rejects(made.server.start(), unreadable)
  made.write(block('answer one'))
  await made.server.start()
  rmSync(join(made.folder, 'Corefile'))
  t.equal(await made.server.reload(), false)
  await t.rejects(made.control().corefileChanged(), unreadable)
  t.equal(await ask(portOf(made)), said('one'))
})

t.test('ports come and go', async t => {
  const [first, second] = [await freePort(), await freePort()]
  const made = await running(t, block('answer one', `.:${first}`))
  await made.server.start()
  const kept = made.server.listeners
  made.write(block('answer one', `.:${first}`) + block('answer two', `.:${second}`))
  t.equal(await made.server.reload(), true)
  t.strictSame([await ask(first), await ask(second)], [said('one'), said('two')])
  t.strictSame(made.server.listeners.slice(0, 2), kept)
  made.write(block('answer three', `.:${second}`))
  t.equal(await made.server.reload(), true)
  t.equal(await ask(second), said('three'))
  t.equal(await isOpen(first), false)
  t.equal(made.server.listeners.length, 2)
})

t.test('a start that fails leaves nothing open', async t => {
  const blocker = createServer()
  blocker.listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const { port: taken } = blocker.address() as AddressInfo
  const free = await freePort()
  const made = await running(t, block('answer one\n shared key', `.:${free}`) + block('answer two', `.:${taken}`))
  await t.rejects(made.server.start(), { code: 'PORTOLAN_LISTEN' })
  t.equal(await isOpen(free), false)
  t.equal(await ask(free), undefined)
  t.strictSame(made.server.listeners, [])
  t.strictSame(made.opened, ['+key', '-key'])
  t.match(made.generations, [{ stopped: true }, { stopped: true }])
  blocker.close()
  await once(blocker, 'close')
  await made.server.start()
  t.strictSame([await ask(free), await ask(taken)], [said('one'), said('two')])
})

t.test('what generations share stays open while one of them runs', async t => {
  const made = await running(t, block('answer one\n shared a'))
  await made.server.start()
  made.write(block('answer two\n shared a'))
  await made.server.reload()
  t.strictSame(made.opened, ['+a'])
  made.write(block('answer three\n shared b'))
  await made.server.reload()
  t.strictSame(made.opened, ['+a', '+b', '-a'])
})

t.test('a plugin that does not stop is told of; the new configuration is served', async t => {
  const made = await running(t, block('answer one\n stuck\n shared a'))
  await made.server.start()
  made.write(block('answer two'))
  t.equal(await made.server.reload(), true)
  t.strictSame(made.lines, [
    '[ERROR] a plugin of the old configuration did not stop: it does not stop',
    '[INFO] Reloading complete',
  ])
  t.equal(await ask(portOf(made)), said('two'))
  t.strictSame(made.opened, ['+a', '-a'])
})

t.test('reloads wait for each other', async t => {
  const made = await running(t, block('answer one'))
  await made.server.start()
  made.write(block('answer two'))
  const first = made.server.reload()
  const second = made.control().reload()
  t.strictSame(await Promise.all([first, second]), [true, true])
  t.match(made.generations, [{ stopped: true }, { stopped: true }, { stopped: false }])
})

t.test('a reload that waited for the end brings nothing back', async t => {
  const made = await running(t, block('answer one'))
  await made.server.start()
  const control = made.control()
  made.write(block('answer two'))
  const stop = made.server.stop()
  t.equal(await control.reload(), false)
  await stop
  t.strictSame(made.server.listeners, [])
  t.equal(made.generations.length, 1)
})

t.test('imported files count as a part of the Corefile', async t => {
  const made = await running(t, block('import parts/*.conf'))
  const folder = join(made.folder, 'parts')
  mkdirSync(folder)
  writeFileSync(join(folder, 'answer.conf'), 'answer one\n')
  await made.server.start()
  t.equal(await made.control().corefileChanged(), false)
  writeFileSync(join(folder, 'answer.conf'), '# the same\nanswer one\n')
  t.equal(await made.control().corefileChanged(), false)
  writeFileSync(join(folder, 'answer.conf'), 'answer two\n')
  t.equal(await made.control().corefileChanged(), true)
  t.equal(await made.server.reload(), true)
  t.equal(await ask(portOf(made)), said('two'))
  writeFileSync(join(folder, 'more.conf'), 'shared key\n')
  t.equal(await made.control().corefileChanged(), true, 'a new file')
})
