/**
 * Counts what comes most, in memory that does not grow (Metwally, Agrawal and El Abbadi, "Efficient computation of frequent and top-k elements",
 * 2005: Space-Saving). What is new takes the place of what came least, and inherits its count as a possible error: what comes often enough is
 * always there, and no count is too low.
 */
import type { Clock } from '../../observe/clock.ts'

/** Who looked in vain for what. */
export interface Seen {
  readonly name: string
  readonly client: string
}

export interface Counted extends Seen {
  /** At most so many. */
  readonly count: number
  /** By how much it may be too many. */
  readonly error: number
}

interface Window {
  readonly begunMs: number
  readonly counts: Map<string, Counted>
  total: number
}

export interface TallyOptions {
  readonly clock: Clock
  /** How many are counted at once. */
  readonly size: number
  /** What is older than two windows is forgotten, what is younger than one is not. */
  readonly windowMs: number
}

export class Tally {
  readonly #options: TallyOptions
  #current: Window
  #previous: Window | undefined

  constructor(options: TallyOptions) {
    this.#options = options
    this.#current = this.#window()
  }

  add(seen: Seen, by: number): void {
    this.#turn()
    const { counts } = this.#current
    const key = `${seen.name} ${seen.client}`
    const known = counts.get(key)
    const least = known || counts.size < this.#options.size ? undefined : leastOf(counts)
    if (least) counts.delete(least[0])
    const { count, error } = known ?? { count: least?.[1].count ?? 0, error: least?.[1].count ?? 0 }
    counts.set(key, { ...seen, count: count + by, error })
    this.#current.total += by
  }

  /** The most first, how many there were in all, and for how long they were counted. */
  report(): { readonly seconds: number; readonly total: number; readonly counted: readonly Counted[] } {
    this.#turn()
    const windows = [this.#previous, this.#current].filter(window => window !== undefined)
    const sums = new Map<string, Counted>()
    for (const { counts } of windows) {
      for (const [key, counted] of counts) {
        const { count = 0, error = 0 } = sums.get(key) ?? {}
        sums.set(key, { ...counted, count: counted.count + count, error: counted.error + error })
      }
    }
    return {
      seconds: (this.#options.clock.monotonic() - windows[0]!.begunMs) / 1000,
      total: windows.reduce((sum, { total }) => sum + total, 0),
      counted: [...sums.values()].sort((a, b) => b.count - a.count),
    }
  }

  /** Begins a new window when it is time. */
  #turn(): void {
    const { clock, windowMs } = this.#options
    const ageMs = clock.monotonic() - this.#current.begunMs
    if (ageMs < windowMs) return
    this.#previous = ageMs < 2 * windowMs ? this.#current : undefined
    this.#current = this.#window()
  }

  #window(): Window {
    return { begunMs: this.#options.clock.monotonic(), counts: new Map(), total: 0 }
  }
}

function leastOf(counts: ReadonlyMap<string, Counted>): readonly [string, Counted] | undefined {
  let least: readonly [string, Counted] | undefined
  for (const entry of counts) if (least === undefined || entry[1].count < least[1].count) least = entry
  return least
}
