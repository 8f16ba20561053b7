/**
 * What the network policies of a cluster make of a connection, as the API defines it (networking.k8s.io/v1): whether the source is
 * let out and the destination lets it in, and which rule says so. Whether anybody enforces it is the network plugin's affair.
 */
import type { ClusterView } from '../../cluster/contract.ts'
import { selects } from '../../cluster/label-selector.ts'
import type { Labels } from '../../cluster/labels.ts'
import type { NetworkPolicy } from '../../cluster/network-policy.ts'
import { type Key, keyOf, type Pod } from '../../cluster/objects.ts'
import { type Decision, decide } from './decision.ts'
import { type End, endText } from './ends.ts'
import type { Connection, Direction } from './rules.ts'

export type { NearMiss, RuleReference } from './decision.ts'
export { type End, endAt, endOfPod, endText } from './ends.ts'
export type { Connection, Direction } from './rules.ts'

export interface Verdict {
  readonly allowed: boolean
  readonly egress: SideVerdict
  readonly ingress: SideVerdict
  /** A sentence without its full stop: of the sides that deny, or of both. */
  readonly why: string
}

export interface SideVerdict extends Decision {
  readonly direction: Direction
  /** The policies that isolate the pod, by name. */
  readonly isolatedBy: readonly Key[]
}

/** The policies as they are when it is made. */
export class NetworkPolicies {
  readonly #byNamespace: ReadonlyMap<string, readonly NetworkPolicy[]>
  readonly #view: ClusterView

  constructor(view: ClusterView) {
    const policies = [...view.list('NetworkPolicy')].sort((a, b) => (a.name < b.name ? -1 : 1))
    this.#byNamespace = Map.groupBy(policies, ({ namespace }) => namespace)
    this.#view = view
  }

  judge(connection: Connection): Verdict {
    const egress = this.#side(connection, 'egress')
    const ingress = this.#side(connection, 'ingress')
    const denials = [egress, ingress].filter(({ allowed }) => !allowed)
    const why = (denials.length > 0 ? denials : [egress, ingress]).map(side => side.why).join('; ')
    return { allowed: denials.length === 0, egress, ingress, why }
  }

  /** The policies that select a pod in one direction, by name. For pods on the network of their node that need mean nothing. */
  selecting(pod: Pod, direction: Direction): NetworkPolicy[] {
    const policies = this.#byNamespace.get(pod.namespace) ?? []
    return policies.filter(policy => policy[direction] !== undefined && selects(policy.podSelector, pod.labels))
  }

  #side(connection: Connection, direction: Direction): SideVerdict {
    const { from, to } = connection
    const [own, peer] = direction === 'ingress' ? [to, from] : [from, to]
    const policies = own.pod ? this.selecting(own.pod, direction) : []
    const labelsOf = (name: string) => namespaceLabels(this.#view, name)
    const decision =
      freePass(own, peer, direction, policies) ?? decide(policies, { connection, direction, own, peer, labelsOf })
    return { direction, isolatedBy: own.is === 'pod' ? policies.map(keyOf) : [], ...decision }
  }
}

/** The API server puts its name on every namespace, as a label. */
function namespaceLabels(view: ClusterView, name: string): Labels {
  return view.get('Namespace', name)?.labels ?? { 'kubernetes.io/metadata.name': name }
}

/** What is allowed whatever the rules say. */
function freePass(own: End, peer: End, direction: Direction, policies: readonly NetworkPolicy[]): Decision | undefined {
  const pass = (because: Decision['because'], why: string, caveats: string[] = []): Decision => {
    return { allowed: true, because, rule: undefined, nearMisses: [], caveats, why }
  }
  if (own.is !== 'pod') return pass('no pod', `policies do not limit ${endText(own)}`, hostCaveats(own, policies))
  if (policies.length === 0) {
    return pass('not isolated', `${endText(own)} is not isolated for ${direction}: no policy selects it`)
  }
  if (peer.is === 'pod' && keyOf(peer.pod) === keyOf(own.pod))
    return pass('itself', `${endText(own)} always reaches itself`)
  if (peer.is === 'node' && peer.node !== '' && peer.node === own.pod.nodeName)
    return pass('own node', `${endText(own)} and its node always reach each other`)
  return undefined
}

function hostCaveats(own: End, policies: readonly NetworkPolicy[]): string[] {
  if (policies.length === 0) return []
  const names = policies.map(keyOf).join(', ')
  return [
    `${names} would select ${endText(own)}: what then is undefined by the API; treated as not selected, as by most network plugins`,
  ]
}
