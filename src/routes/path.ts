/**
 * The way of one connection through a node's rules: whether it is let in, which endpoints it may reach, and whose address they see. It
 * says in words what the renderers say in rules.
 */

import { holds } from '../wire/range.ts'
import type { Backend, Route } from './route.ts'
import type { Setting } from './setting.ts'
import { type Refusal, type Usable, usable, verdict } from './usable.ts'

/** Which of the policies' sets of endpoints was chosen from. */
export type Choice = 'cluster' | 'local'

export interface Forwarding {
  readonly action: 'forward'
  readonly choice: Choice
  /** Where it may arrive, each as probable as the others. */
  readonly backends: readonly Backend[]
  /** Whether the endpoints see the node's address and not the client's; `why` is part of a sentence. */
  readonly masquerade: boolean
  readonly why: string
  /** The client itself, where it is one of the endpoints: that one sees the node's address in any case. */
  readonly hairpin: Backend | undefined
}

export interface Path {
  readonly usable: Usable
  readonly outcome: Forwarding | Refusal
}

/** `source` is the client's address, or undefined for one that is neither a pod, nor the node, nor in any source range. */
export function pathOf(route: Route, setting: Setting, source: string | undefined): Path {
  const { destination, kind } = route
  const found = usable(destination, setting.place)
  const inner = kind === 'ClusterIP'
  const said = verdict(destination, found, inner ? 'internal' : 'external')
  if (!found.anywhere) return { usable: found, outcome: said as Refusal }
  const refused = kind === 'LoadBalancer' ? guarded(route, setting, source) : undefined
  if (refused !== undefined) return { usable: found, outcome: refused }
  const shortcut = !inner && destination.externalPolicy === 'Local' ? shortcutOf(setting, source) : undefined
  if (shortcut !== undefined) return { usable: found, outcome: forwarding(found.cluster, 'cluster', shortcut, source) }
  if (said.action !== 'forward') return { usable: found, outcome: said }
  const policy = inner ? destination.internalPolicy : destination.externalPolicy
  const choice = policy === 'Local' ? 'local' : 'cluster'
  const rewriting = inner ? innerRewriting(setting, source) : outerRewriting(choice)
  return { usable: found, outcome: forwarding(said.backends, choice, rewriting, source) }
}

interface Rewriting {
  readonly masquerade: boolean
  readonly why: string
}

function forwarding(backends: readonly Backend[], choice: Choice, rewriting: Rewriting, source?: string): Forwarding {
  return { action: 'forward', choice, backends, ...rewriting, hairpin: backends.find(({ ip }) => ip === source) }
}

/** Whether a source may use a load balancer's address. */
function guarded({ ip, destination }: Route, { nodeIP }: Setting, source: string | undefined): Refusal | undefined {
  const { sourceRanges, addresses } = destination
  if (sourceRanges.length === 0) return undefined
  const nodeMay = sourceRanges.some(range => holds(range, nodeIP))
  const isItself = addresses.some(address => address.kind === 'LoadBalancer' && address.ip === source)
  if (source !== undefined && (sourceRanges.some(range => holds(range, source)) || (nodeMay && isItself)))
    return undefined
  const why = `loadBalancerSourceRanges of ${ip} (${sourceRanges.join(', ')}) do not hold the source`
  return { action: 'DROP', reason: 'source ranges', why }
}

/** Pods and the node itself pass by externalTrafficPolicy Local. */
function shortcutOf({ podRange, ownIPs }: Setting, source: string | undefined): Rewriting | undefined {
  if (source === undefined) return undefined
  if (podRange !== undefined && holds(podRange, source))
    return { masquerade: false, why: 'it comes from a pod, which externalTrafficPolicy Local does not hold for' }
  if (ownIPs.includes(source))
    return {
      masquerade: true,
      why: 'it comes from the node itself, which externalTrafficPolicy Local does not hold for',
    }
  return undefined
}

function innerRewriting({ masqueradeAll, podRange }: Setting, source: string | undefined): Rewriting {
  if (masqueradeAll) return { masquerade: true, why: 'all that goes to cluster addresses is (--masquerade-all)' }
  if (podRange === undefined) return { masquerade: false, why: 'nobody says which sources are pods (--cluster-cidr)' }
  if (source !== undefined && holds(podRange, source))
    return { masquerade: false, why: `it comes from a pod (${podRange})` }
  return {
    masquerade: true,
    why: `it does not come from a pod (${podRange}), and must find its way back through this node`,
  }
}

function outerRewriting(choice: Choice): Rewriting {
  if (choice === 'local') return { masquerade: false, why: 'externalTrafficPolicy Local keeps the source' }
  return { masquerade: true, why: 'the endpoint may be on another node (externalTrafficPolicy Cluster)' }
}
