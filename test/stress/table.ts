/**
 * Four threads verify every answer of the answer table while a million changes are made; one of them stops for five seconds in
 * mid-batch, one throws. `npm run stress:table [-- --no-epochs] [--changes N] [--seed N]`; it fails where anything wrong was seen, as it
 * must with `--no-epochs`.
 */
import { parseArgs } from 'node:util'
import { faults } from './table-answers.ts'
import { type CourseFigures, runCourse } from './table-course.ts'

const { values } = parseArgs({
  options: {
    'no-epochs': { type: 'boolean', default: false },
    changes: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
  },
})

const figures = await runCourse({
  changes: Number(values.changes),
  names: 60_000,
  witnesses: 4,
  seed: Number(values.seed),
  hold: { changes: 0, ms: 5000 },
  reclaim: values['no-epochs'] ? 'at once' : 'epochs',
})

const mib = (octets: number) => `${(octets / 2 ** 20).toFixed(1)} MiB`
const { seen } = figures
const rows: readonly [string, string | number][] = [
  ['changes', figures.inserted + figures.replaced + figures.removed],
  ['  inserted, replaced, removed', `${figures.inserted}, ${figures.replaced}, ${figures.removed}`],
  ['  kept answers refused', figures.refused],
  ['  index resized, arena grown', `${figures.rebuilds}, ${figures.growths}`],
  ['look-ups', seen.lookups],
  ['  found, absent, unknown', `${seen.found}, ${seen.absent}, ${seen.unknown}`],
  ...faults.map((fault): [string, number] => [`  ${fault}`, seen[fault]]),
  ['limbo at most, nobody held', mib(figures.limboBefore)],
  ['limbo at most, one held', `${mib(figures.limboHeld)} of ${mib(figures.replacedHeld)} replaced`],
  ['limbo when it had gone on', mib(figures.limboAfter)],
  ['in use at most, arena', `${mib(figures.usedBytes)}, ${mib(figures.arenaBytes)}`],
  ['in use when all was removed', `${figures.left} octets`],
  ['seconds', figures.seconds.toFixed(1)],
]
for (const [label, value] of rows) process.stdout.write(`${label.padEnd(32)} ${value}\n`)

const wrong = mistakes(figures)
for (const mistake of wrong) process.stdout.write(`WRONG: ${mistake}\n`)
process.exitCode = wrong.length === 0 ? 0 : 1

function mistakes(figures: CourseFigures): string[] {
  const { faults, limboHeld, replacedHeld, limboAfter, usedBytes, arenaBytes, left, thrownInBatch } = figures
  const checks: readonly [boolean, string][] = [
    [faults === 0, `${faults} answers were torn, foreign, stale or lost`],
    [limboHeld <= replacedHeld, 'more is in limbo than was replaced'],
    [limboAfter < 2 ** 24, 'limbo was not reclaimed'],
    [arenaBytes < usedBytes * 1.5 + 2 ** 20, 'the arena is far larger than what was in use'],
    [left === 0, 'octets are still in use'],
    [thrownInBatch, 'nothing was thrown in mid-batch'],
  ]
  return checks.filter(([holds]) => !holds).map(([, mistake]) => mistake)
}
