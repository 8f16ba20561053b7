/** Quantiles and medians of what was measured. */

/** The value that the share `q` of the sorted values does not pass; NaN where there is none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

/** Of the two in the middle the lower, so that it is a value that was measured. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

/** Figure by figure; of no rounds, NaN for none of them: an empty object. */
export function medians<T extends Readonly<Record<keyof T, number>>>(rounds: readonly T[]): T {
  const keys = Object.keys(rounds[0] ?? {}) as (keyof T)[]
  return Object.fromEntries(keys.map(key => [key, median(rounds.map(round => round[key]))])) as T
}
