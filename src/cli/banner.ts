/** What `serve` says when it has started: what is served where, and how to try it. */
import { relative } from 'node:path'
import type { ClusterView } from '../cluster/contract.ts'
import { keyOf, type Service } from '../cluster/objects.ts'
import { hostPort } from '../corefile/addresses.ts'
import { Kubernetes } from '../plugins/kubernetes/index.ts'
import type { RunningBlock } from '../server/router.ts'
import type { Server } from '../server/server.ts'
import { version } from '../version.ts'
import { type NameKey, textFromKey } from '../wire/name.ts'
import { isReverse } from '../zone/address.ts'

/** Where and what a server block serves. */
interface Served {
  /** Empty for all addresses. */
  readonly host: string
  readonly port: number
  readonly block: RunningBlock
}

/** A cluster that is read from manifests, and where its names can be asked for. */
interface Sample {
  readonly folder: string
  readonly view: ClusterView
  readonly zone: string
  readonly at: Served
}

/** Whole lines. For a server that has just started: listeners are in the order of the endpoints. */
export function banner(server: Pick<Server, 'instance' | 'listeners'>): string {
  const { instance } = server
  const ports = server.listeners.filter(({ protocol }) => protocol === 'udp').map(({ port }) => port)
  const served = instance.endpoints.flatMap((endpoint, i): Served[] => {
    const blocks = instance.router(endpoint)?.blocks ?? []
    return blocks.map(block => ({ host: endpoint.host, port: ports[i] ?? endpoint.port, block }))
  })
  const sample = served.map(sampleIn).find(found => found !== undefined)
  const blocks = count(instance.blocks.length, 'server block')
  const facts = [
    `portolan ${version}`,
    blocks,
    ...(sample ? [`cluster from ${sample.folder} (${contents(sample.view)})`] : []),
  ]
  return `${[facts.join(' · '), ...places(served), ...(sample ? tries(sample) : [])].join('\n')}\n`
}

function places(served: readonly Served[]): string[] {
  const rows = served.map(({ host, port, block }) => [
    `dns://${hostPort(host, port)}`,
    block.origins.map(displayed).join(' '),
    summary(block),
  ])
  const widths = [0, 1].map(column => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => `  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('   ')}`)
}

/** The plugins that a query passes, in order, as the Corefile has them. */
function summary({ plugins, directives }: RunningBlock): string {
  const links = new Set(plugins.filter(plugin => plugin.handle !== undefined).map(({ name }) => name))
  return [...links]
    .flatMap(link => directives.filter(({ name }) => name === link))
    .map(({ name, args }) => shortened([name, ...args.map(({ text }) => text)].join(' ')))
    .join(' · ')
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function sampleIn(at: Served): Sample | undefined {
  const plugin = at.block.plugins.find(plugin => plugin instanceof Kubernetes)
  if (plugin?.options.manifests === undefined) return undefined
  const { cluster: view, options } = plugin
  // One zone at least is not a reverse zone.
  const zone = displayed(options.origins.find(origin => !isReverse(origin))!)
  return { folder: nearPath(plugin.options.manifests), view, zone, at }
}

/** As a person would write it here: relative where that is shorter. */
function nearPath(path: string): string {
  const near = relative('', path) || '.'
  return near.length < path.length ? near : path
}

function contents(view: ClusterView): string {
  let endpoints = 0
  for (const slice of view.list('EndpointSlice')) endpoints += slice.endpoints.length
  const services = [...view.list('Service')].length
  const namespaces = [...view.list('Namespace')].length
  return [count(services, 'service'), count(endpoints, 'endpoint'), count(namespaces, 'namespace')].join(', ')
}

function tries({ view, zone, folder, at }: Sample): string[] {
  const service = showpiece(view)
  if (service === undefined) return []
  const name = `${service.name}.${service.namespace}.svc.${zone}`
  const dig = `dig @${at.host || '127.0.0.1'}${at.port === 53 ? '' : ` -p ${at.port}`}`
  const port = service.ports.find(port => port.name !== '')
  return [
    `  try   ${dig} ${name}`,
    ...(port ? [`        ${dig} _${port.name}._${port.protocol.toLowerCase()}.${name} SRV`] : []),
    `  edit a file in ${folder} and ask again: the answer changes at once`,
  ]
}

/** A service that is good to ask for: not the system's, with an address, and of these one with many endpoints. */
function showpiece(view: ClusterView): Service | undefined {
  const score = (service: Service) => {
    const own = service.namespace !== 'default' && service.namespace !== 'kube-system'
    const endpoints = view.slices(keyOf(service)).reduce((sum, slice) => sum + slice.endpoints.length, 0)
    return Number(own) * 2e6 + Number(service.clusterIPs.length > 0) * 1e6 + endpoints
  }
  return [...view.list('Service')].reduce<Service | undefined>(
    (best, service) => (best === undefined || score(service) > score(best) ? service : best),
    undefined,
  )
}

function displayed(origin: NameKey): string {
  const text = textFromKey(origin)
  return text === '.' ? text : text.slice(0, -1)
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
