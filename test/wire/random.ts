/** A fast source of chance that a seed repeats. */

export interface Chance {
  /** An integer from 0 up to, without, `end`. */
  below(end: number): number
  pick<T>(values: readonly T[]): T
}

/** Marsaglia's xorshift of 32 bits. */
export function chance(seed: number): Chance {
  let state = seed | 1
  const below = (end: number) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % end
  }
  return { below, pick: values => values[below(values.length)]! }
}

/** A new seed for each run of a test; what it prints repeats the run. */
export function newSeed(t: { comment(text: string): void }): number {
  const seed = Date.now() % 2 ** 31
  t.comment(`seed ${seed}`)
  return seed
}
