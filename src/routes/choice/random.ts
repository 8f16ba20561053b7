/** As iptables and nftables choose: any, each as probable as the others. */
import type { Random } from '../../observe/clock.ts'
import type { Discipline } from './scheduler.ts'

/**
 * One draw, as nftables has it. iptables draws at each rule, the first of n with the probability 1/n, of the rest the first with
 * 1/(n-1), and so on, which comes to the same. Weights other than 0 make no difference.
 */
export function random(draw: Random): Discipline {
  return {
    pick(members, may) {
      const candidates = members.filter(may)
      return candidates[Math.floor(draw() * candidates.length)]
    },
  }
}
