/** What the servers of a case do, told once: for the real servers, and for the walk that is rehearsed. */
import type { Reaction } from '../../../src/client/resolver/rehearsal.ts'
import type { Query } from '../../../src/client/resolver/walk.ts'
import { Rcode } from '../../../src/wire/types.ts'

/**
 * `truncated` is cut short over UDP and whole over TCP, `hangup` is cut short over UDP and closed over TCP, `absent` is a server that does
 * not run.
 */
export type Action =
  | 'exists'
  | 'alias'
  | 'dangling'
  | 'nodata'
  | 'lame'
  | 'nxdomain'
  | 'servfail'
  | 'refused'
  | 'notimp'
  | 'formerr'
  | 'truncated'
  | 'hangup'
  | 'silence'
  | 'absent'

/** The first that fits decides; where none does it is `nxdomain`. */
export interface Rule {
  readonly does: Action
  readonly name?: RegExp
  readonly type?: 'A' | 'AAAA'
  /** Counts from 1. */
  readonly server?: number
  readonly transport?: 'udp' | 'tcp'
}

export type Script = readonly Rule[]

/** What a query says that a rule may look at. */
export interface Seen extends Pick<Query, 'name' | 'type' | 'transport'> {
  readonly server: number
}

export function actionFor(script: Script, seen: Seen): Action {
  const fits = (rule: Rule) =>
    (rule.name?.test(seen.name) ?? true) &&
    (rule.type ?? seen.type) === seen.type &&
    (rule.server ?? seen.server) === seen.server &&
    (rule.transport ?? seen.transport) === seen.transport
  return script.find(fits)?.does ?? 'nxdomain'
}

export const addresses = { A: '192.0.2.1', AAAA: '2001:db8::1' } as const

const rcodes: Partial<Readonly<Record<Action, number>>> = {
  nxdomain: Rcode.NXDOMAIN,
  servfail: Rcode.SERVFAIL,
  refused: Rcode.REFUSED,
  notimp: Rcode.NOTIMP,
  formerr: Rcode.FORMERR,
}

/** What the walk is told. */
export function reactionTo(action: Action, { type, transport }: Pick<Query, 'type' | 'transport'>): Reaction {
  if (action === 'silence') return 'silence'
  if (action === 'absent') return 'refused'
  if (action === 'hangup' && transport === 'tcp') return 'closed'
  const truncated = transport === 'udp' && (action === 'truncated' || action === 'hangup')
  const hasAddress = !truncated && ['exists', 'alias', 'truncated'].includes(action)
  return {
    rcode: rcodes[action] ?? Rcode.NOERROR,
    truncated,
    answers: (hasAddress ? 1 : 0) + (action === 'alias' || action === 'dangling' ? 1 : 0),
    addresses: hasAddress ? [addresses[type]] : [],
    lame: action === 'lame',
  }
}
