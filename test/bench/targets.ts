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
/** How much a flood may add to what others wait: hardly more than rounds of one run differ. */
const floodFactor = 2

/** CPU per query in one case, beside that of a server in the same case or of portolan in another. */
const cpuTargets: readonly (readonly [of: string, to: readonly [ServerName, string], most: number])[] = [
  ['mix', ['bare', 'mix'], 1.3],
  ['mix', ['knot', 'mix'], 1],
  ['mix', ['nsd', 'mix'], 1],
  ['mix', ['coredns', 'mix'], 1 / 12],
  ['nxdomain', [subject, 'mix'], 1.1],
  ['cached', [subject, 'mix'], 1.2],
  ['pods', ['coredns', 'pods'], 1 / 2],
  ['reverse', ['coredns', 'reverse'], 1 / 2],
  ['fallthrough', ['coredns', 'fallthrough'], 1 / 2],
  ['forward', ['coredns', 'forward'], 1],
]

/** Of what was measured; a target of which a part was not is left out. */
export function targetsOf({ results, memory, startups, programming }: ClusterReport): Target[] {
  const cpu = (server: ServerName, which: string) => found(results, server, which)?.speed?.cpuPerQuery
  const at = (server: ServerName, which: string, rate: number): Latency | undefined =>
    found(results, server, which)?.latency.find(each => each.rate === rate)
  const wait = `p99 at ${busyRate}/s`
  return [
    ...cpuTargets.map(([of, [server, which], most]) =>
      ratio(`CPU per query: ${of}, to ${which === of ? server : which}`, cpu(subject, of), cpu(server, which), most),
    ),
    ratio(
      `p99 at ${floodRate}/s: flood of pod names, to none`,
      at(subject, 'flood', floodRate)?.p99Ms,
      at(subject, 'mix', floodRate)?.p99Ms,
      floodFactor,
    ),
    ...['churn', 'relist'].flatMap(which => {
      const [own, other] = [at(subject, which, busyRate), at('coredns', which, busyRate)]
      return [ratio(`${wait}: ${which}, to coredns`, own?.p99Ms, other?.p99Ms, 1 / 5), nothingLost(which, own)]
    }),
    limit(
      'p99 from a patch to its answer, with cache 30',
      programming.find(({ server, cached }) => server === subject && cached)?.p99Ms,
      5,
      'ms',
    ),
    ...(['afterStart', 'afterLoad'] as const).flatMap(when => {
      const what = `memory, settled after ${when === 'afterStart' ? 'start' : 'load'}`
      const resident = (server: ServerName) => memory.find(each => each.server === server)?.[when].residentMb
      return [
        limit(what, resident(subject), 170, 'MiB'),
        ratio(`${what}, to coredns`, resident(subject), resident('coredns'), 1),
      ]
    }),
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
  const written = (share: number, digits: number) =>
    most < 1 ? `1/${(1 / share).toFixed(digits)}` : `${share.toFixed(digits + 1)} x`
  const measured = `${written(value, 1)} (${own.toFixed(2)} to ${other.toFixed(2)})`
  return { what, most: written(most, 0), measured, met: value <= most }
}

function limit(what: string, value: number | undefined, most: number, unit: string): Target | undefined {
  if (value === undefined) return undefined
  return { what, most: `${most} ${unit}`, measured: `${value.toFixed(2)} ${unit}`, met: value <= most }
}

function nothingLost(which: string, own: Latency | undefined): Target | undefined {
  if (own === undefined) return undefined
  const { lost, dropped } = own
  const measured = `${(lost * 100).toFixed(2)} % (${dropped} dropped in its sockets)`
  return { what: `lost at ${busyRate}/s: ${which}`, most: '0 %', measured, met: lost === 0 }
}
