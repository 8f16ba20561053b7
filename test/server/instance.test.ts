import t from 'tap'
import type { Environment } from '../../src/corefile/lexer.ts'
import type { PortolanError } from '../../src/errors.ts'
import { httpHub } from '../../src/net/http-hub.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import type { Fixture, Plugin, PluginDefinition, Reply, SetupContext } from '../../src/plugin/plugin.ts'
import { definition as bind } from '../../src/plugins/bind/index.ts'
import { endpointText, Instance } from '../../src/server/instance.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { bare, SERVFAIL } from '../../src/wire/answer.ts'
import { textFromKey } from '../../src/wire/name.ts'
import { testClock } from '../helpers/clock.ts'
import { queryFor } from '../helpers/plugin.ts'

/** A plugin that answers everything under its own name; `does` replaces parts of it. */
function definition(
  name: string,
  does: (context: SetupContext, args: readonly string[]) => Partial<Plugin> = () => ({}),
  repeatable = false,
): PluginDefinition {
  return {
    name,
    repeatable,
    setup: (directive, context) => {
      const args = directive.rest().map(({ text }) => text)
      return {
        name,
        handle: () => ({ answer: bare(0), plugin: [name, ...args].join(' ') }),
        ...does(context, args),
      } as Plugin
    },
  }
}

const fixture = (name: string, does: Fixture): PluginDefinition => ({ name, setup: () => does })

function load(corefile: string, plugins: readonly PluginDefinition[], env: Environment = {}) {
  const lines: string[] = []
  const dropped: string[] = []
  const instance = Instance.load(
    corefile,
    { file: '/etc/portolan/Corefile', env, port: 5300 },
    {
      plugins,
      clock: testClock(),
      random: () => 0,
      log: logger({ format: 'text', write: line => lines.push(line.trimEnd()) }),
      metrics: metrics(),
      http: httpHub(),
      resources: new ResourcePool().generation(),
      dropped: label => query => dropped.push(`${label} ${textFromKey(query.key)}`),
      control: { corefileChanged: async () => false, reload: async () => true, fail: () => undefined },
    },
  )
  const ask = (at: string, name: string) => {
    const endpoint = instance.endpoints.find(endpoint => endpointText(endpoint) === at)
    if (endpoint === undefined) throw new Error(`${at} is not served`)
    return (instance.router(endpoint)!.answer(queryFor(name)) as Reply).plugin
  }
  return { instance, lines, dropped, ask }
}

const texts = ({ instance }: ReturnType<typeof load>) => instance.endpoints.map(endpointText)

t.test('every port is an endpoint, with the blocks that stand at it', async t => {
  const loaded = load('. a.test:1 {\n one\n}\nb.test:1 c.test {\n two\n}\n', [definition('one'), definition('two')])
  t.strictSame(texts(loaded), [':5300', ':1'])
  const { ask } = loaded
  t.equal(ask(':5300', 'x.'), 'one')
  t.equal(ask(':5300', 'c.test.'), 'two')
  t.equal(ask(':5300', 'b.test.'), 'one')
  t.equal(ask(':1', 'a.test.'), 'one')
  t.equal(ask(':1', 'b.test.'), 'two')
  t.equal(ask(':1', 'c.test.'), '')
  t.strictSame(loaded.dropped, ['dns://:1 c.test.'])
})

t.test('with `bind` every address is one, and the wildcards of both families are the same', async t => {
  const one = definition('one')
  t.strictSame(texts(load('.:53 {\n bind 127.0.0.1 ::1\n one\n}', [bind, one])), ['127.0.0.1:53', '[::1]:53'])
  t.strictSame(texts(load('.:53 {\n bind 0.0.0.0 ::\n one\n}', [bind, one])), [':53'])
  const two = load('a.test {\n bind 127.0.0.1\n one a\n}\nb.test {\n bind 127.0.0.1 127.0.0.2\n one b\n}', [bind, one])
  t.strictSame(texts(two), ['127.0.0.1:5300', '127.0.0.2:5300'])
  t.equal(two.ask('127.0.0.1:5300', 'a.test.'), 'one a')
  t.equal(two.ask('127.0.0.2:5300', 'a.test.'), '')
  t.equal(two.ask('127.0.0.2:5300', 'b.test.'), 'one b')
})

