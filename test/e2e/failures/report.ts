/** What failures did to the answers, as a table. */
import type { Outcome } from './trial.ts'

const columns: readonly (readonly [title: string, cell: (outcome: Outcome) => string])[] = [
  ['failure', ({ name }) => name],
  ['bound', ({ boundSeconds }) => `${boundSeconds} s`],
  ['all right after', ({ recoverySeconds }) => `${recoverySeconds.toFixed(1)} s`],
  ['asked', ({ asked }) => String(asked)],
  ['stale before', ({ staleBefore }) => String(staleBefore)],
  ['wrong after', ({ wrongAfter }) => String(wrongAfter)],
  ['never right', outcome => String(outcome.false)],
]

/** Times are from the end of the failure; before and after are those of the bound. */
export function failureTable(outcomes: readonly Outcome[]): string {
  const rows = [columns.map(([title]) => title), ...outcomes.map(outcome => columns.map(([, cell]) => cell(outcome)))]
  const widths = columns.map((_, n) => Math.max(...rows.map(row => row[n]!.length)))
  const line = (row: readonly string[]): string =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join('  ')
  return rows.map(line).join('\n')
}
