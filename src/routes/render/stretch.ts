/** Comparing lists, and where they differ: most often they are the same before and behind one short stretch. */

export interface Stretch<T> {
  /** How many are the same in front of it. */
  readonly start: number
  /** What stands there in the one list, and in the other. */
  readonly before: readonly T[]
  readonly after: readonly T[]
}

/** Compares by identity, and no further than both lists are the same from either end. */
export function stretch<T>(before: readonly T[], after: readonly T[]): Stretch<T> {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start++
  let behind = 0
  while (behind < shorter - start && before[before.length - 1 - behind] === after[after.length - 1 - behind]) behind++
  return {
    start,
    before: before.slice(start, before.length - behind),
    after: after.slice(start, after.length - behind),
  }
}

/** What only the one list has, and what only the other has. */
export function changes<T>(before: readonly T[], after: readonly T[]): { readonly gone: T[]; readonly fresh: T[] } {
  const differing = stretch(before, after)
  const [old, now] = [new Set(differing.before), new Set(differing.after)]
  return { gone: differing.before.filter(one => !now.has(one)), fresh: differing.after.filter(one => !old.has(one)) }
}

export function equalTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, i) => text === b[i]))
}
