/** Links plugins into one function. */
import { SERVFAIL } from '../wire/answer.ts'
import type { Next, Plugin, Reply } from './plugin.ts'

/** The end of a chain: no plugin answered (CoreDNS: SERVFAIL, no AA). */
const unanswered: Reply = { answer: SERVFAIL, plugin: '', error: new Error('no next plugin found') }

export function chain(plugins: readonly Plugin[]): Next {
  return plugins.reduceRight<Next>(
    (next, plugin) => query => plugin.handle(query, next),
    () => unanswered,
  )
}

/** Edits a reply whether it is here already or still to come. */
export function then(reply: Reply | Promise<Reply>, edit: (reply: Reply) => Reply): Reply | Promise<Reply> {
  return reply instanceof Promise ? reply.then(edit) : edit(reply)
}
