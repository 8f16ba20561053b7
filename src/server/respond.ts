/**
 * From the octets of a request to the octets of its response: read, route, answer, finish. The one place where an error of our
 * own becomes SERVFAIL.
 */
import type { Logger } from '../observe/logger.ts'
import type { Counter } from '../observe/metrics.ts'
import type { Reply } from '../plugin/plugin.ts'
import { type Answer, SERVFAIL } from '../wire/answer.ts'
import { finish, finishBadVersion, finishRefusal, fullSize, OPT_SIZE } from '../wire/finish.ts'
import { MAX_NAME, nameToText } from '../wire/name.ts'
import { type Peer, Query, readQuery } from '../wire/query.ts'
import { HEADER, typeName } from '../wire/types.ts'
import type { Respond } from './listener.ts'
import type { Router } from './router.ts'

/** Octets of the longest reply without an answer: header, question, OPT. */
const SHORT_REPLY = HEADER + MAX_NAME + 4 + OPT_SIZE

export interface RespondOptions {
  /** Asked at each request, so that a reload takes effect at once. */
  readonly router: () => Router
  readonly log: Logger
  /** Counts errors of our own (`coredns_panics_total`). */
  readonly panics: Counter
}

export function responder({ router, log, panics }: RespondOptions): Respond {
  const failed = (query: Query, error: unknown): Uint8Array => {
    panics.add()
    const question = `${nameToText(query.name)} ${typeName(query.type)}`
    log.error(`recovered from an error while answering ${question}: ${error instanceof Error ? error.stack : error}`)
    return written(query, SERVFAIL)
  }
  const whenMade = async (query: Query, reply: Promise<Reply>): Promise<Uint8Array> => {
    try {
      return finished(query, await reply)
    } catch (error) {
      return failed(query, error)
    }
  }
  return (packet: Uint8Array, peer: Peer) => {
    const query = readQuery(packet, peer)
    if (!(query instanceof Query)) {
      if (query.rcode === undefined) return undefined
      const out = Buffer.allocUnsafe(SHORT_REPLY)
      return out.subarray(0, finishRefusal(packet, query, out))
    }
    try {
      const route = router()
      if (query.edns !== undefined && query.edns.version !== 0 && route.servesClass(query.class)) {
        const out = Buffer.allocUnsafe(SHORT_REPLY)
        return out.subarray(0, finishBadVersion(query, out))
      }
      const reply = route.answer(query)
      return reply instanceof Promise ? whenMade(query, reply) : finished(query, reply)
    } catch (error) {
      return failed(query, error)
    }
  }
}

function finished(query: Query, { answer, size }: Reply): Uint8Array {
  const { edns } = query
  return written(size === undefined || edns === undefined ? query : query.with({ edns: { ...edns, size } }), answer)
}

function written(query: Query, answer: Answer): Uint8Array {
  const out = Buffer.allocUnsafe(Math.min(fullSize(query, answer), query.limit))
  const size = finish(query, answer, out)
  // Shorter only where records were cut; a view of its own for every response would cost 0.1 us.
  return size === out.length ? out : out.subarray(0, size)
}
