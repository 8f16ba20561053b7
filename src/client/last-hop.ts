/**
 * How a packet gets from a node to a pod on another one, as far as Node objects tell: by a route to the pod's range, or in a tunnel.
 * Network plugins write it there for each other: flannel and Calico in annotations, cloud controllers in a condition.
 */
import type { ClusterView } from '../cluster/contract.ts'
import { keyOf, type Node, type Pod } from '../cluster/objects.ts'
import { familyOf } from '../wire/address.ts'
import { holds, parseRange } from '../wire/range.ts'
import { type Way, wayOfCalico, wayOfCilium, wayOfCloud, wayOfFlannel } from './network-plugins.ts'

export interface Hop extends Omit<Way, 'kind' | 'byRange'> {
  /** `node` is for pods on the network of their node: what leads to the node leads to them. */
  readonly kind: 'same node' | 'node' | Way['kind']
  /** Names of nodes; empty where they are not known. */
  readonly from: string
  readonly to: string
}

/** `from` is the name of the node that the packet starts on, or empty; `ip` the pod's address that it goes to. */
export function lastHop(view: ClusterView, from: string, pod: Pod, ip: string): Hop {
  const to = pod.nodeName
  const hop = { from, to, via: '', evidence: [], caveats: [] }
  const name = `pod ${keyOf(pod)}`
  if (to === '') return { ...hop, kind: 'unknown', why: `${name} is on no node` }
  if (from === to)
    return { ...hop, kind: 'same node', why: `${name} is on the same node, ${to}: the packet stays there` }
  if (pod.hostNetwork) {
    const why = `${name} uses the network of node ${to}: whatever leads to the node's address leads to it`
    return { ...hop, kind: 'node', via: ip, why }
  }
  const node = view.get('Node', to)
  if (!node) return { ...hop, kind: 'unknown', why: `nothing is known of node ${to}` }
  const way = wayTo(node, view.get('Node', from), ip)
  const range = outsideRanges(node, ip)
  // Calico gives out addresses by blocks of its own.
  const misplaced =
    way.byRange && range !== '' ? [`${ip} is not in a range of node ${to} (${range}): no route leads to it`] : []
  const { kind, via, evidence, why } = way
  return { from, to, kind, via, evidence, caveats: [...way.caveats, ...misplaced], why }
}

/** The plugin that is sure of most is asked first: with Canal, flannel carries the packets and Calico writes annotations too. */
function wayTo(node: Node, from: Node | undefined, ip: string): Way {
  const family = familyOf(ip)
  return (
    wayOfFlannel(node, family) ??
    wayOfCalico(node, from, family) ??
    wayOfCilium(node) ??
    wayOfCloud(node) ??
    unsaid(node)
  )
}

function unsaid({ name, podCIDRs }: Node): Way {
  const ranges = podCIDRs.length > 0 ? `, which has the range ${podCIDRs.join(', ')}` : ''
  const why = `Node objects do not tell how packets get to node ${name}${ranges}`
  return { kind: 'unknown', via: '', evidence: [], caveats: [], byRange: false, why }
}

/** The node's ranges of the family, where none of them holds the address; empty where one does, or there are none. */
function outsideRanges({ podCIDRs }: Node, ip: string): string {
  const ranges = podCIDRs.flatMap(text => parseRange(text) ?? []).filter(({ family }) => family === familyOf(ip))
  return ranges.some(({ text }) => holds(text, ip)) ? '' : ranges.map(({ text }) => text).join(', ')
}
