/** Failures of which clients, or the network, can cause any number: they are counted, and reported together. */
import type { Clock } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'

/** They are reported at most this often. */
const PERIOD_MS = 60_000

/** Of what there was one or many, and what could not be done with them. */
export interface Failing {
  readonly one: string
  readonly many: string
  readonly what: string
}

/** Returns what is to be told of each failure: logs the first at once, and then how many there were in each period. */
export function failureLog(
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  scope: string,
  { one, many, what }: Failing,
): (error: Error) => void {
  let failures = 0
  let reportAt = Number.NEGATIVE_INFINITY
  return error => {
    failures++
    const now = clock.monotonic()
    if (now < reportAt) return
    const count = failures === 1 ? `1 ${one}` : `${failures} ${many}`
    log.warning(`${scope}: ${count} could not be ${what}, the last: ${error.message}`)
    failures = 0
    reportAt = now + PERIOD_MS
  }
}
