/** Differences between a kernel and its rules, as lines for the log. A comparison costs little where nothing was changed since the last. */
import { hash } from 'node:crypto'
import type { Finding } from '../diff/finding.ts'

/** What differs, without notes: those do no harm. */
export function linesOf(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level }) => level === 'fault')
    .map(({ kind, table, chain, rule, service, why }) => {
      const where = [table, chain].filter(Boolean).join(' ')
      return `${kind}: ${where}${service === undefined ? '' : `, service ${service}`}: ${rule}: ${why}`
    })
}

/** Remembers the text of a kernel that was found to be right. */
export class Verified {
  #digest = ''

  /** `compare` is asked unless the kernel wrote the same when it was right, and nothing was loaded since. */
  check(dump: string, compare: () => string[]): string[] {
    const digest = hash('sha256', dump)
    if (digest === this.#digest) return []
    const lines = compare()
    this.#digest = lines.length === 0 ? digest : ''
    return lines
  }

  /** To be called when something is loaded. */
  forget(): void {
    this.#digest = ''
  }
}
