/**
 * Runs the tests through tap, checks the coverage, and ends with the plain line `N passed, N failed`. Arguments are passed on to
 * tap: `npm test -- test/wire/name.test.ts`; then coverage is not checked.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'

/** Percent of lines; tap itself knows only 100. */
const LEAST_COVERAGE = 90
const OUTPUT = '.tap/output.tap'
const SUMMARY = '.tap/report/coverage-summary.json'

const some = process.argv.slice(2)
const reporter = process.stdout.isTTY ? 'default' : 'terse'
const coverage = some.length > 0 ? ['--disable-coverage'] : ['--coverage-report=json-summary']
rmSync(SUMMARY, { force: true })
const { status } = spawnSync(
  'tap',
  ['run', `--reporter=${reporter}`, `--output-file=${OUTPUT}`, ...coverage, ...some],
  {
    stdio: 'inherit',
  },
)

const [passed, failed] = counts(readFileSync(OUTPUT, 'utf8'))
const uncovered = some.length === 0 && status === 0 ? lacking(SUMMARY) : undefined
if (uncovered) process.stderr.write(`${uncovered}\n`)
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = uncovered ? 1 : (status ?? 1)

/** Assertions that passed and failed, from the closing comment of tap's output. */
function counts(output: string): [number, number] {
  const closing = output.match(/^# \{ total: \d+.*\}$/gm)?.at(-1) ?? ''
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(closing)?.[1] ?? 0)
  return [count('pass'), count('fail')]
}

/** What is wrong with the coverage, if anything is. */
function lacking(file: string): string | undefined {
  const summary: { total: { lines: { pct: number } } } = JSON.parse(readFileSync(file, 'utf8'))
  const { pct } = summary.total.lines
  process.stdout.write(`${pct} % of lines covered\n`)
  return pct >= LEAST_COVERAGE ? undefined : `at least ${LEAST_COVERAGE} % of lines must be covered`
}
