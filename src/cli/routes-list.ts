/** `portolan routes list`: every virtual address, what it leads to, and the services that have none. */
import { hostPort } from '../corefile/addresses.ts'
import { nameOf, type Route } from '../routes/route.ts'
import type { Place } from '../routes/usable.ts'
import { usable, verdict } from '../routes/usable.ts'
import type { Arguments } from './arguments.ts'
import { Exit } from './command.ts'
import { familiesOf, readCluster } from './routes-cluster.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function listRoutes(given: Arguments, shell: Shell): Promise<number> {
  const { table, node } = await readCluster(given, shell, false)
  const families = familiesOf(given)
  const place = node && { node: node.name, zone: node.zone }
  const rows = [...table.all()]
    .filter(({ destination }) => families.includes(destination.family))
    .map(route => rowOf(route, place, table.find(route.ip, route.protocol, route.port)))
  const without = [...table.routeless()].map(([service, { reason, text }]) => ({ service, reason, text }))
  show(given, shell, { node: node?.name, routes: rows, without }, () => textOf(rows, without))
  return Exit.done
}

interface Row {
  readonly address: string
  readonly port: number
  readonly protocol: string
  readonly kind: Route['kind']
  readonly service: string
  /** What becomes of a connection from outside the cluster; without a node, what does not depend on one. */
  readonly action: 'forward' | 'REJECT' | 'DROP'
  readonly why: string | undefined
  readonly usable: number
  readonly endpoints: number
  readonly notes: readonly string[]
}

function rowOf(route: Route, place: Place | undefined, owner: Route | undefined): Row {
  const { destination, kind, ip, port, protocol } = route
  const found = usable(destination, place ?? { node: '', zone: '' })
  const side = kind === 'ClusterIP' ? 'internal' : 'external'
  const said = verdict(destination, found, side)
  const policy = side === 'internal' ? destination.internalPolicy : destination.externalPolicy
  // Without a node nobody knows which endpoints are local: those that some node may use are counted.
  const open = place === undefined && policy === 'Local' && found.anywhere
  const backends = open
    ? destination.backends.filter(({ ready }) => ready)
    : said.action === 'forward'
      ? said.backends
      : []
  const notes = [
    ...(owner?.destination !== destination ? [`not used: ${nameOf(owner!.destination)} has this address`] : []),
    ...(policy === 'Local' ? [`${side}TrafficPolicy Local`] : []),
    ...(destination.affinitySeconds > 0 ? [`affinity ${destination.affinitySeconds} s`] : []),
    ...(found.topology === undefined ? [] : [found.topology]),
    ...(kind === 'LoadBalancer' && destination.sourceRanges.length > 0
      ? [`from ${destination.sourceRanges.join(', ')}`]
      : []),
  ]
  return {
    address: ip,
    port,
    protocol,
    kind,
    service: nameOf(destination),
    action: open ? 'forward' : said.action,
    why: open || said.action === 'forward' ? undefined : said.why,
    usable: backends.length,
    endpoints: destination.backends.length,
    notes,
  }
}

function textOf(rows: readonly Row[], without: readonly { service: string; text: string }[]): string {
  const lines = rows.map(({ address, port, protocol, kind, service, action, why, usable, endpoints, notes }) => [
    `${addressText(kind, address, port)}/${protocol}`,
    kind,
    service,
    action === 'forward' ? `${usable} of ${endpoints}` : `${action}: ${why}`,
    notes.join('; '),
  ])
  const table =
    rows.length === 0 ? 'no routes\n' : columns([['ADDRESS', 'KIND', 'SERVICE', 'ENDPOINTS', 'NOTES'], ...lines])
  const others = without.map(({ service, text }) => [service, text])
  return others.length === 0 ? table : `${table}\nwithout routes\n${columns(others)}`
}

function addressText(kind: Route['kind'], ip: string, port: number): string {
  if (kind === 'NodePort') return `${ip === '::' ? '[node]' : 'node'}:${port}`
  return hostPort(ip, port)
}
