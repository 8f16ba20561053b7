/** What portolan is meant to reach, as ratios in one run on one machine, and whether it does. */
import type { Latency, Result } from './measure.ts'
import type { ServerName } from './programs.ts'
import type { ClusterReport } from './report.ts'

export interface Target {
  readonly what: string
  /** Limit and figure, for people. */
  readonly most: string
  readonly measured: string
  readonly met: boolean
}

const subject = 'portolan'
/** Queries per second at which latency is compared while the cluster changes, and during a flood. */
const [busyRate, floodRate] = [20_000, 10_000]

/** Of what was measured; a target of which a part was not is left out. */
export function targetsOf({ results, memory, startups, programming }: ClusterReport): Target[] {
  const cpu = (server: ServerName, which: string) => found(results, server, which)?.speed?.cpuPerQuery
  const at = (server: ServerName, which: string, rate: number): Latency | undefined =>
    found(results, server, which)?.latency.find(each => each.rate === rate)
  const p99 = (server: ServerName, which: string, rate: number) => at(server, which, rate)?.p99Ms
  const resident = (server: ServerName) => memory.find(each => each.server === server)?.residentMb
  const busy = ['churn', 'relist'] as const
  return [
    ratio('CPU per query, mix, to bare C', cpu(subject, 'mix'), cpu('bare', 'mix'), 1.3),
    ratio('CPU per query, mix, to Knot', cpu(subject, 'mix'), cpu('knot', 'mix') ?? cpu('nsd', 'mix'), 1),
    ratio('CPU per query, mix, to CoreDNS', cpu(subject, 'mix'), cpu('coredns', 'mix'), 1 / 12),
    ratio(
      'CPU per query, flood of names that do not exist, to the mix',
      cpu(subject, 'nxdomain'),
      cpu(subject, 'mix'),
      1.1,
    ),
    ratio('CPU per query, cached names of an upstream, to the mix', cpu(subject, 'cached'), cpu(subject, 'mix'), 1.2),
    ratio('CPU per query, pod names, to CoreDNS', cpu(subject, 'pods'), cpu('coredns', 'pods'), 1 / 2),
    ratio(
      'CPU per query, reverse names that fall through, to CoreDNS',
      cpu(subject, 'reverse'),
      cpu('coredns', 'reverse'),
      1 / 2,
    ),
    ratio(
      'p99 of the mix during a flood of pod names, to without',
      p99(subject, 'flood', floodRate),
      p99(subject, 'mix', floodRate),
      2,
    ),
    ratio(
      'CPU per query, uncached names of an upstream, to CoreDNS',
      cpu(subject, 'forward'),
      cpu('coredns', 'forward'),
      1,
    ),
    ...busy.map(which =>
      ratio(
        `p99 at ${busyRate}/s, ${which}, to CoreDNS`,
        p99(subject, which, busyRate),
        p99('coredns', which, busyRate),
        1 / 5,
      ),
    ),
    ...busy.map(which =>
      limit(
        `queries lost at ${busyRate}/s, ${which}, in percent`,
        percentOf(at(subject, which, busyRate)?.lost),
        0,
        '',
      ),
    ),
    limit(
      'p99 from a patch to its answer, with cache 30',
      programming.find(({ server, cached }) => server === subject && cached)?.p99Ms,
      5,
      'ms',
    ),
    limit('memory after load', resident(subject), 170, 'MiB'),
    ratio('memory after load, to CoreDNS', resident(subject), resident('coredns'), 1),
    limit('ready after start', startups.find(({ server }) => server === subject)?.readySeconds, 2, 's'),
  ].filter(target => target !== undefined)
}

/** CPU per query beside another server's; undefined where that is not among the results. */
export function ratioOf(results: readonly Result[], result: Result, than: ServerName): number | undefined {
  const other = found(results, than, result.case)?.speed
  return other && result.speed && result.speed.cpuPerQuery / other.cpuPerQuery
}

function found(results: readonly Result[], server: ServerName, which: string): Result | undefined {
  return results.find(result => result.server === server && result.case === which)
}

function ratio(what: string, own: number | undefined, other: number | undefined, most: number): Target | undefined {
  if (own === undefined || other === undefined) return undefined
  const value = own / other
  const limitText = most < 1 ? `1/${Math.round(1 / most)}` : `${most} x`
  const valueText = most < 1 ? `1/${(1 / value).toFixed(1)}` : `${value.toFixed(2)} x`
  return {
    what,
    most: limitText,
    measured: `${valueText} (${own.toFixed(2)} to ${other.toFixed(2)})`,
    met: value <= most,
  }
}

function limit(what: string, value: number | undefined, most: number, unit: string): Target | undefined {
  if (value === undefined) return undefined
  return { what, most: `${most} ${unit}`.trim(), measured: `${value.toFixed(2)} ${unit}`.trim(), met: value <= most }
}

function percentOf(share: number | undefined): number | undefined {
  return share === undefined ? undefined : share * 100
}
