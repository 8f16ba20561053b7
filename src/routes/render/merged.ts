/**
 * Rules as the sum of what each destination adds to them, kept up to date at the cost of what changed. Which chains and elements
 * there are, and how they are written, is left to the two forms of rules.
 */

import { stretch } from './stretch.ts'

/** What a destination, or the frame around all of them, adds: content by key. Never edited, so it is known again by its identity. */
export interface Part<V> {
  /** The same for what replaces it: a destination's name with its protocol. */
  readonly name: string
  readonly items: ReadonlyMap<string, V>
}

/** How one key's content is made where several parts have some, and when two contents are the same. */
export interface Joining<V> {
  /** At least two, each with the place of its part in the order of all; in no order. */
  join(values: readonly Placed<V>[]): V
  equal(a: V, b: V): boolean
  /** Whether whoever has something under the key of this has the same: then nobody need be compared. */
  alike(value: V): boolean
}

export interface Placed<V> {
  readonly place: number
  readonly value: V
}

/** A key's content as it was and is; undefined where it was or is not there. */
export interface Difference<V> {
  readonly before: V | undefined
  readonly after: V | undefined
}

/**
 * Law: after any sequence of `update`s the content is what one `update` of a new object makes, and the differences are those from the
 * content at the last `settle`, however many updates there were since.
 */
export class Merged<V> {
  readonly #joining: Joining<V>
  #parts: readonly Part<V>[] = []
  #places = new Map<Part<V>, number>()
  /** Who has something under a key: most often one. */
  readonly #owners = new Map<string, Part<V> | Set<Part<V>>>()
  /** What stood under the keys that were touched since `settle`. */
  #touched = new Map<string, V | undefined>()

  constructor(joining: Joining<V>) {
    this.#joining = joining
  }

  /** Brings the content to that of these parts. Costs a look at each, and work for those that were not there before. */
  update(parts: readonly Part<V>[]): void {
    const differing = stretch(this.#parts, parts)
    const now = new Set(differing.after)
    const gone = differing.before.filter(part => !now.has(part))
    // Before anything changes, what stands under the keys is noted.
    const fresh = this.#pair(differing.after, gone)
    const paired = new Set(fresh.map(([, earlier]) => earlier))
    for (const [part, earlier] of fresh) {
      this.#touch(part, earlier)
      if (earlier !== undefined) this.#touch(earlier, part)
    }
    for (const part of gone) if (!paired.has(part)) this.#touch(part, undefined)
    for (const part of gone) {
      this.#withdraw(part)
      this.#places.delete(part)
    }
    for (const [part] of fresh) this.#enter(part)
    this.#parts = parts
    // Those behind the stretch have their places where it is as long as it was.
    const end = differing.before.length === differing.after.length ? differing.start + now.size : parts.length
    for (let place = differing.start; place < end; place++) this.#places.set(parts[place]!, place)
  }

  /** Each key with its content. */
  *content(): Iterable<readonly [string, V]> {
    for (const key of this.#owners.keys()) yield [key, this.get(key)!]
  }

  get(key: string): V | undefined {
    const owners = this.#owners.get(key)
    if (owners === undefined) return undefined
    if (!(owners instanceof Set)) return owners.items.get(key)
    const [some] = owners
    const value = some!.items.get(key)!
    if (this.#joining.alike(value)) return value
    const values = Array.from(owners, part => ({ place: this.#places.get(part)!, value: part.items.get(key)! }))
    return this.#joining.join(values)
  }

  /** What differs from the content at the last `settle`. */
  differences(): Map<string, Difference<V>> {
    const found = new Map<string, Difference<V>>()
    for (const [key, before] of this.#touched) {
      const after = this.get(key)
      const unchanged =
        before === undefined || after === undefined ? before === after : this.#joining.equal(before, after)
      if (!unchanged) found.set(key, { before, after })
    }
    return found
  }

  /** Has differences count from now on. */
  settle(): void {
    this.#touched = new Map()
  }

  /** The parts that were not there, each with the one whose place it takes: what both have changes nothing. */
  #pair(parts: readonly Part<V>[], gone: readonly Part<V>[]): [part: Part<V>, earlier: Part<V> | undefined][] {
    const byName = new Map(gone.map(part => [part.name, part]))
    const fresh: [Part<V>, Part<V> | undefined][] = []
    let last = -1
    for (const part of parts) {
      const known = this.#places.has(part)
      const earlier = known ? part : byName.get(part.name)
      if (!known) byName.delete(part.name)
      const place = earlier && this.#places.get(earlier)!
      // What has moved ahead of others may come to be the first to claim a key: it is taken as new.
      const moved = place !== undefined && place < last
      if (place !== undefined && !moved) last = place
      if (!known || moved) fresh.push([part, moved ? undefined : earlier])
    }
    return fresh
  }

  /** Notes what stands under a part's keys, except where `twin`, which stands at the same place, has the same there. */
  #touch({ items }: Part<V>, twin: Part<V> | undefined): void {
    for (const [key, value] of items) {
      if (this.#touched.has(key)) continue
      const other = twin?.items.get(key)
      if (other === undefined || !this.#joining.equal(value, other)) this.#touched.set(key, this.get(key))
    }
  }

  #withdraw(part: Part<V>): void {
    for (const key of part.items.keys()) {
      const owners = this.#owners.get(key)
      if (!(owners instanceof Set)) {
        this.#owners.delete(key)
        continue
      }
      owners.delete(part)
      const [only] = owners
      if (owners.size === 1) this.#owners.set(key, only!)
    }
  }

  #enter(part: Part<V>): void {
    for (const key of part.items.keys()) {
      const owners = this.#owners.get(key)
      if (owners === undefined || owners === part) this.#owners.set(key, part)
      else if (owners instanceof Set) owners.add(part)
      else this.#owners.set(key, new Set([owners, part]))
    }
  }
}
