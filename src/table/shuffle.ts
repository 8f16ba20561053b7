/** The order that `loadbalance` gives to records, and chance for it that suits answer threads. */
import { randomInt } from 'node:crypto'

/** Uniformly distributed in [0, 1). */
export type Random = () => number

/** Every order of the items from `start` to before `end` is as likely as any other (Fisher and Yates). */
export function shuffle<T>(items: { [index: number]: T }, start: number, end: number, random: Random): void {
  for (let i = start; i < end - 1; i++) {
    const chosen = i + Math.floor(random() * (end - i))
    const item = items[i]!
    items[i] = items[chosen]!
    items[chosen] = item
  }
}

/** Chance that costs next to nothing (Marsaglia's xorshift of 32 bits), different in each thread. Not for secrets. */
export function fastRandom(): Random {
  let state = randomInt(1, 2 ** 32)
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
