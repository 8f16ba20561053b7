/** The figures as a person reads them. */
import type { Size } from './data.ts'
import type { Machine } from './machine.ts'
import { fixedRate, type Result } from './measure.ts'
import type { ServerName } from './servers.ts'

/** How much of another answerer's CPU time per query portolan may need. */
const targets: readonly (readonly [than: ServerName, most: number])[] = [
  ['minimal', 1.4],
  ['coredns', 0.5],
]

export interface Startup {
  readonly server: ServerName
  /** From the start of the process to the first right answers. */
  readonly readySeconds: number
  readonly residentMb: number
}

export interface Report {
  readonly size: Size
  /** Where the cluster was read from. */
  readonly source: string
  readonly load: string
  readonly rounds: number
  readonly seconds: number
  /** When the measuring began. */
  readonly machine: Machine
  readonly loadAverageAtEnd: number
  readonly startups: readonly Startup[]
  readonly results: readonly Result[]
  /** What a reader has to know besides. */
  readonly notes: readonly string[]
}

export function reportText(report: Report): string {
  const { size, source, load, rounds, seconds, machine, loadAverageAtEnd } = report
  const { cpu, cores, kernel, node, rmemMax, loadAverage } = machine
  return [
    `${grouped(size.services)} services x ${size.endpoints} endpoints from ${source}; ${load}; medians of ${rounds} rounds of ${seconds} s`,
    `${cpu}, ${cores} cores, ${kernel}, Node ${node}, load average ${loadAverage.toFixed(1)} to ${loadAverageAtEnd.toFixed(1)}, rmem_max ${rmemMax}`,
    ...report.notes,
    '',
    ...startupTable(report.startups),
    '',
    ...resultTable(report.results),
    '',
    ...targetLines(report.results),
    '',
  ].join('\n')
}

function startupTable(startups: readonly Startup[]): string[] {
  return table([
    ['server', 'start to right answer', 'memory after sync'],
    ...startups.map(({ server, readySeconds, residentMb }) => [
      server,
      `${readySeconds.toFixed(2)} s`,
      `${residentMb.toFixed(0)} MB`,
    ]),
  ])
}

function resultTable(results: readonly Result[]): string[] {
  const rate = `at ${grouped(fixedRate)}/s`
  return table([
    [
      'case',
      'server',
      'CPU us/query',
      'x minimal',
      'x coredns',
      'queries/s',
      'lost',
      'mean ms',
      'memory',
      `p50 ms ${rate}`,
      'p99 ms',
      'lost',
    ],
    ...results.map(result => {
      const { medians } = result
      return [
        result.case,
        result.server,
        medians.cpuPerQuery.toFixed(2),
        ratioText(results, result, 'minimal'),
        ratioText(results, result, 'coredns'),
        grouped(medians.perSecond),
        percent(medians.lost),
        medians.meanMs.toFixed(2),
        `${medians.residentMb.toFixed(0)} MB`,
        medians.p50Ms.toFixed(2),
        medians.p99Ms.toFixed(2),
        percent(medians.lostAtRate),
      ]
    }),
  ])
}

function targetLines(results: readonly Result[]): string[] {
  return targets.flatMap(([than, most]) =>
    results
      .filter(({ server }) => server.startsWith('portolan'))
      .flatMap(result => {
        const ratio = ratioTo(results, result, than)
        if (ratio === undefined) return []
        const verdict = ratio <= most ? 'met' : 'missed'
        return `target ${verdict}: ${result.server} ${result.case}: ${ratio.toFixed(2)} x ${than}'s CPU per query, at most ${most}`
      }),
  )
}

function ratioText(results: readonly Result[], result: Result, than: ServerName): string {
  return ratioTo(results, result, than)?.toFixed(2) ?? '-'
}

/** CPU per query beside another server's in the same case; undefined where that was not measured. */
function ratioTo(results: readonly Result[], result: Result, than: ServerName): number | undefined {
  const other = results.find(({ server, case: which }) => server === than && which === result.case)
  return other && result.medians.cpuPerQuery / other.medians.cpuPerQuery
}

/** The first two columns are words, the others numbers. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const isText = (column: number) => rows.every(row => !/^[\d-]/.test(row[column]!))
  return rows.map(row =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

function grouped(n: number): string {
  return Math.round(n).toLocaleString('en')
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`
}
