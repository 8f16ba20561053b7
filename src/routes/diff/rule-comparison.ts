/** Compares the rules of one chain with those that it should have, whatever language they are written in. */
import { misplaced, type Placed } from './rule-order.ts'

export interface Comparable extends Placed {
  /** Equal for rules that do the same. */
  readonly meaning: string
  readonly comment: string
}

export interface RuleDifference<T> {
  readonly missing: readonly T[]
  readonly extra: readonly T[]
  /** The same rule, which says something else than it should. */
  readonly wrong: readonly (readonly [found: T, wanted: T])[]
  readonly misplaced: readonly T[]
  /** Rules that mean the same, and have other comments. */
  readonly commented: readonly (readonly [found: T, wanted: T])[]
}

/**
 * Undefined where the rules are the same. `roleOf` says what a rule is for: of a missing and an extra rule with one role, the one stands in
 * the other's place.
 */
export function compareRules<T extends Comparable>(
  wanted: readonly T[],
  found: readonly T[],
  roleOf: (rule: T) => string | undefined,
): RuleDifference<T> | undefined {
  if (wanted.length === found.length && wanted.every((rule, i) => isSame(rule, found[i]!))) return undefined
  const places = matches(wanted, found)
  const common = wanted.flatMap((_, i) => (places[i] === undefined ? [] : [i]))
  const matched = new Set(places)
  const rest = pairs(
    wanted.filter((_, i) => places[i] === undefined),
    found.filter((_, i) => !matched.has(i)),
    roleOf,
  )
  const moved = misplaced(
    common.map(i => wanted[i]!),
    common.map(i => places[i]!),
  )
  const commented = common.flatMap(i => {
    const there = found[places[i]!]!
    return there.comment === wanted[i]!.comment ? [] : [[there, wanted[i]!] as const]
  })
  const difference = { ...rest, misplaced: moved.map(i => wanted[common[i]!]!), commented }
  return Object.values(difference).some(list => list.length > 0) ? difference : undefined
}

function isSame(a: Comparable, b: Comparable): boolean {
  return a.meaning === b.meaning && a.comment === b.comment
}

/** Where each rule is found: with its comment if there is one, else one that means the same. Each is found once. */
function matches(wanted: readonly Comparable[], found: readonly Comparable[]): (number | undefined)[] {
  const places: (number | undefined)[] = wanted.map(() => undefined)
  const taken = new Set<number>()
  const withComment = ({ meaning, comment }: Comparable) => `${meaning}\n${comment}`
  for (const key of [withComment, ({ meaning }: Comparable) => meaning]) {
    const free = new Map<string, number[]>()
    // From behind, so that the first is taken first.
    for (let i = found.length - 1; i >= 0; i--) {
      if (taken.has(i)) continue
      const same = free.get(key(found[i]!))
      if (same) same.push(i)
      else free.set(key(found[i]!), [i])
    }
    for (const [i, rule] of wanted.entries()) {
      if (places[i] !== undefined) continue
      const place = free.get(key(rule))?.pop()
      if (place === undefined) continue
      places[i] = place
      taken.add(place)
    }
  }
  return places
}

/** Joins what is missing and what is extra where the one stands in the other's place. */
function pairs<T>(missing: readonly T[], extra: readonly T[], roleOf: (rule: T) => string | undefined) {
  const free = Map.groupBy(extra, roleOf)
  const wrong: [T, T][] = []
  const left = missing.filter(rule => {
    const role = roleOf(rule)
    const found = role === undefined ? undefined : free.get(role)?.shift()
    if (found !== undefined) wrong.push([found, rule])
    return found === undefined
  })
  const joined = new Set(wrong.map(([found]) => found))
  return { missing: left, extra: extra.filter(rule => !joined.has(rule)), wrong }
}
