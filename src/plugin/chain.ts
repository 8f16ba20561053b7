/** Links plugins into one function. */
import { SERVFAIL } from '../wire/answer.ts'
import type { Query } from '../wire/query.ts'
import type { Next, Plugin, Reply } from './plugin.ts'

/** The end of a chain: no plugin answered (CoreDNS: SERVFAIL, no AA). */
const unanswered: Reply = { answer: SERVFAIL, plugin: '', error: new Error('no next plugin found') }

export function chain(plugins: readonly Plugin[]): Next {
  return plugins.reduceRight<Next>(
    (next, plugin) => query => plugin.handle(query, next),
    () => unanswered,
  )
}

/**
 * Edits the reply to a query, whether it is here already or still to come. `edit` is made once and not for each query: a closure
 * for each would be garbage by the hundred thousand.
 */
export function then(
  reply: Reply | Promise<Reply>,
  query: Query,
  edit: (query: Query, reply: Reply) => Reply,
): Reply | Promise<Reply> {
  return reply instanceof Promise ? reply.then(late => edit(query, late)) : edit(query, reply)
}
