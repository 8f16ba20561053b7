/** In which order upstreams are tried for a query. */
import type { Random } from '../../observe/clock.ts'

export const policies = ['random', 'round_robin', 'sequential'] as const
export type PolicyName = (typeof policies)[number]

/** The order for the next query; never changes what it is given. */
export type Policy<T> = (all: readonly T[]) => readonly T[]

export function policy<T>(name: PolicyName, random: Random): Policy<T> {
  if (name === 'sequential') return all => all
  if (name === 'random') return all => (all.length < 2 ? all : shuffled(all, random))
  let turn = 0
  return all => {
    turn = (turn + 1) % all.length
    // As CoreDNS: only the first choice goes round, the others follow in their own order.
    return turn === 0 ? all : [all[turn]!, ...all.slice(0, turn), ...all.slice(turn + 1)]
  }
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  const order = [...all]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const moved = order[i]!
    order[i] = order[j]!
    order[j] = moved
  }
  return order
}
