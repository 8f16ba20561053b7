/** Rules of a node that follow the routes, in whatever form: brought up to date, and written whole or as what changed. */
import { same } from '../../cluster/same.ts'
import type { Family } from '../../wire/address.ts'
import type { Destination } from '../route.ts'
import type { RenderOptions } from '../setting.ts'
import type { Routes } from '../table.ts'
import { type Joining, Merged, type Part } from './merged.ts'
import { stretch } from './stretch.ts'

/** The rules of one family. Pure: texts come out, and who loads them says when they were taken. */
export interface Rules {
  readonly family: Family
  /**
   * Brings them to these destinations of their family, in the table's order. Known destinations with the same options cost next to
   * nothing.
   */
  update(destinations: readonly Destination[], options: RenderOptions): void
  /** A text that has a kernel, whatever it had before, have these rules. */
  whole(): string
  /** A text that turns what was at the last `settle` into what is now; empty where nothing differs. */
  change(): string
  /** To be called when the kernel has taken the text. */
  settle(): void
}

/** How destinations are turned into parts, in one setting. */
export interface Layout<V> {
  /** What there is one of. */
  readonly first: Part<V>
  /** What stands behind everything else. */
  readonly last?: Part<V>
  partOf(destination: Destination): Part<V>
}

/** The parts of all destinations, each made once for as long as the destination and the setting stay the same. */
export class Parts<V> {
  readonly merged: Merged<V>
  #setting: unknown
  #layout: Layout<V> | undefined
  #destinations: readonly Destination[] = []
  /** Of the destinations, in their order. */
  #parts: readonly Part<V>[] = []

  constructor(joining: Joining<V>) {
    this.merged = new Merged(joining)
  }

  /** `layout` is asked for when the setting is another one than before. */
  update(destinations: readonly Destination[], setting: unknown, layout: () => Layout<V>): void {
    if (this.#layout === undefined || !same(this.#setting, setting)) {
      this.#setting = setting
      this.#layout = layout()
      this.#destinations = []
      this.#parts = []
    }
    const { first, last } = this.#layout
    this.#parts = this.#partsOf(destinations, this.#layout)
    this.#destinations = destinations
    this.merged.update([first, ...this.#parts, ...(last === undefined ? [] : [last])])
  }

  #partsOf(destinations: readonly Destination[], layout: Layout<V>): Part<V>[] {
    const { start, before, after } = stretch(this.#destinations, destinations)
    const known = new Map(before.map((destination, i) => [destination, this.#parts[start + i]!]))
    return [
      ...this.#parts.slice(0, start),
      ...after.map(destination => known.get(destination) ?? layout.partOf(destination)),
      ...this.#parts.slice(start + before.length),
    ]
  }
}

export function destinationsOf(routes: Pick<Routes, 'destinations'>, family: Family): Destination[] {
  return [...routes.destinations()].filter(destination => destination.family === family)
}
