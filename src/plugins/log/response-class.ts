/**
 * What kind of reply an answer is, by the rules and names of CoreDNS's `response` package: they say which replies `log` writes.
 */
import type { Answer } from '../../wire/answer.ts'
import { authorityHas } from '../../wire/edit.ts'
import type { Query } from '../../wire/query.ts'
import { Opcode, Rcode, Type } from '../../wire/types.ts'

export const responseClasses = ['all', 'success', 'denial', 'error'] as const
export type ResponseClass = (typeof responseClasses)[number]

export type ResponseKind = 'NOERROR' | 'NXDOMAIN' | 'SERVERERROR' | 'NODATA' | 'DELEGATION' | 'META' | 'OTHERERROR'

export function kindOf(query: Query, answer: Answer): ResponseKind {
  if (query.opcode === Opcode.NOTIFY || query.type === Type.AXFR || query.type === Type.IXFR) return 'META'
  const { rcode } = answer
  if (answer.answers > 0 && rcode === Rcode.NOERROR) return 'NOERROR'
  if (answer.answers > 0 && rcode === Rcode.NXDOMAIN) return 'OTHERERROR'
  if (rcode === Rcode.NXDOMAIN) return 'NXDOMAIN'
  if (rcode === Rcode.SERVFAIL || rcode === Rcode.NOTIMP) return 'SERVERERROR'
  if (rcode !== Rcode.NOERROR) return 'OTHERERROR'
  if (authorityHas(answer, Type.SOA)) return 'NODATA'
  return authorityHas(answer, Type.NS) ? 'DELEGATION' : 'NOERROR'
}

export function classOf(kind: ResponseKind): Exclude<ResponseClass, 'all'> {
  if (kind === 'NOERROR' || kind === 'DELEGATION') return 'success'
  return kind === 'NXDOMAIN' || kind === 'NODATA' ? 'denial' : 'error'
}
