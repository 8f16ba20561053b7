/**
 * Finds entries. It keeps the views of the shared memory, which answer threads and the writer read through; when what is found may
 * be looked at, and for how long, is the business of `reader.ts`.
 */
import { hashOf, wordOf } from './hash.ts'
import { Control, EMPTY, Entry, Index, Kind, MAX_PROBES, type TableMemory, UNITS } from './layout.ts'

export class Lookup {
  readonly memory: TableMemory
  readonly control: Int32Array
  /**
   * The arena. A find makes the views again where what it found stands behind their end: take them from here after each find, not
   * before. (They have a fixed length, as views that follow a growing buffer are twenty times slower.)
   */
  words: Int32Array
  octets: Uint8Array
  readonly #key0: number
  readonly #key1: number

  constructor(memory: TableMemory) {
    this.memory = memory
    this.control = new Int32Array(memory.control)
    this.words = new Int32Array(memory.arena, 0, memory.arena.byteLength >> 2)
    this.octets = new Uint8Array(memory.arena, 0, memory.arena.byteLength)
    this.#key0 = this.control[Control.HASH_KEY]!
    this.#key1 = this.control[Control.HASH_KEY + 1]!
  }

  /** Makes the views again, up to where the arena goes now. */
  refresh(): void {
    const { arena } = this.memory
    const { byteLength } = arena
    this.words = new Int32Array(arena, 0, byteLength >> 2)
    this.octets = new Uint8Array(arena, 0, byteLength)
  }

  /**
   * The word at which the entry of a name in a zone starts; 0 where there is none, -1 where that is not known. The name is the
   * `length` octets that stand in `name` from `at` on, A to Z lowered; three octets more must stand there, of any value.
   */
  findZone(space: number, name: DataView, at: number, length: number): number {
    return this.find(keyWord(space, length, Kind.ZONE), 0, name, at, length)
  }

  /** The same for an answer that a cache keeps; `flags` as in `cacheMeta`. */
  findCache(space: number, name: DataView, at: number, length: number, type: number, flags: number): number {
    return this.find(keyWord(space, length, Kind.CACHE), cacheMeta(type, flags), name, at, length)
  }

  /** The same by the words that an entry starts with; `meta` is 0 for zones, of which that word is no part of the key. */
  find(key: number, meta: number, name: DataView, at: number, length: number): number {
    const hash = this.hash(key, meta, name, at, length)
    const index = this.block(Atomics.load(this.control, Control.ROOT))
    let words = this.words
    const slots = index + Index.SLOTS
    const mask = words[index + Index.CAPACITY]! - 1
    for (let i = 0; i < MAX_PROBES; i++) {
      const ref = Atomics.load(words, slots + ((hash + i) & mask))
      if (ref === EMPTY) return 0
      // A deleted slot leads to unit 1: no entry has its zeros for a key.
      const entry = ref << 2
      if (entry >= words.length) {
        this.refresh()
        words = this.words
      }
      if (words[entry + Entry.HASH] !== hash || words[entry + Entry.KEY] !== key) continue
      if ((key & KIND) === Kind.CACHE && words[entry + Entry.META] !== meta) continue
      this.block(ref)
      words = this.words
      if (sameName(words, entry + Entry.NAME, name, at, length)) return entry
    }
    return -1
  }

  /** The hash that `find` looks for. */
  hash(key: number, meta: number, name: DataView, at: number, length: number): number {
    return hashOf(this.#key0, this.#key1, key, meta, name, at, length)
  }

  /** The word at which the negative template of a zone starts; 0 where it has none. */
  template(space: number): number {
    return this.block(Atomics.load(this.control, Control.TEMPLATES + space))
  }

  /** The word at which a directory starts; 0 where there is none. */
  directory(number: number): number {
    return this.block(Atomics.load(this.control, Control.DIRECTORIES + number))
  }

  /** The word at which a block starts, which is inside the views as a whole. */
  protected block(ref: number): number {
    const at = ref << 2
    // The buffer grew before the ref was published, so that whoever has the ref sees it grown.
    if (at >= this.words.length) this.refresh()
    if (at + (this.words[at + UNITS]! << 2) > this.words.length) this.refresh()
    return at
  }
}

const KIND = 0xff

/** The key of an entry without its name. */
export function keyWord(space: number, length: number, kind: number): number {
  return (space << 16) | (length << 8) | kind
}

/** DO and CD of a question that a cache keeps the answer to. */
export const CacheFlag = { CHECKING_DISABLED: 1, DNSSEC_OK: 2 } as const

export function cacheMeta(type: number, flags: number): number {
  return (type << 16) | flags
}

function sameName(words: Int32Array, entryName: number, name: DataView, at: number, length: number): boolean {
  for (let i = 0; i * 4 < length; i++) if (words[entryName + i] !== wordOf(name, at, length, i)) return false
  return true
}