t.test('plugins stand in the order of the list, not of the Corefile', async t => {
  const order: string[] = []
  const passing = (name: string) =>
    definition(
      name,
      (_context, args) => ({
        handle(query, next) {
          order.push([name, ...args].join(' '))
          return next(query)
        },
      }),
      true,
    )
  const quiet = fixture('quiet', { name: 'quiet' })
  const { ask } = load('. {\n b 2\n quiet\n a\n b 1\n}', [passing('a'), quiet, passing('b')])
  t.equal(ask(':5300', 'x.'), '', 'nobody answers')
  t.strictSame(order, ['a', 'b 2', 'b 1'])
})

t.test('what a plugin gets', async t => {
  let context: SetupContext | undefined
  const spy = definition('spy', given => {
    context = given
    given.log.info('hello')
    return {}
  })
  const { lines, instance } = load('B.test:1 a.test:2 {\n bind 127.0.0.1\n spy\n}', [bind, spy])
  const { block, directory, server } = context!
  t.strictSame(block.origins.map(textFromKey), ['b.test.', 'a.test.'])
  t.equal(block.port, 1)
  t.equal(block.label, 'dns://127.0.0.1:1')
  t.equal(directory, '/etc/portolan')
  t.strictSame(
    block.plugins.map(({ name }) => name),
    ['bind', 'spy'],
  )
  t.strictSame(
    block.directives.map(({ name }) => name),
    ['bind', 'spy'],
  )
  t.strictSame(lines, ['[INFO] plugin/spy: hello'])
  t.equal(server.corefileHash, instance.corefileHash)
  t.match(instance.corefileHash, /^[0-9a-f]{128}$/)
  t.strictSame(server.addresses(), [])
  const listening = [{ address: '127.0.0.1', port: 1 }]
  instance.listening(listening)
  t.equal(server.addresses(), listening)
})

t.test('a plugin that asks goes through all blocks of its port', async t => {
  const asking = definition('asking', ({ server }) => ({
    handle: query => server.ask(query.with({ key: queryFor('b.test.').key, depth: query.depth + 1 })),
  }))
  const { ask } = load('a.test {\n asking\n}\nb.test {\n one\n}', [asking, definition('one')])
  t.equal(ask(':5300', 'a.test.'), 'one')
})

t.test('queries within queries come to an end', async t => {
  let depth = 0
  const asking = definition('asking', ({ server }) => ({
    handle: query => server.ask(query.with({ depth: (depth = query.depth + 1) })),
  }))
  const { instance } = load('. {\n asking\n}', [asking])
  const reply = instance.router({ host: '', port: 5300 })!.answer(queryFor('a.')) as Reply
  t.equal(reply.answer, SERVFAIL)
  t.match(reply.error, { message: 'too many queries within one query' })
  t.equal(depth, 9)
})

t.test('asking before the server is set up gets SERVFAIL', async t => {
  let early: Reply | undefined
  load('. {\n eager\n}', [
    definition('eager', ({ server }) => {
      early = server.ask(queryFor('a.')) as Reply
      return {}
    }),
  ])
  t.equal(early?.answer, SERVFAIL)
})

