/** What is asked for: an address with its port, and who connects to it; and the way that leads there. */
import { isIP } from 'node:net'
import type { Node, Protocol } from '../../cluster/objects.ts'
import { hostPort } from '../../corefile/addresses.ts'
import { PortolanError } from '../../errors.ts'
import { canonicalAddress, type Family, familyOf } from '../../wire/address.ts'
import { parseRange } from '../../wire/range.ts'
import { anyAddress } from '../compile.ts'
import { type Path, pathOf } from '../path.ts'
import { nameOf, type Route } from '../route.ts'
import { loopback, settingOf } from '../setting.ts'
import { type KnownCluster, nodeOf } from './cluster.ts'
import { type Question, questionError, renderOptionsOf, type Said } from './question.ts'

export interface Asked {
  readonly ip: string
  readonly port: number
  readonly protocol: Protocol
}

export interface Followed {
  readonly asked: Asked
  readonly route: Route
  readonly node: Node | undefined
  /** The client's address; undefined where nobody said. */
  readonly source: string | undefined
  readonly path: Path
}

/** Reads the question. Throws PORTOLAN_USAGE for what cannot be understood. */
export function wayTo(address: string | undefined, said: Said): Question<Followed> {
  const asked = parseAsked(address)
  const family = familyOf(asked.ip)
  const from = said.text('from')
  // What is wrong with it is said before a cluster is read.
  renderOptionsOf(said, undefined)
  return {
    pods: from?.includes('/') === true && parseRange(from) === undefined,
    answer(cluster) {
      const node = nodeOf(said.text('node'), cluster.state)
      const source = from === undefined ? undefined : sourceOf(from, family, cluster)
      const route = routeOf(asked, cluster)
      const path = pathOf(route, settingOf({ family, ...renderOptionsOf(said, node) }), source)
      return { asked, route, node, source, path }
    },
  }
}

export function addressText({ ip, port, protocol }: Asked): string {
  return `${hostPort(ip, port)}/${protocol}`
}

const form = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:[\]]+)):(?<port>\d{1,5})(?:\/(?<protocol>tcp|udp|sctp))?$/i

function parseAsked(text: string | undefined): Asked {
  if (text === undefined) throw questionError('which address? write one like 10.96.0.10:53/UDP')
  const { six, four, port, protocol = 'TCP' } = form.exec(text)?.groups ?? {}
  const ip = six ?? four ?? ''
  if (isIP(ip) !== (six === undefined ? 4 : 6) || ip.includes('%') || Number(port) < 1 || Number(port) > 65_535)
    throw questionError(`"${text}" is no address with a port: write one like 10.96.0.10:53/UDP or [fd00::1]:80`)
  return { ip: canonicalAddress(ip), port: Number(port), protocol: protocol.toUpperCase() as Protocol }
}

/** Of an address, itself; of a range, its first address; of a pod, its address of the family. */
function sourceOf(text: string, family: Family, cluster: KnownCluster): string {
  const range = parseRange(text)
  const ips = isIP(text) ? [canonicalAddress(text)] : range ? [range.text.split('/')[0]!] : podIPs(text, cluster)
  const own = ips.find(ip => familyOf(ip) === family)
  if (own === undefined) throw questionError(`from: ${text} has no ${family} address`)
  return own
}

function podIPs(text: string, { state, pods }: KnownCluster): readonly string[] {
  if (!/^[^/]+\/[^/]+$/.test(text)) throw questionError(`from is NAMESPACE/POD, a range or an address, got "${text}"`)
  if (!pods)
    throw questionError(`from: pods are not followed, so give the address of ${text} (or have "pods verified")`)
  const pod = state.get('Pod', text)
  if (pod === undefined) throw new PortolanError('PORTOLAN_ROUTES_POD', `there is no pod ${text}`)
  return pod.podIPs.map(canonicalAddress)
}

/** The route of an address; at an address of a node, that of a node port. */
function routeOf(asked: Asked, { state, table }: KnownCluster): Route {
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
