/**
 * "Did you mean …?": the known word nearest to a mistyped one. Knows nothing of Corefiles.
 */

/**
 * The candidate with the smallest edit distance from `word`, or undefined when none is near enough to be worth a hint: about
 * one mistake in three letters, at most three. Of equally near ones the first is taken.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let limit = Math.min(3, Math.max(1, Math.round(word.length / 3)))
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue
    const distance = editDistance(word, candidate)
    if (distance > limit) continue
    best = candidate
    limit = distance - 1
  }
  return best
}

/** ` did you mean "…"?` with its leading colon, to be put behind an error message; empty when nothing is near. */
export function hint(word: string, candidates: Iterable<string>): string {
  const guess = nearest(word, candidates)
  return guess === undefined ? '' : `: did you mean "${guess}"?`
}

/**
 * Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other (optimal string alignment).
 * Letter case counts.
 */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[to.length]!
}
