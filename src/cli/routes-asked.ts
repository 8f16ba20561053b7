/** What `portolan routes lookup` and `simulate` ask for: an address with its port, and who connects to it. */
import { isIP } from 'node:net'
import type { Protocol } from '../cluster/objects.ts'
import type { ClusterState } from '../cluster/state.ts'
import { hostPort } from '../corefile/addresses.ts'
import { PortolanError } from '../errors.ts'
import { anyAddress } from '../routes/compile.ts'
import { type Path, pathOf } from '../routes/path.ts'
import { nameOf, type Route } from '../routes/route.ts'
import { loopback, type Setting, settingOf } from '../routes/setting.ts'
import { canonicalAddress, type Family, familyOf } from '../wire/address.ts'
import { parseRange } from '../wire/range.ts'
import { type Arguments, usageError } from './arguments.ts'
import { type RoutesCluster, readCluster, renderOptionsOf } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

export interface Asked {
  readonly ip: string
  readonly port: number
  readonly protocol: Protocol
}

export interface Found {
  readonly asked: Asked
  readonly cluster: RoutesCluster
  readonly route: Route
  readonly setting: Setting
  /** The client's address; undefined where nobody said. */
  readonly source: string | undefined
  readonly path: Path
}

/** Reads the cluster and follows the way to the address. Throws where nothing has it, and says what is near. */
export async function follow(given: Arguments, shell: Shell): Promise<Found> {
  const asked = parseAsked(given.words[1])
  const from = given.text('from')
  const cluster = await readCluster(given, shell, from?.includes('/') === true && parseRange(from) === undefined)
  const source = from === undefined ? undefined : sourceOf(from, familyOf(asked.ip), cluster.state)
  const route = routeOf(asked, cluster)
  const setting = settingOf({ family: familyOf(asked.ip), ...renderOptionsOf(given, cluster.node) })
  return { asked, cluster, route, setting, source, path: pathOf(route, setting, source) }
}

export function addressText({ ip, port, protocol }: Asked): string {
  return `${hostPort(ip, port)}/${protocol}`
}

const form = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:[\]]+)):(?<port>\d{1,5})(?:\/(?<protocol>tcp|udp|sctp))?$/i

function parseAsked(text: string | undefined): Asked {
  if (text === undefined) throw usageError('which address? write one like 10.96.0.10:53/UDP')
  const { six, four, port, protocol = 'TCP' } = form.exec(text)?.groups ?? {}
  const ip = six ?? four ?? ''
  if (isIP(ip) !== (six === undefined ? 4 : 6) || ip.includes('%') || Number(port) < 1 || Number(port) > 65_535)
    throw usageError(`"${text}" is no address with a port: write one like 10.96.0.10:53/UDP or [fd00::1]:80`)
  return { ip: canonicalAddress(ip), port: Number(port), protocol: protocol.toUpperCase() as Protocol }
}

/** Of an address, itself; of a range, its first address; of a pod, its address of the family. */
function sourceOf(text: string, family: Family, state: ClusterState): string {
  const range = parseRange(text)
  const ips = isIP(text) ? [canonicalAddress(text)] : range ? [range.text.split('/')[0]!] : podIPs(text, state)
  const own = ips.find(ip => familyOf(ip) === family)
  if (own === undefined) throw usageError(`-from ${text} has no ${family} address`)
  return own
}

function podIPs(text: string, state: ClusterState): readonly string[] {
  if (!/^[^/]+\/[^/]+$/.test(text)) throw usageError(`-from is NAMESPACE/POD, a range or an address, got "${text}"`)
  const pod = state.get('Pod', text)
  if (pod === undefined) throw new PortolanError('PORTOLAN_ROUTES_POD', `there is no pod ${text}`)
  return pod.podIPs.map(canonicalAddress)
}

/** The route of an address; at an address of a node, that of a node port. */
function routeOf(asked: Asked, { state, table }: RoutesCluster): Route {
  const { ip, port, protocol } = asked
  const own = table.find(ip, protocol, port)
  if (own !== undefined) return own
  const family = familyOf(ip)
  const nodePort = table.find(anyAddress[family], protocol, port)
  const isNode =
    ip === loopback.IPv4 || [...state.list('Node')].some(node => node.internalIPs.map(canonicalAddress).includes(ip))
  if (isNode && nodePort !== undefined) return nodePort
  const near = [...table.all()].filter(route => route.ip === ip)
  const others = near.map(route => `${route.port}/${route.protocol} (${nameOf(route.destination)})`)
  const has = others.length > 0 ? `; it has ${others.join(', ')}` : ''
  const elsewhere =
    nodePort === undefined
      ? ''
      : `; ${nameOf(nodePort.destination)} has this port at each node, and no node has this address`
  throw new PortolanError('PORTOLAN_ROUTES_NONE', `no route: nothing has ${addressText(asked)}${has}${elsewhere}`)
}
