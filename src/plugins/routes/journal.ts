/** Which services changed of late, for who was away for a moment and asks what there is that is new. */
import type { Key } from '../../cluster/objects.ts'

/** That many services are remembered: an hour of an ordinary cluster, some 1 MB. */
const MOST = 10_000

export class Journal {
  readonly #most: number
  /** The last change of each service, the oldest first. */
  readonly #revisions = new Map<Key, number>()
  /** What changed up to here may be forgotten. */
  #from: number

  constructor(from: number, most = MOST) {
    this.#from = from
    this.#most = most
  }

  note(key: Key, revision: number): void {
    this.#revisions.delete(key)
    this.#revisions.set(key, revision)
    if (this.#revisions.size <= this.#most) return
    const [oldest, forgotten] = this.#revisions.entries().next().value!
    this.#revisions.delete(oldest)
    this.#from = forgotten
  }

  /** The services that changed after a revision, in the order of their last change; undefined where some may be forgotten. */
  since(revision: number): (readonly [Key, number])[] | undefined {
    if (revision < this.#from) return undefined
    return [...this.#revisions].filter(([, changed]) => changed > revision)
  }
}
