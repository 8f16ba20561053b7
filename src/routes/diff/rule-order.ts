/** Which rules stand where another one is met first, wherever that can make a difference. */

/** What of a rule decides whether a packet may meet both it and another one. */
export interface Placed {
  /** Protocol and port, where it asks for both: rules of different ports never match one packet. */
  readonly place?: string | undefined
  /** The one address that it asks for. */
  readonly address?: string | undefined
}

/**
 * `wanted` are rules in the order that they should have, `found[i]` is where the rule `wanted[i]` stands. Gives the indices of the fewest
 * rules that would have to move. Rules that no packet meets both of (of different ports, of different addresses at one port) may stand in
 * any order.
 */
export function misplaced(wanted: readonly Placed[], found: readonly number[]): number[] {
  const open = wanted.flatMap((rule, i) => (rule.place === undefined ? [i] : []))
  const groups = [open, ...byPlace(wanted)].flatMap(group => byAddress(group, wanted))
  const moved = new Set(groups.flatMap(group => outOfLine(group, found)))
  // What remains are rules of one port on the wrong side of rules that ask for none.
  const fixed = open.filter(i => !moved.has(i))
  const crossed = sides(wanted, found, fixed)
  const guilty = fixed.filter((_, at) => crossed.byOpen[at]! > 1)
  for (const i of guilty) moved.add(i)
  const left =
    guilty.length === 0
      ? crossed
      : sides(
          wanted,
          found,
          fixed.filter(i => !moved.has(i)),
        )
  for (const i of left.rules) moved.add(i)
  return [...moved].sort((a, b) => a - b)
}

function byPlace(rules: readonly Placed[]): number[][] {
  const groups = new Map<string, number[]>()
  for (const [i, { place }] of rules.entries()) {
    if (place === undefined) continue
    const group = groups.get(place)
    if (group) group.push(i)
    else groups.set(place, [i])
  }
  return [...groups.values()]
}

/** Divides a group where all of its rules ask for an address. */
function byAddress(group: readonly number[], rules: readonly Placed[]): (readonly number[])[] {
  if (group.some(i => rules[i]!.address === undefined)) return [group]
  return [...Map.groupBy(group, i => rules[i]!.address!).values()]
}

interface Sides {
  /** For each of the open rules, how many others are on its wrong side. */
  readonly byOpen: readonly number[]
  /** Rules of a place that are on the wrong side of one. */
  readonly rules: readonly number[]
}

/** `open` are rules that ask for no port. */
function sides(wanted: readonly Placed[], found: readonly number[], open: readonly number[]): Sides {
  const places = open.map(i => found[i]!).sort((a, b) => a - b)
  const byOpen = open.map(() => 0)
  const rules: number[] = []
  let before = 0
  for (const [i, rule] of wanted.entries()) {
    if (open[before] === i) before++
    if (rule.place === undefined) continue
    const there = below(places, found[i]!)
    if (there === before) continue
    rules.push(i)
    for (let at = Math.min(before, there); at < Math.max(before, there); at++) byOpen[at]!++
  }
  return { byOpen, rules }
}

/** How many of the ordered numbers are below the limit. */
function below(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle]! < limit) low = middle + 1
    else high = middle
  }
  return low
}

/** Of the indices those that are not in the longest run that `found` has in the same order. */
function outOfLine(indices: readonly number[], found: readonly number[]): readonly number[] {
  if (indices.every((i, at) => at === 0 || found[indices[at - 1]!]! < found[i]!)) return []
  // The last index of the best run of each length, and what stands before each index in its run.
  const ends: number[] = []
  const places: number[] = []
  const previous = new Map<number, number | undefined>()
  for (const i of indices) {
    const length = below(places, found[i]!)
    previous.set(i, ends[length - 1])
    ends[length] = i
    places[length] = found[i]!
  }
  const kept = new Set<number>()
  for (let i = ends.at(-1); i !== undefined; i = previous.get(i)) kept.add(i)
  return indices.filter(i => !kept.has(i))
}
