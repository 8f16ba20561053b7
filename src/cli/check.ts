/** `portolan check`: tells what is wrong with a Corefile, without serving it. */
import { readFileSync } from 'node:fs'
import { type CorefileWarning, renderMistake } from '../corefile/errors.ts'
import { PortolanError } from '../errors.ts'
import { httpHub } from '../net/http-hub.ts'
import { logger } from '../observe/logger.ts'
import { metrics } from '../observe/metrics.ts'
import { Instance } from '../server/instance.ts'
import { ResourcePool } from '../server/resources.ts'
import { type Command, Exit } from './command.ts'
import { fileText } from './file-text.ts'
import { liveCheck } from './live-check.ts'
import type { Shell } from './shell.ts'

export const check: Command = {
  name: 'check',
  summary: 'checks a Corefile and the files it imports, without serving it',
  synopsis: '[FILE]',
  words: 1,
  options: {
    'dns.port': { value: 'PORT', alias: ['p'], help: 'the port of server blocks that name none (53)' },
    live: { help: 'also asks the API server, as the kubernetes plugins would, and names what is forbidden' },
  },
  notes: `FILE is ./Corefile if it is left out; - is the standard input. The exit code is 1 for a file that would not be served, and with
-live also where the API server cannot be reached or forbids something that is needed.`,
  async run(given, shell) {
    const [file = 'Corefile'] = given.words
    const text = file === '-' ? await shell.input() : fileText(file, 'PORTOLAN_COREFILE_READ')
    const show = (mistake: PortolanError | CorefileWarning) => {
      shell.err(`${renderMistake(mistake, sourceOf(mistake, file, text))}\n`)
    }
    const port = given.port('dns.port', 53)
    try {
      const { blocks } = load(text, file, port, show, shell)
      shell.out(`${file}: ${blocks.length === 1 ? '1 server block' : `${blocks.length} server blocks`}, no mistake\n`)
      if (!given.has('live')) return Exit.done
      return (await liveCheck(blocks, shell.out)) ? Exit.done : Exit.failed
    } catch (error) {
      if (!(error instanceof PortolanError)) throw error
      show(error)
      const plugin = pluginOf(error, shell)
      if (plugin !== undefined) shell.err(`see \`portolan plugins ${plugin}\` for its options\n`)
      return Exit.failed
    }
  },
}

/** Sets everything up and starts nothing. */
function load(
  text: string,
  file: string,
  port: number,
  warn: (warning: CorefileWarning) => void,
  { plugins, clock, random, env, err }: Shell,
): Instance {
  return Instance.load(
    text,
    { file, env, port, warn },
    {
      plugins,
      clock,
      random,
      log: logger({ format: 'text', write: err }),
      metrics: metrics(),
      http: httpHub(),
      resources: new ResourcePool().generation(),
      dropped: () => () => undefined,
      control: { corefileChanged: async () => false, reload: async () => false, fail: () => undefined },
    },
  )
}

/** The text of the file that a mistake is in: the Corefile itself, or one that it imports. */
function sourceOf({ at }: PortolanError | CorefileWarning, file: string, text: string): string {
  return at === undefined || at.file === file ? text : readFileSync(at.file, 'utf8')
}

/** The plugin that an error about options speaks of. */
function pluginOf({ code, message, at }: PortolanError, { plugins }: Shell): string | undefined {
  if (code !== 'PORTOLAN_COREFILE_OPTION' || at === undefined) return undefined
  const said = message.slice(`${at.file}:${at.line}:${at.column}: `.length)
  return plugins.find(({ name }) => said.startsWith(`${name}: `))?.name
}
