/** Walks that are taken in the head: whoever knows the answers sees what a program would ask, in no time and without a socket. */
import type { Random } from '../../observe/clock.ts'
import { glibcWalk } from './glibc.ts'
import { muslWalk } from './musl.ts'
import type { Libc, ResolverConfig } from './resolver-config.ts'
import type { AddressType, Happening, Query, Reply, Result, Walk } from './walk.ts'

/** What a server does with a query: a response, nobody there, a connection that is closed, or silence. */
export type Reaction = Reply | 'refused' | 'closed' | 'silence'

/** The walk of a library for a name. `random` decides where `rotate` begins. */
export function walkOf(
  libc: Libc,
  config: ResolverConfig,
  name: string,
  types: readonly AddressType[],
  random: Random,
): Walk {
  return libc === 'musl' || libc === 'musl-1.2.3'
    ? muslWalk(config, name, types, { old: libc === 'musl-1.2.3' })
    : glibcWalk(config, name, types, random)
}

/** Takes a walk to its end. Reactions come at once, in the order in which the queries were sent. */
export function rehearse(walk: Walk, react: (query: Query) => Reaction): Result {
  const rehearsal = rehearsalOf(walk)
  let step = rehearsal.next()
  while (!step.done) step = rehearsal.next(react(step.value))
  return step.value
}

/** The same, one query at a time: for who has to wait for answers, or to leave off where one is not known. */
export function* rehearsalOf(walk: Walk): Generator<Query, Result, Reaction> {
  const waiting: Query[] = []
  let now = 0
  let turn = walk.next()
  while (!turn.done) {
    waiting.push(...turn.value.send)
    let happening: Happening | undefined
    while (happening === undefined) {
      const query = waiting.shift()
      if (query === undefined) {
        now = turn.value.deadline
        happening = { what: 'timeout', at: now }
        break
      }
      const reaction = yield query
      if (reaction === 'silence') continue
      happening =
        typeof reaction === 'string'
          ? { what: reaction, at: now, query }
          : { what: 'reply', at: now, query, reply: reaction }
    }
    turn = walk.next(happening)
  }
  return turn.value
}
