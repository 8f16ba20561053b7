/** Which figures of a run are drawn. */
import type { Bar, Panel } from './chart.ts'
import type { Result } from './measure.ts'
import type { ServerName } from './programs.ts'
import type { Report } from './report.ts'

const labels: Readonly<Record<ServerName, string>> = {
  bare: 'bare C answerer',
  minimal: 'bare Node answerer',
  knot: 'Knot DNS',
  nsd: 'NSD',
  portolan: 'portolan',
  'portolan-dgram': 'portolan, Node sockets',
  coredns: 'CoreDNS',
}

/** They know no cluster that would be in their memory. */
const answerers: readonly ServerName[] = ['bare', 'minimal']

/** Those that tell most, as far as portolan and another server were measured; of the largest cluster. */
export function panelsOf({ clusters, programs }: Report): Panel[] {
  const { results = [], memory = [] } = clusters[0] ?? {}
  const bars = (value: (server: ServerName) => number | undefined): Bar[] =>
    programs.flatMap(({ name }) => {
      const found = value(name)
      return found === undefined ? [] : [{ label: labels[name], value: found, ours: name.startsWith('portolan') }]
    })
  const of = (which: string, figure: (result: Result) => number | undefined) =>
    bars(server => {
      const result = results.find(each => each.server === server && each.case === which)
      return result && figure(result)
    })
  const cpu = (result: Result) => result.speed?.cpuPerQuery
  const p99 = (result: Result) => result.latency.at(-1)?.p99Ms
  const resident = (server: ServerName) =>
    answerers.includes(server) ? undefined : memory.find(each => each.server === server)?.afterLoad.residentMb
  const panels: Panel[] = [
    {
      title: 'CPU time per query: A, AAAA, SRV, PTR and search-path misses',
      unit: 'µs',
      digits: 2,
      bars: of('mix', cpu),
    },
    { title: 'CPU time per query: random names that do not exist', unit: 'µs', digits: 2, bars: of('nxdomain', cpu) },
    { title: 'CPU time per query: uncached names of an upstream', unit: 'µs', digits: 1, bars: of('forward', cpu) },
    {
      title: '99 % are answered within, at 20,000 queries/s while 50 endpoints/s change',
      unit: 'ms',
      digits: 2,
      bars: of('churn', p99),
    },
    { title: 'Memory after load', unit: 'MiB', digits: 0, bars: bars(resident) },
  ]
  return panels.filter(({ bars }) => bars.length > 1 && bars.some(({ ours }) => ours))
}
