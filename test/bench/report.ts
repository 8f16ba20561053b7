/** What a run found out, and how a person reads it. */
import { liveCases, loadCases } from './cases.ts'
import type { Size } from './data.ts'
import type { Live } from './live.ts'
import type { Machine } from './machine.ts'
import { fixedRates, type Latency, type Result } from './measure.ts'
import type { MemoryParts } from './memory-parts.ts'
import type { Memory } from './process.ts'
import type { ServerName } from './programs.ts'
import { ratioOf, type Target } from './targets.ts'

export interface Report {
  readonly load: string
  readonly rounds: number
  readonly seconds: number
  /** When the measuring began. */
  readonly machine: Machine
  readonly loadAverageAtEnd: number
  readonly programs: readonly { readonly name: ServerName; readonly title: string; readonly version: string }[]
  /** The largest first. */
  readonly clusters: readonly ClusterReport[]
  readonly targets: readonly Target[]
  /** What a reader has to know besides. */
  readonly notes: readonly string[]
}

export interface ClusterReport {
  readonly size: Size
  /** Where the cluster was read from. */
  readonly source: string
  /** Those of the changing cluster too. */
  readonly results: readonly Result[]
  readonly memory: readonly SettledMemory[]
  /** Of portolan, where it was measured with both engines. */
  readonly memoryParts?: MemoryParts
  readonly startups: Live['startups']
  readonly programming: Live['programming']
}

/** What a server holds a while after the cluster is known, and a while after all load. */
export interface SettledMemory {
  readonly server: ServerName
  readonly seconds: number
  readonly afterStart: Memory
  readonly afterLoad: Memory
}

export function reportText({ load, rounds, seconds, machine, loadAverageAtEnd, ...rest }: Report): string {
  const { cpu, cores, kernel, loadAverage, rmemMax } = machine
  const { programs, clusters, targets, notes } = rest
  return [
    `${cpu}, ${cores} cores, ${kernel}, rmem_max ${rmemMax}`,
    `load average ${loadAverage.toFixed(1)} before, ${loadAverageAtEnd.toFixed(1)} after; ${load}; medians of ${rounds} rounds of ${seconds} s`,
    ...notes.map(note => `NOTE: ${note}`),
    '',
    ...table([
      ['server', 'what it is', 'version'],
      ...programs.map(({ name, title, version }) => [name, title, version]),
    ]),
    ...clusters.flatMap(clusterLines),
    ...(targets.length > 0 ? ['', ...targetTable(targets)] : []),
    '',
  ].join('\n')
}

function clusterLines({ size, source, results, memory, memoryParts, startups, programming }: ClusterReport): string[] {
  const speeds = results.filter(({ speed }) => speed !== undefined)
  const latencies = results.filter(({ speed }) => speed === undefined)
  const sections = [
    [`${grouped(size.services)} services x ${size.endpoints} endpoints, from ${source}`],
    ...loadCases
      .map(({ name, title }) => [title, speeds.filter(result => result.case === name)] as const)
      .filter(([, own]) => own.length > 0)
      .map(([title, own]) => [title, ...speedTable(own)]),
    ...[...loadCases.map(({ name, title }) => [name, title]), ...Object.entries(liveCases)]
      .map(([name, title]) => [title!, latencies.filter(result => result.case === name)] as const)
      .filter(([, own]) => own.length > 0)
      .map(([title, own]) => [title, ...latencyTable(own)]),
    startups.length === 0
      ? []
      : table([
          [liveCases.start, 'seconds', 'memory then', 'peak'],
          ...startups.map(start => [
            start.server,
            start.readySeconds.toFixed(2),
            mb(start.residentMb),
            mb(start.peakMb),
          ]),
        ]),
    programming.length === 0
      ? []
      : table([
          [liveCases.programming, 'patches', 'p50 ms', 'p99 ms', 'max ms'],
          ...programming.map(({ server, cached, patches, p50Ms, p99Ms, maxMs }) => [
            `${server}, ${cached ? 'cache 30' : "kubeadm's Corefile (the cluster is not cached)"}`,
            String(patches),
            p50Ms.toFixed(2),
            p99Ms.toFixed(2),
            maxMs.toFixed(2),
          ]),
        ]),
    memory.length === 0
      ? []
      : table([
          [`memory, ${memory[0]!.seconds} s later`, 'after start', 'after load', 'peak'],
          ...memory.map(({ server, afterStart, afterLoad }) => [
            server,
            mb(afterStart.residentMb),
            mb(afterLoad.residentMb),
            mb(afterLoad.peakMb),
          ]),
        ]),
    memoryParts === undefined ? [] : [partsLine(memoryParts)],
  ]
  return sections.filter(lines => lines.length > 0).flatMap(lines => ['', ...lines])
}

function partsLine({ base, threads, table, rest }: MemoryParts): string {
  return `portolan after start: ${mb(base)} without a zone, ${mb(threads)} answer threads, ${mb(table)} answer table, ${mb(rest)} objects, API client and heap`
}

function speedTable(results: readonly Result[]): string[] {
  const zoneServer = results.some(({ server }) => server === 'nsd') ? 'nsd' : 'knot'
  const others = ['bare', zoneServer, 'coredns'] as const
  return table([
    ['', 'CPU us/query', ...others.map(than => `x ${than}`), 'queries/s', 'lost', ...latencyHeads()],
    ...results.map(result => [
      result.server,
      result.speed!.cpuPerQuery.toFixed(2),
      ...others.map(than => ratioOf(results, result, than)?.toFixed(2) ?? '-'),
      grouped(result.speed!.perSecond),
      percent(result.speed!.lost),
      ...result.latency.flatMap(latencyCells),
    ]),
  ])
}

function latencyTable(results: readonly Result[]): string[] {
  const rates = results[0]!.latency.length
  return table([
    ['', ...latencyHeads().slice(0, rates * 2)],
    ...results.map(({ server, latency }) => [server, ...latency.flatMap(latencyCells)]),
  ])
}

function latencyHeads(): string[] {
  return fixedRates.flatMap(rate => [`p50/p99/p99.9 ms at ${grouped(rate)}/s`, 'lost'])
}

function latencyCells({ p50Ms, p99Ms, p999Ms, lost, dropped }: Latency): string[] {
  return [
    `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)} / ${p999Ms.toFixed(2)}`,
    dropped > 0 ? `${percent(lost)} (${dropped} in its socket)` : percent(lost),
  ]
}

function targetTable(targets: readonly Target[]): string[] {
  return table([
    ['target', 'at most', 'measured', ''],
    ...targets.map(({ what, most, measured, met }) => [what, most, measured, met ? 'met' : 'MISSED']),
  ])
}

/** Words to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const isText = (column: number) => column === 0 || rows.slice(1).some(row => /^[A-Za-z]/.test(row[column]!))
  return rows.map(row =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

export function grouped(n: number): string {
  return Math.round(n).toLocaleString('en')
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`
}

function mb(n: number): string {
  return `${n.toFixed(0)} MiB`
}
