/** Check of the kernel's table of connections, which every packet to a virtual address passes. */
import { type Check, type Finding, fault, isMissing, warning } from './check.ts'
import type { ConntrackFiles } from './world.ts'

/** Counted since the machine started: a few are no trouble. */
const fewFailures = 100
/** From this part on new connections are soon dropped. */
const nearlyFull = 0.9

export interface ConntrackFacts {
  readonly insertFailed: number
  readonly drop: number
  readonly earlyDrop: number
  readonly count: number | undefined
  readonly max: number | undefined
}

export const conntrackCheck: Check = {
  name: 'conntrack',
  examine({ conntrack }) {
    if (isMissing(conntrack)) return conntrack
    const facts = conntrackFacts(conntrack)
    if (facts === undefined) return { missing: `${conntrack.where} has no conntrack` }
    const { insertFailed, drop, count, max } = facts
    const filled = count === undefined || max === undefined ? '' : `, ${count} of ${max} entries`
    const summary = `${conntrack.where}: ${insertFailed} failed insertions, ${drop} drops${filled}`
    return { summary, findings: findingsOf(conntrack.where, facts) }
  },
}

function findingsOf(where: string, { insertFailed, drop, earlyDrop, count, max }: ConntrackFacts): Finding[] {
  const findings: Finding[] = []
  if (count !== undefined && max !== undefined && max > 0 && count >= max * nearlyFull) {
    const seen = `the table of ${where} is full: ${count} of ${max} entries`
    findings.push(
      fault(seen, 'packets of new connections are dropped, queries among them', [
        `sysctl -w net.netfilter.nf_conntrack_max=${max * 2}`,
        'conntrack -S',
      ]),
    )
  }
  if (insertFailed >= fewFailures)
    findings.push(
      fault(
        `${where} has failed to insert ${insertFailed} connections (insert_failed)`,
        'of two packets that a socket sends at once (A and AAAA) one is lost, and the lookup takes 5 s',
        [
          'conntrack -S',
          'dnsConfig: { options: [{ name: single-request-reopen }] }',
          'or NodeLocal DNSCache, whose queries are not tracked',
        ],
      ),
    )
  else if (insertFailed > 0)
    findings.push(
      warning(`insert_failed is ${insertFailed}`, 'a few lookups took 5 s since the start', ['conntrack -S']),
    )
  if (drop + earlyDrop > 0)
    findings.push(
      warning(
        `${drop} packets were dropped, ${earlyDrop} connections given up for others`,
        'the table was full at times',
        ['conntrack -S'],
      ),
    )
  return findings
}

/** Undefined where the kernel has no such table. */
export function conntrackFacts({ statistics, count, max }: ConntrackFiles): ConntrackFacts | undefined {
  if (statistics === undefined && count === undefined) return undefined
  const sums = statisticsOf(statistics ?? '')
  return {
    insertFailed: sums.get('insert_failed') ?? 0,
    drop: sums.get('drop') ?? 0,
    earlyDrop: sums.get('early_drop') ?? 0,
    count: numberIn(count),
    max: numberIn(max),
  }
}

/** A line for each processor, hexadecimal, below a line with what the columns are called. */
function statisticsOf(text: string): ReadonlyMap<string, number> {
  const [head = [], ...rows] = text
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/))
  return new Map(
    head.map((name, i) => [name, rows.reduce((sum, row) => sum + (Number.parseInt(row[i] ?? '0', 16) || 0), 0)]),
  )
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined || !/^\s*\d+\s*$/.test(text) ? undefined : Number(text)
}
