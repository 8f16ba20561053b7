/** What rules depend on besides the routes: the node that they are for, and what kube-proxy's flags say. */
import type { Node } from '../cluster/objects.ts'
import { canonicalAddress, type Family, familyOf } from '../wire/address.ts'
import { everybody, holds, parseRange } from '../wire/range.ts'
import type { Place } from './usable.ts'

export interface RenderOptions {
  readonly family: Family
  readonly node: Pick<Node, 'name' | 'zone' | 'internalIPs'>
  /** Where pods have their addresses (`--cluster-cidr`): one range of each family at most counts, the first. */
  readonly clusterCIDRs?: readonly string[]
  /** Whether everything that goes to a cluster address gets the node's address as its source (`--masquerade-all`). */
  readonly masqueradeAll?: boolean
  /** At which of the node's addresses node ports are (`--nodeport-addresses`): ranges, or `primary` alone. Default: at all. */
  readonly nodePortAddresses?: readonly string[]
}

/** The options as one family of rules needs them. */
export interface Setting {
  readonly family: Family
  readonly place: Place
  /** The node's primary address of the family; the loopback address where it has none. */
  readonly nodeIP: string
  /** All addresses of the family that the node is known to have, its loopback address too. */
  readonly ownIPs: readonly string[]
  /** In its one spelling; undefined where nobody says which sources are pods. */
  readonly podRange: string | undefined
  readonly masqueradeAll: boolean
  /** The node's addresses that node ports are at, ordered; undefined for all that it has. */
  readonly nodePortIPs: readonly string[] | undefined
  /** Whether node ports are at the node's loopback address too; never for IPv6. */
  readonly localhostNodePorts: boolean
}

export const loopback: Readonly<Record<Family, string>> = { IPv4: '127.0.0.1', IPv6: '::1' }

const whole: Readonly<Record<Family, string>> = { IPv4: '0.0.0.0/0', IPv6: '::/0' }

/** What is no range is left out; who reads a command line has refused it. */
export function settingOf(options: RenderOptions): Setting {
  const { family, node, clusterCIDRs = [], masqueradeAll = false, nodePortAddresses = [] } = options
  const own = node.internalIPs.map(canonicalAddress).filter(ip => familyOf(ip) === family)
  const nodeIP = own[0] ?? loopback[family]
  const ranges = rangesOf(family, nodePortAddresses, nodeIP)
  const all = ranges.some(everybody)
  const localhostNodePorts = family === 'IPv4' && ranges.some(isLoopback)
  const ownIPs = [...own, loopback[family]]
  const candidates = localhostNodePorts ? ownIPs : own
  const chosen = candidates.filter(ip => ranges.some(({ text }) => holds(text, ip)))
  return {
    family,
    place: { node: node.name, zone: node.zone },
    nodeIP,
    ownIPs,
    podRange: clusterCIDRs.flatMap(text => parseRange(text) ?? []).find(range => range.family === family)?.text,
    masqueradeAll,
    nodePortIPs: all ? undefined : [...new Set(chosen)].sort(),
    localhostNodePorts,
  }
}

/** As kube-proxy, a family that no range is of has all addresses. */
function rangesOf(family: Family, texts: readonly string[], nodeIP: string) {
  const asked = texts.map(text => (text === 'primary' ? `${nodeIP}/${family === 'IPv4' ? 32 : 128}` : text))
  const own = asked.flatMap(text => parseRange(text) ?? []).filter(range => range.family === family)
  return own.length > 0 ? own : [parseRange(whole[family])!]
}

function isLoopback({ text }: { readonly text: string }): boolean {
  return text.startsWith('127.') || holds(text, '127.0.0.0')
}
