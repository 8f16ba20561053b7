/** How `portolan routes` shows what it found: tables for people, JSON and YAML for programs, with the same facts. */
import { stringify } from 'yaml'
import type { Arguments } from './arguments.ts'
import type { Shell } from './shell.ts'

/** Writes the facts as the option says, or the text for people. */
export function show(given: Arguments, { out }: Shell, facts: unknown, text: () => string): void {
  const form = given.oneOf('output', ['table', 'json', 'yaml'], 'table')
  if (form === 'json') out(`${JSON.stringify(facts, null, 2)}\n`)
  else if (form === 'yaml') out(stringify(facts, { aliasDuplicateObjects: false, lineWidth: 0 }))
  else out(text())
}

/** Columns as wide as their widest cell; the last one is not filled up. Each line ends. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map(row => row[i]!.length))) ?? []
  return rows
    .map(
      row =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
