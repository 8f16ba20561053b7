/** What it means that a rule of iptables is missing, or is there and should not be. */
import { ownChain } from '../render/iptables-names.ts'
import type { FindingKind } from './finding.ts'
import type { Rule } from './iptables-rule.ts'

export interface Reason {
  readonly kind: FindingKind
  readonly why: string
}

/** What is known of the rules around. */
export interface Around {
  /** The endpoint that a chain leads to. */
  endpointOf(chain: string): string | undefined
  /** Whether the cluster has a service port of that name. */
  exists(service: string): boolean
  /** Whether the chain is named as an old kube-proxy would. */
  isOld(chain: string): boolean
}

export function whyMissing(chain: string, rule: Rule, { endpointOf }: Around): string {
  const { target } = rule
  if (!chain.startsWith('KUBE-')) return `nothing leads from ${chain} to ${target}`
  if (target.startsWith('KUBE-SEP-')) return `endpoint ${endpointOf(target)} is not chosen`
  if (target === 'KUBE-MARK-MASQ')
    return chain.startsWith('KUBE-SEP-')
      ? 'an endpoint that reaches itself is not masqueraded'
      : 'what should be masqueraded is not'
  if (target === 'DNAT') return `the endpoint's address is not put in: ${rule.value('--to-destination')}`
  if (target === 'REJECT' || target === 'DROP') return `what it has no endpoint for is not turned away (${target})`
  if (chain.startsWith('KUBE-FW-') && target !== '') return `source ${rule.value('-s')} is not let in`
  if (chain === 'KUBE-SERVICES' || chain === 'KUBE-NODEPORTS')
    return ownChain.test(target) ? 'connections to it are not taken' : `nothing leads to ${target}`
  return 'it is not there'
}

export function whyExtra(chain: string, rule: Rule, service: string | undefined, around: Around): Reason {
  const { target } = rule
  if (ownChain.test(target) && around.isOld(target)) return { kind: 'stale', why: oldName }
  if (target.startsWith('KUBE-SEP-') && ownChain.test(chain))
    return { kind: 'stale', why: `${around.endpointOf(target) ?? target} is no endpoint of it` }
  const isRefusal = target === 'REJECT' || target === 'DROP'
  if (ownChain.test(target) || (isRefusal && service !== undefined && rule.place !== undefined)) {
    if (service === undefined) return { kind: 'stale', why: unknownHash(target) }
    if (!around.exists(service)) return { kind: 'stale', why: 'there is no such service' }
    const taken = 'connections are taken that should not be'
    return { kind: 'stale', why: isRefusal ? `connections are turned away (${target}) that should not be` : taken }
  }
  if (!chain.startsWith('KUBE-')) return { kind: 'extra', why: `it leads to ${target} once more` }
  return { kind: 'extra', why: 'it is of nobody who should write into this chain' }
}

export function whyWrong(found: Rule, wanted: Rule): string {
  const differs = (option: string) => found.value(option) !== wanted.value(option)
  if (differs('--probability')) return `probability ${chance(found)}, should be ${chance(wanted)}`
  if (differs('--to-destination'))
    return `leads to ${found.value('--to-destination')}, should be ${wanted.value('--to-destination')}`
  if (found.target !== wanted.target) return `leads to ${found.target}, should be ${wanted.target}`
  return 'it says something else'
}

export const oldName = 'it is named as an old kube-proxy did, with a colon behind a service without port name'

export function unknownHash(chain: string): string {
  return `its hash is of no service that there is (${chain.replace(/^.*-/, '')})`
}

function chance(rule: Rule): string {
  const value = rule.value('--probability')
  return value === undefined ? '1' : String(Math.round((Number.parseInt(value, 10) / 2 ** 31) * 1e6) / 1e6)
}
