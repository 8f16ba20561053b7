/** By the connections that are open: `lc`, `wlc`, `sed` and `nq` of IPVS (`ip_vs_lc.c` and the files of the other names). */
import type { Discipline, Member } from './scheduler.ts'

/** The fewest connections. */
export function leastConnections(): Discipline {
  return least(({ open }) => open)
}

/** The fewest connections for its weight. */
export function weightedLeastConnections(): Discipline {
  return least(({ open }) => open, byWeight)
}

/** The shortest expected delay: the fewest connections for its weight, once it has the new one as well. */
export function shortestExpectedDelay(): Discipline {
  return least(withThis, byWeight)
}

/** Never queue: one without connections where there is any, whatever its weight; else as `shortestExpectedDelay`. */
export function neverQueue(): Discipline {
  const { pick } = shortestExpectedDelay()
  return {
    pick(members, may, client) {
      return members.find(member => may(member) && member.open === 0) ?? pick(members, may, client)
    },
  }
}

const withThis = ({ open }: Member) => open + 1
const byWeight = ({ weight }: Member) => weight

/** Loads are compared crosswise, without dividing, so that what is equal is found to be. */
function least(load: (member: Member) => number, share: (member: Member) => number = () => 1): Discipline {
  return {
    pick(members, may) {
      let found: Member | undefined
      for (const member of members) {
        if (!may(member)) continue
        if (found === undefined || load(found) * share(member) > load(member) * share(found)) found = member
      }
      return found
    },
  }
}