t.test('mistakes that no directive shows by itself', async t => {
  const one = definition('one')
  const rows: readonly (readonly [string, string, string])[] = [
    ['', 'PORTOLAN_COREFILE_SYNTAX', '1:1: there is no server block: nothing would be served'],
    [
      '. {\n one\n one\n}',
      'PORTOLAN_COREFILE_PLUGIN',
      '3:2: one: can be used once per server block, and is already used at ',
    ],
    ['. {\n two\n}', 'PORTOLAN_COREFILE_PLUGIN', '2:2: unknown plugin "two"'],
    [
      '. {\n one\n}\n. {\n one\n}',
      'PORTOLAN_COREFILE_OVERLAP',
      '4:1: cannot serve dns://.:5300: it is already defined at ',
    ],
    ['tls://. {\n one\n}', 'PORTOLAN_COREFILE_TRANSPORT', '1:1: tls:// is not yet supported'],
  ]
  for (const [corefile, code, message] of rows) {
    const error = failure(() => load(corefile, [one]))
    t.match(error, { code })
    t.ok(error.message.startsWith(`/etc/portolan/Corefile:${message}`), error.message)
  }
})

function failure(action: () => unknown): PortolanError {
  try {
    action()
  } catch (error) {
    return error as PortolanError
  }
  throw new Error('nothing was found')
}

t.test('the hash is that of what the Corefile says', async t => {
  const hash = (text: string, env: Environment = {}) => Instance.hash(text, { file: 'Corefile', env })
  const plain = hash('. {\n one a {\n  b c\n }\n}')
  t.equal(hash('# hello\n.   {\n\n  one   a   { # x\n b "c"\n }\n}\n'), plain)
  t.equal(hash('{$ZONE} {\n one a {\n  b c\n }\n}', { ZONE: '.' }), plain)
  for (const other of [
    'a {\n one a {\n  b c\n }\n}',
    '.:54 {\n one a {\n  b c\n }\n}',
    '. {\n one a {\n  b d\n }\n}',
    '. {\n one a\n}',
    '. {\n one {\n  b c\n }\n}',
    '. {\n two a {\n  b c\n }\n}',
    '. {\n one a {\n  b c\n }\n}\nx {\n}',
  ]) {
    t.not(hash(other), plain, other)
  }
})

t.test('start waits for all plugins and tells of the first failure', async t => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let started = false
  const failing = (name: string) => fixture(name, { name, start: () => Promise.reject(new Error(`${name} failed`)) })
  const slow = fixture('slow', { name: 'slow', start: () => promise.then(() => void (started = true)) })
  const { instance } = load('. {\n slow\n bad\n worse\n}', [failing('bad'), slow, failing('worse')])
  const start = instance.start()
  resolve()
  await t.rejects(start, { message: 'bad failed' })
  t.equal(started, true)
})

t.test('the label of a block that is bound to an IPv6 address can be read', async t => {
  const { instance } = load('.:1 {\n bind ::1\n}', [bind])
  t.equal(instance.blocks[0]!.label, 'dns://[::1]:1')
})

t.test('a plugin that does not stop leaves no other one behind', async t => {
  let stopped = false
  const stuck = definition('stuck', () => ({ stop: () => Promise.reject(new Error('it does not stop')) }))
  const slow = definition('slow', () => ({
    async stop() {
      await new Promise(resolve => setImmediate(resolve))
      stopped = true
    },
  }))
  const { instance } = load('. {\n stuck\n slow\n}', [stuck, slow])
  await t.rejects(instance.stop(), { message: 'it does not stop' })
  t.equal(stopped, true)
})

t.test('drain and stop reach every plugin of every block', async t => {
  const calls: string[] = []
  const noted = definition('noted', ({ block }) => {
    const call = (what: string) => async () => void calls.push(`${what} ${block.origins.map(textFromKey)}`)
    return { start: call('start'), drain: call('drain'), stop: call('stop') }
  })
  const { instance } = load('a {\n noted\n plain\n}\nb {\n noted\n}', [noted, definition('plain')])
  await instance.start()
  await instance.drain()
  await instance.stop()
  t.strictSame(calls, ['start a.', 'start b.', 'drain a.', 'drain b.', 'stop a.', 'stop b.'])
})
