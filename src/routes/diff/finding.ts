/** What a comparison of rules finds. */

/**
 * - `missing`: a rule, an element or a chain that should be there.
 * - `stale`: what is left of a former state of the cluster: an endpoint, an address or a service that is gone, or a refusal of one that
 *   has endpoints by now.
 * - `extra`: what no state of the cluster would have made: a rule that somebody put into a chain of kube-proxy's or ours.
 * - `wrong`: it is there, and says something else than `wanted`.
 * - `misplaced`: it is there, and another rule is met first.
 * - `orphan chain`: a chain that nothing leads to.
 * - `other mode`: rules of another mode, or of another program, that take the same connections.
 * - `comments`: rules that mean the same, and are commented otherwise.
 */
export type FindingKind =
  | 'missing'
  | 'stale'
  | 'extra'
  | 'wrong'
  | 'misplaced'
  | 'orphan chain'
  | 'other mode'
  | 'comments'

export interface Finding {
  readonly kind: FindingKind
  /** A note is no difference: it does no harm, or is how kube-proxy works. */
  readonly level: 'fault' | 'note'
  /** `nat` or `filter` of iptables; `ip portolan` of nftables. */
  readonly table: string
  /** The chain, map or set; empty where the whole table is meant. */
  readonly chain: string
  /** The rule or element as it is there, or as it should be where it is missing. `:CHAIN` stands for a whole chain, `:` for all of them. */
  readonly rule: string
  /** What should be there in its place; only of `wrong`. */
  readonly wanted?: string
  /** How kube-proxy names the service port: `shop/web:http`; undefined where it has to do with none, or with one that nobody knows. */
  readonly service: string | undefined
  /** A part of a sentence that says what is wrong, and what follows from it. */
  readonly why: string
}
