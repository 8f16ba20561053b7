/**
 * Which objects of a kind were seen, and in which version: what the self-check compares with the API server. Objects that could not
 * be used count too. Takes some 1.2 MB for 10,000 objects.
 */
import type { Key } from '../../cluster/objects.ts'

export class Inventory {
  readonly #versions = new Map<Key, string>()
  #news: Set<Key> | undefined

  /** The version in which an object was seen; undefined where there is none. Versions are opaque, so they are only ever equal or not. */
  version(key: Key): string | undefined {
    return this.#versions.get(key)
  }

  keys(): Iterable<Key> {
    return this.#versions.keys()
  }

  saw(key: Key, version: string): void {
    this.#versions.set(key, version)
    this.#news?.add(key)
  }

  lost(key: Key): void {
    this.#versions.delete(key)
    this.#news?.add(key)
  }

  /** Notes the keys of which there is news from now on, in a set that grows until the next call. */
  listen(): ReadonlySet<Key> {
    this.#news = new Set()
    return this.#news
  }

  unlisten(): void {
    this.#news = undefined
  }
}
