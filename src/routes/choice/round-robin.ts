/** One after the other: `rr` and `wrr` of IPVS (`ip_vs_rr.c`, `ip_vs_wrr.c`). */
import type { Discipline, May, Member } from './scheduler.ts'

/** Each in turn, whatever its weight. */
export function roundRobin(): Discipline {
  /** The one that had its turn; undefined at the head of the list. */
  let last: Member | undefined
  return {
    pick(members, may) {
      const start = last === undefined ? -1 : members.indexOf(last)
      for (let step = 1; step <= members.length; step++) {
        const member = members[(start + step) % members.length]!
        if (may(member)) return (last = member)
      }
      return undefined
    },
    changed(members, before) {
      // Where it is gone, its turn goes to the one before it, so that the one behind it is next.
      while (last !== undefined && !members.includes(last)) last = before[before.indexOf(last) - 1]
    },
  }
}

/**
 * In proportion to the weights, in rounds: those of the highest weight first, then those that reach the next lower step, and so on to
 * the lowest, where everyone is in. A step is the greatest common divisor of the weights.
 */
export function weightedRoundRobin(): Discipline {
  return new WeightedRoundRobin()
}

class WeightedRoundRobin implements Discipline {
  /** Place of the one that had its turn; -1 at the head of the list. */
  #last = -1
  /** Which weight is needed now. */
  #needed = 0
  #step = 1
  /** The needed weight of a round's first pass, such that that of the last is 1. */
  #highest = 0

  /** After a change the list is gone through from its head, on the step that was reached. */
  changed(members: readonly Member[]): void {
    this.#last = -1
    this.#step = members.reduce((step, { weight }) => divisor(weight, step), 0) || 1
    this.#highest = Math.max(0, ...members.map(({ weight }) => weight)) - (this.#step - 1)
    if (this.#needed > this.#highest || this.#needed === 0) this.#needed = this.#highest
    else if (this.#step > 1) this.#needed = Math.floor(this.#needed / this.#step) * this.#step + 1
  }

  pick(members: readonly Member[], may: May): Member | undefined {
    if (this.#highest <= 0) return undefined
    const passes = Math.ceil(this.#highest / this.#step)
    // The rest of this pass, then all passes once: the last of them is this one again, from its beginning.
    for (let pass = 0; pass <= passes; pass++) {
      for (let at = this.#last + 1; at < members.length; at++) {
        const member = members[at]!
        if (member.weight < this.#needed || !may(member)) continue
        this.#last = at
        return member
      }
      this.#last = -1
      this.#needed -= this.#step
      if (this.#needed <= 0) this.#needed = this.#highest
    }
    return undefined
  }
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}
