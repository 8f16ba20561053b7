/** NetworkPolicies: what they say, with the API server's defaults filled in. What follows from them is left to others. */
import { parseRange } from '../wire/range.ts'
import type { Fields } from './fields.ts'
import { type LabelSelector, trimSelector } from './label-selector.ts'
import type { Meta, Protocol } from './objects.ts'
import { protocols, subdomain, trimMeta } from './trim-parts.ts'

export interface NetworkPolicy extends Meta {
  readonly kind: 'NetworkPolicy'
  /** Selects pods of its own namespace. */
  readonly podSelector: LabelSelector
  /** The rules for connections to these pods; undefined where the policy says nothing of them, which is not the same as no rules. */
  readonly ingress: readonly PolicyRule[] | undefined
  /** The same for connections from them. */
  readonly egress: readonly PolicyRule[] | undefined
}

/** Lets a connection through that fits one of the peers and one of the ports. */
export interface PolicyRule {
  /** `from` or `to`; empty for everybody. */
  readonly peers: readonly PolicyPeer[]
  /** Empty for all ports of all protocols. */
  readonly ports: readonly PolicyPort[]
}

export type PolicyPeer = PodPeer | BlockPeer

/** Pods that fit both selectors. */
export interface PodPeer {
  /** Absent means all pods. */
  readonly podSelector: LabelSelector | undefined
  /** Absent means the policy's own namespace. */
  readonly namespaceSelector: LabelSelector | undefined
  readonly block?: never
}

/** Addresses of a range. */
export interface BlockPeer {
  readonly block: {
    /** CIDR ranges, as they are written. */
    readonly cidr: string
    readonly except: readonly string[]
  }
}

export interface PolicyPort {
  readonly protocol: Protocol
  /** A number, the name of a port of the destination's containers, or undefined for all ports of the protocol. */
  readonly port: number | string | undefined
  /** The last port of a range; the same as `port` where there is none, and undefined where that is no number. */
  readonly endPort: number | undefined
}

/** Throws a PortolanError that names the field for what is no network policy. */
export function trimNetworkPolicy(json: Fields): NetworkPolicy {
  const spec = json.child('spec')
  const types = spec.texts('policyTypes')
  const egress = spec.children('egress')
  // As the API server fills in what is missing: an empty list of rules is none.
  const applies = types.length > 0 ? types : ['Ingress', ...(egress.length > 0 ? ['Egress'] : [])]
  if (!applies.every(type => type === 'Ingress' || type === 'Egress')) spec.refuse('policyTypes', 'Ingress, Egress')
  return {
    kind: 'NetworkPolicy',
    ...trimMeta(json, subdomain),
    podSelector: trimSelector(spec.child('podSelector')),
    ingress: applies.includes('Ingress') ? spec.children('ingress').map(rule => trimRule(rule, 'from')) : undefined,
    egress: applies.includes('Egress') ? egress.map(rule => trimRule(rule, 'to')) : undefined,
  }
}

function trimRule(json: Fields, peers: 'from' | 'to'): PolicyRule {
  return { peers: json.children(peers).map(trimPeer), ports: json.children('ports').map(trimPort) }
}

function trimPeer(json: Fields): PolicyPeer {
  const selectorOf = (field: string) => (json.has(field) ? trimSelector(json.child(field)) : undefined)
  const peer = { podSelector: selectorOf('podSelector'), namespaceSelector: selectorOf('namespaceSelector') }
  const selecting = peer.podSelector !== undefined || peer.namespaceSelector !== undefined
  if (json.has('ipBlock'))
    return selecting ? json.refuse('ipBlock', 'alone in its peer') : trimBlock(json.child('ipBlock'))
  return selecting ? peer : json.refuse('podSelector', 'there, or namespaceSelector, or ipBlock')
}

function trimBlock(json: Fields): BlockPeer {
  const cidr = json.text('cidr', '')
  const except = json.texts('except')
  if (!parseRange(cidr)) json.refuse('cidr', 'a CIDR range')
  if (!except.every(parseRange)) json.refuse('except', 'CIDR ranges')
  return { block: { cidr, except } }
}

function trimPort(json: Fields): PolicyPort {
  const protocol = json.oneOf('protocol', protocols, 'TCP')
  const port = json.integerOrText('port', 1, 65_535)
  if (typeof port !== 'number') {
    if (json.has('endPort')) json.refuse('endPort', 'absent where port is no number')
    return { protocol, port, endPort: undefined }
  }
  return { protocol, port, endPort: json.integer('endPort', port, 65_535) ?? port }
}
