/** The program as a whole: finds the command that is meant, runs it, and puts what goes wrong in words. */
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'
import { type Arguments, readArguments, usageError } from './arguments.ts'
import { check } from './check.ts'
import { type Command, Exit, helpText, table } from './command.ts'
import { doctor } from './doctor.ts'
import { explain } from './explain.ts'
import { plugins } from './plugins.ts'
import { query } from './query.ts'
import { routes } from './routes.ts'
import { serve } from './serve.ts'
import type { Shell } from './shell.ts'
import { top } from './top.ts'
import { version } from './version.ts'

const commands: readonly Command[] = [serve, check, query, explain, doctor, routes, top, plugins, version]

const HELP = new Set(['-h', '-help', '--help'])

/** Runs a command line, the program's own name left out; resolves to the exit code. Never rejects. */
export async function portolan(args: readonly string[], shell: Shell): Promise<number> {
  let command: Command | undefined
  try {
    const [first, ...rest] = args
    if (first === 'help' || (first !== undefined && HELP.has(first))) {
      shell.out(rest[0] === undefined ? overview() : helpText(commandNamed(rest[0])))
      return Exit.done
    }
    // As CoreDNS: without a command it serves.
    const implied = first === undefined || first.startsWith('-')
    command = implied ? serve : commandNamed(first)
    const own = implied ? args : rest
    if (own.some(arg => HELP.has(arg))) {
      shell.out(helpText(command))
      return Exit.done
    }
    return await command.run(argumentsFor(command, own), shell)
  } catch (error) {
    return failed(error, command, shell)
  }
}

function commandNamed(name: string): Command {
  const command = commands.find(known => known.name === name)
  if (command) return command
  const names = commands.map(known => known.name)
  throw usageError(`unknown command "${name}"${hint(name, names) || ` (there are ${names.join(', ')})`}`)
}

function argumentsFor(command: Command, args: readonly string[]): Arguments {
  const given = readArguments(args, command.options)
  const extra = given.words[command.words]
  if (extra !== undefined) throw usageError(`"${extra}" is one argument too many`)
  return given
}

function failed(error: unknown, command: Command | undefined, shell: Shell): number {
  if (!(error instanceof PortolanError)) {
    shell.err(`portolan: ${error instanceof Error ? error.stack : error}\n`)
    return Exit.failed
  }
  if (error.code !== 'PORTOLAN_USAGE') {
    shell.err(`portolan: ${error.message}\n`)
    return Exit.failed
  }
  const help = command === undefined ? 'portolan -help' : `portolan ${command.name} -help`
  shell.err(`portolan: ${error.message}\nsee \`${help}\`\n`)
  return Exit.usage
}

function overview(): string {
  const rows = commands.map(({ name, synopsis, summary }) => [`${name} ${synopsis}`, summary] as const)
  return `portolan: answers the names of a Kubernetes cluster, configured by a Corefile

usage: portolan COMMAND

${table(rows)}

Without a command it serves, and takes CoreDNS's command line: portolan -conf Corefile -dns.port 53
\`portolan COMMAND -help\` tells a command's options.
`
}
