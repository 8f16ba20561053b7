/** `portolan serve`: runs the server until a signal ends it. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { messageOf, PortolanError } from '../errors.ts'
import { httpHub } from '../net/http-hub.ts'
import { type Logger, logger } from '../observe/logger.ts'
import { metrics } from '../observe/metrics.ts'
import { Server } from '../server/server.ts'
import { udpEngines } from '../server/udp-engine.ts'
import type { Arguments } from './arguments.ts'
import { banner } from './banner.ts'
import { type Command, Exit } from './command.ts'
import { ownHeap, tidy } from './memory.ts'
import { listPlugins } from './plugins.ts'
import type { Shell, Signal } from './shell.ts'
import { showVersion } from './version.ts'

const DEFAULT_FILE = 'Corefile'

/** What CoreDNS serves where there is no Corefile. */
const DEFAULT_TEXT = '. {\n    whoami\n    log\n}\n'

export const serve: Command = {
  name: 'serve',
  summary: 'answers queries as a Corefile says',
  synopsis: '[-conf FILE] [-dns.port PORT]',
  words: 0,
  options: {
    conf: { value: 'FILE', help: `the Corefile (./${DEFAULT_FILE}); stdin is the standard input` },
    'dns.port': { value: 'PORT', alias: ['p'], help: 'the port of server blocks that name none (53)' },
    quiet: { help: 'does not tell at the start what is served' },
    'log-format': { value: 'FORMAT', help: 'text or json (text)' },
    'udp-engine': {
      value: 'ENGINE',
      help: 'auto, batch (answer threads; Linux) or dgram (without threads, anywhere) (auto)',
    },
    'no-answer-table': { help: 'answers every query through the plugins, none from compiled answers' },
    pidfile: { value: 'FILE', help: 'where to write the number of the process' },
    plugins: { help: 'lists the plugins' },
    version: { help: 'tells the version' },
  },
  notes: `SIGTERM and SIGINT end it once what is under way is answered, a second one ends it at once.
SIGHUP and SIGUSR1 have it read the Corefile again.
Without -conf and ./${DEFAULT_FILE} it tells every client its own address (whoami).`,
  async run(given, shell) {
    if (given.has('version')) return showVersion(shell)
    if (given.has('plugins')) return listPlugins(shell)
    const log = logger({
      format: given.oneOf('log-format', ['text', 'json'], 'text'),
      write: line => shell.out(line),
      now: shell.clock.now,
    })
    const removePidFile = writePidFile(given.text('pidfile'))
    try {
      return await untilEnded(given, log, shell)
    } finally {
      removePidFile()
    }
  },
}

async function untilEnded(given: Arguments, log: Logger, shell: Shell): Promise<number> {
  const { env, clock, random, plugins } = shell
  const ended = Promise.withResolvers<number>()
  const http = httpHub()
  const server = new Server({
    ...(await corefile(given.text('conf'), shell)),
    port: given.port('dns.port', 53),
    env,
    plugins,
    clock,
    random,
    log,
    metrics: metrics(),
    http,
    udpEngine: given.oneOf('udp-engine', udpEngines, 'auto'),
    answerTable: !given.has('no-answer-table'),
    fail(reason) {
      log.error(messageOf(reason))
      ended.resolve(Exit.failed)
    },
  })
  // The clock's timers keep no process alive, and before it listens (the API server is away) there may be nothing else.
  const alive = setInterval(() => undefined, 2 ** 30)
  const ignoreSignals = heedSignals(server, ended.resolve, log, shell)
  const heap = ownHeap()
  const tidier = heap && tidy(clock, heap)
  try {
    await server.start()
    if (!given.has('quiet')) shell.out(banner(server))
    return await ended.promise
  } finally {
    await server.stop()
    await http.close()
    clearInterval(alive)
    tidier?.cancel()
    ignoreSignals()
  }
}

/** Where the configuration is: the file that was named, or ./Corefile, or CoreDNS's answer to having none. */
async function corefile(conf: string | undefined, shell: Shell): Promise<{ corefile: string; text?: string }> {
  if (conf === 'stdin' || conf === '-') return { corefile: 'stdin', text: await shell.input() }
  if (conf === undefined && !existsSync(DEFAULT_FILE)) return { corefile: DEFAULT_FILE, text: DEFAULT_TEXT }
  return { corefile: conf ?? DEFAULT_FILE }
}

/** Ends and reloads the server as signals say; the returned function has them ignored again. */
function heedSignals(server: Server, end: (code: number) => void, log: Logger, shell: Shell): () => void {
  let ending = false
  const terminate = (signal: Signal) => {
    if (ending) return shell.exit(Exit.failed)
    ending = true
    log.info(`${signal}: answering what is under way, then ending`)
    end(Exit.done)
  }
  const reload = (signal: Signal) => {
    if (ending) return
    log.info(`${signal}: reloading`)
    void server.reload()
  }
  const handlers = { SIGINT: terminate, SIGTERM: terminate, SIGHUP: reload, SIGUSR1: reload } as const
  const entries = Object.entries(handlers) as [Signal, (signal: Signal) => void][]
  for (const [signal, handler] of entries) shell.signals.on(signal, handler)
  return () => {
    for (const [signal, handler] of entries) shell.signals.off(signal, handler)
  }
}

/** Writes the process's number where a file is named; the returned function removes it. */
function writePidFile(file: string | undefined): () => void {
  if (file === undefined) return () => undefined
  try {
    writeFileSync(file, `${process.pid}\n`)
  } catch (cause) {
    throw new PortolanError('PORTOLAN_PIDFILE', `cannot write ${file}: ${messageOf(cause)}`, { cause })
  }
  return () => rmSync(file, { force: true })
}
