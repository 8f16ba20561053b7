/** What a command of the program is, and how its help reads. */
import type { Arguments, Options } from './arguments.ts'
import type { Shell } from './shell.ts'

/** The exit codes of every command. */
export const Exit = { done: 0, failed: 1, usage: 2 } as const

export interface Command {
  readonly name: string
  /** What it does, in one line without a full stop. */
  readonly summary: string
  /** What stands behind its name in the help, such as `[FILE]`. */
  readonly synopsis: string
  /** How many words it takes besides options, at most. */
  readonly words: number
  readonly options: Options
  /** What else a person should know; whole lines. */
  readonly notes?: string
  /**
   * Resolves to the exit code. A PortolanError that it throws is shown as one line, and the code is 1, or 2 for
   * PORTOLAN_USAGE.
   */
  run(given: Arguments, shell: Shell): Promise<number>
}

export function helpText({ name, summary, synopsis, options, notes }: Command): string {
  const all: Options = { ...options, help: { alias: ['h'], help: 'this text' } }
  const rows = Object.entries(all).map(([option, { value, alias, help }]) => {
    const spellings = [option, ...(alias ?? [])].map(spelling => `-${spelling}`).join(', ')
    return [value === undefined ? spellings : `${spellings} ${value}`, help] as const
  })
  return [
    `portolan ${name}: ${summary}`,
    '',
    `usage: portolan ${[name, synopsis].filter(Boolean).join(' ')}`,
    '',
    table(rows),
    ...(notes === undefined ? [] : ['', notes]),
    '',
  ].join('\n')
}

/** Two columns, indented. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd()).join('\n')
}
