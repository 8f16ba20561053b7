/** A diagnosis for people: a line for each check, more for those that found something, and at the end the first cause. */
import { counted, type Finding } from './check.ts'
import type { Cause, CheckFacts, Diagnosis } from './diagnosis.ts'

const marks = { ok: '✓', fault: '✗', warning: '!', skipped: '-', note: '·' } as const
const width = 16
const indent = ' '.repeat(width + 2)

/** Whole lines. */
export function diagnosisText({ cause, checks }: Diagnosis): string {
  const lines = [
    ...folded(checks).flatMap(checkLines),
    '',
    ...(cause === undefined ? [wellLine(checks)] : causeLines(cause)),
  ]
  return `${lines.join('\n')}\n`
}

/** Neighbours that were skipped for one reason stand in one line. */
function folded(checks: readonly CheckFacts[]): Line[] {
  const lines: Line[] = []
  for (const facts of checks) {
    const before = lines.at(-1)
    const isSame = before?.outcome === 'skipped' && facts.outcome === 'skipped' && before.summary === facts.summary
    if (isSame) lines[lines.length - 1] = { ...before, also: [...(before.also ?? []), facts.check] }
    else lines.push(facts)
  }
  return lines
}

interface Line extends CheckFacts {
  readonly also?: readonly string[]
}

function checkLines({ check, outcome, summary, findings, also = [] }: Line): string[] {
  const head = (text: string) => `${marks[outcome]} ${check.padEnd(width)}${text}`
  if (outcome === 'skipped') return [head(`${['skipped', ...also].join(', ')}: ${summary}`)]
  const loud = findings.filter(({ level }) => level !== 'note')
  const notes = findings.filter(({ level }) => level === 'note').map(({ seen }) => `${indent}${marks.note} ${seen}`)
  if (loud.length === 0) return [head(summary), ...notes]
  const [first = '', ...rest] = loud.flatMap(findingLines)
  return [head(first), ...rest.map(line => `${indent}${line}`), ...notes]
}

function findingLines({ level, seen, means, next }: Omit<Finding, 'explains'>, i: number): string[] {
  const begin = i === 0 ? '' : `${marks[level]} `
  return [`${begin}${seen}`, `  means  ${means}`, ...nextLines(next).map(line => `  ${line}`)]
}

function nextLines(next: readonly string[]): string[] {
  return next.map((command, i) => `${(i === 0 ? 'next' : '').padEnd(6)} ${command}`)
}

function causeLines({ check, seen, means, next, consequences, others }: Cause): string[] {
  return [
    `FIRST CAUSE (${check}): ${seen}`,
    `  means  ${means}`,
    ...nextLines(next).map(line => `  ${line}`),
    ...(consequences.length > 0 ? [`  follows  ${consequences.join(', ')}`] : []),
    ...(others.length > 0 ? [`  besides  ${others.join(', ')} found something else`] : []),
  ]
}

function wellLine(checks: readonly CheckFacts[]): string {
  const count = (outcome: CheckFacts['outcome']) => checks.filter(check => check.outcome === outcome).length
  const parts = [
    `${counted(count('ok') + count('warning'), 'check')} found no fault`,
    ...(count('warning') > 0 ? [`${count('warning')} with warnings`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} skipped`] : []),
  ]
  return `healthy: ${parts.join(', ')}`
}
