/**
 * Which queries are looked at where all of them would cost too much. Their ids decide, which clients draw by chance, so whoever sees a query
 * comes to the same decision, whichever way it takes.
 */

/** How many queries one that is sampled stands for. */
export const SAMPLED_ONE_IN = 64

/** Not id 0, which some have in all their queries. */
const REST = 7

export function isSampled(id: number): boolean {
  return id % SAMPLED_ONE_IN === REST
}
