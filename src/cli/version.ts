/** `portolan version`: which program this is. */
import { version as number } from '../version.ts'
import { type Command, Exit } from './command.ts'
import type { Shell } from './shell.ts'

export const version: Command = {
  name: 'version',
  summary: 'tells the version',
  synopsis: '',
  words: 0,
  options: {},
  run: async (_given, shell) => showVersion(shell),
}

export function showVersion(shell: Shell): number {
  shell.out(`portolan ${number}\n${process.platform}/${process.arch}, node ${process.version}\n`)
  return Exit.done
}
