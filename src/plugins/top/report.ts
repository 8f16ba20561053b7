/** What `top` tells over HTTP, as JSON. */
import { SAMPLED_ONE_IN } from '../../wire/sample.ts'
import { adviceFor } from './advice.ts'
import type { Tally } from './tally.ts'

/** The domains of a cluster that a search list begins with: `<namespace>.svc.<zone>`, `svc.<zone>`, `<zone>`. */
export const DOMAINS = 3

export interface Report {
  /** For how long it was counted. */
  readonly seconds: number
  readonly sampledOneIn: number
  /** Names that were looked for in all domains of a cluster, A and AAAA apart, and the queries that this took; estimated. */
  readonly searches: number
  readonly misses: number
  /** The most first. */
  readonly rows: readonly Row[]
}

export interface Row {
  /** Without the last dot, in lower case. */
  readonly name: string
  /** The workload, `namespace/name`, or the address where that is not known. */
  readonly client: string
  readonly searches: number
  readonly misses: number
  /** How many of the `searches` may be others', which had this line before. */
  readonly error: number
  readonly advice: readonly string[]
}

/** `walks`: whether the server goes through the search lists of clients that it knows. */
export function reportOf(tally: Tally, walks: boolean): Report {
  const { seconds, total, counted } = tally.report()
  const rows = counted.map(({ name, client, count, error }) => ({
    ...{ name, client, searches: count, misses: count * DOMAINS, error },
    advice: adviceFor(name, walks),
  }))
  return { seconds, sampledOneIn: SAMPLED_ONE_IN, searches: total, misses: total * DOMAINS, rows }
}
