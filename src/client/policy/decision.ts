/** Finds the rule that lets a connection through one side, or says why there is none. */
import type { NetworkPolicy, PolicyRule } from '../../cluster/network-policy.ts'
import { type Key, keyOf } from '../../cluster/objects.ts'
import { type End, endText } from './ends.ts'
import { peerMisfit, peerText, portMisfit, portText } from './rule-text.ts'
import { type Direction, type Fit, type Look, peerFit, portFit } from './rules.ts'

/** Why a side allows or denies. Policies are about pods: nodes and other addresses are never isolated. */
export type Because = 'no pod' | 'itself' | 'own node' | 'not isolated' | 'rule' | 'no rule'

export interface Decision {
  readonly allowed: boolean
  readonly because: Because
  /** The rule that lets the connection through. */
  readonly rule: RuleReference | undefined
  /** Where it is denied: the rules that would let it through but for the peer, or but for the port. */
  readonly nearMisses: readonly NearMiss[]
  /** What the API leaves open, in sentences without full stops. */
  readonly caveats: readonly string[]
  /** A sentence without its full stop. */
  readonly why: string
}

export interface RuleReference {
  readonly policy: Key
  /** `spec.ingress[0]`. */
  readonly path: string
  /** The places of what fits in its lists, counted from 0; undefined where it takes any. */
  readonly peer: number | undefined
  readonly port: number | undefined
}

export interface NearMiss {
  readonly policy: Key
  readonly path: string
  readonly lacks: 'peer' | 'port'
  readonly why: string
}

/** One side of a connection: the pod that is isolated, and whom it speaks to. */
export interface Side extends Omit<Look, 'namespace'> {
  readonly direction: Direction
  readonly own: End
}

/** Rules add up: one that fits is enough. `policies` are those that isolate the pod. */
export function decide(policies: readonly NetworkPolicy[], side: Side): Decision {
  const looked = policies.flatMap(policy => lookAt(policy, side))
  const fitting = looked.find(({ peer, port }) => peer !== undefined && port !== undefined)
  return fitting ? permission(fitting, side) : denial(policies, looked, side)
}

/** A rule, and what of it fits. */
interface Looked {
  readonly policy: Key
  readonly path: string
  readonly rule: PolicyRule
  readonly look: Look
  readonly peer: Fit
  readonly port: Fit
}

function lookAt(policy: NetworkPolicy, { direction, ...side }: Side): Looked[] {
  const look = { ...side, namespace: policy.namespace }
  return (policy[direction] ?? []).map((rule, index) => {
    const path = `spec.${direction}[${index}]`
    return { policy: keyOf(policy), path, rule, look, peer: peerFit(rule, look), port: portFit(rule, look) }
  })
}

function permission({ policy, path, rule, look, ...fits }: Looked, { direction, peer }: Side): Decision {
  const [at, port] = [placeOf(fits.peer), placeOf(fits.port)]
  const fitting = at === undefined ? undefined : rule.peers[at]!
  const way = direction === 'ingress' ? 'from' : 'to'
  const who = fitting ? `${way}[${at}] (${peerText(fitting, look.namespace)})` : `${way} anybody`
  const what = port === undefined ? 'all ports' : `ports[${port}] (${portText(rule.ports[port]!)})`
  return {
    allowed: true,
    because: 'rule',
    rule: { policy, path, peer: at, port },
    nearMisses: [],
    caveats: fitting?.block && peer.is === 'pod' ? [blockCaveat(peer)] : [],
    why: `${policy} allows it: ${path}, ${who}, ${what}`,
  }
}

function placeOf(fit: Fit): number | undefined {
  return typeof fit === 'number' ? fit : undefined
}

function blockCaveat(peer: End): string {
  return `ipBlock is meant for addresses outside of the cluster: not every network plugin looks there for ${endText(peer)}`
}

function denial(policies: readonly NetworkPolicy[], looked: readonly Looked[], side: Side): Decision {
  const { direction, own, peer, connection } = side
  const isolated = `${endText(own)} is isolated for ${direction} by ${policies.map(keyOf).join(', ')}`
  const lets = direction === 'ingress' ? `lets ${endText(peer)} in` : `lets it out to ${endText(peer)}`
  const lacking =
    looked.length === 0 ? 'there is no rule' : `no rule ${lets} on ${connection.protocol} ${connection.port}`
  return {
    allowed: false,
    because: 'no rule',
    rule: undefined,
    nearMisses: looked.flatMap(each => missOf(each, side)),
    caveats: [],
    why: `${isolated}, and ${lacking}`,
  }
}

function missOf({ policy, path, rule, look, ...fits }: Looked, { direction, peer, connection }: Side): NearMiss[] {
  const lacks = fits.peer === undefined ? 'peer' : 'port'
  if (lacks === 'peer' && fits.port === undefined) return []
  const { protocol, port } = connection
  const way = direction === 'ingress' ? 'from' : 'to'
  const but =
    lacks === 'peer'
      ? `${protocol} ${port}, but only ${way} ${peerMisfit(rule, look)}`
      : `${endText(peer)}, but only on ${portMisfit(rule, look)}`
  return [{ policy, path, lacks, why: `${policy} ${path} allows ${but}` }]
}
