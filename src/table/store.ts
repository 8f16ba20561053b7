/** What the spaces of a table share: the writer's look-ups, and how a block comes into the table in the place of another. */
import { PortolanError } from '../errors.ts'
import type { NameKey } from '../wire/name.ts'
import { BlockWriter } from './block-writer.ts'
import { Blocks, isTableFull, type Reclaim } from './blocks.ts'
import type { EntryHead } from './entry.ts'
import { TableIndex } from './index.ts'
import { Control, Entry, Kind, MAX_SPACES, type TableMemory, UNIT, UNITS } from './layout.ts'
import { keyWord, Lookup } from './lookup.ts'

export interface StoreOptions {
  /** Octets that the arena may have. */
  readonly limit: number
  /** Octets that entries of caches may have together, and how much may be in limbo before they get no more. */
  readonly cacheLimit: number
  readonly limboLimit: number
  readonly reclaim: Reclaim
}

/** What is written at the name that was found, or not found, last. */
interface Place {
  readonly head: EntryHead
  /** The entry that is there, or 0. */
  readonly ref: number
}

export class Store {
  readonly memory: TableMemory
  readonly control: Int32Array
  readonly blocks: Blocks
  readonly index: TableIndex
  readonly lookup: Lookup
  readonly block = new BlockWriter()
  /** Octets of the entries of caches. */
  cacheOctets = 0
  readonly #options: StoreOptions
  /** The name that is looked for; look-ups read up to three octets behind it. */
  readonly #name = new Uint8Array(260)
  readonly #view = new DataView(this.#name.buffer)
  readonly #spaces = new Set<number>()

  constructor(hashKey: Uint8Array, options: StoreOptions) {
    this.#options = options
    const control = new SharedArrayBuffer(Control.WORDS * 4)
    this.control = new Int32Array(control)
    const key = new DataView(hashKey.buffer, hashKey.byteOffset, 8)
    this.control[Control.HASH_KEY] = key.getInt32(0, true)
    this.control[Control.HASH_KEY + 1] = key.getInt32(4, true)
    this.blocks = new Blocks(this.control, options.limit, options.reclaim)
    this.index = new TableIndex(this.blocks, this.control)
    this.memory = { arena: this.blocks.arena.buffer, control }
    this.lookup = new Lookup(this.memory)
  }

  /** The words and octets of the arena, as far as it goes now. */
  get words(): Int32Array {
    return this.blocks.arena.words
  }

  get octets(): Uint8Array {
    return this.blocks.arena.octets
  }

  /** The number of a new space. */
  openSpace(): number {
    let space = 0
    while (this.#spaces.has(space)) space++
    if (space === MAX_SPACES) {
      throw new PortolanError('PORTOLAN_TABLE_SPACES', `the answer table has no more than ${MAX_SPACES} spaces`)
    }
    this.#spaces.add(space)
    return space
  }

  /** Removes what is in a space. Its number is given to another when no reader can still look there. */
  closeSpace(space: number): void {
    this.clear(space)
    this.setWord(Control.TEMPLATES + space, 0)
    this.blocks.afterReaders(() => this.#spaces.delete(space))
    this.commit()
  }

  commit(): void {
    this.index.shrink()
    this.blocks.advance()
  }

  /** The ref of an entry, or 0. */
  find(space: number, kind: number, name: NameKey, meta: number): number {
    const length = this.#take(name)
    // Where a look-up gives up there is none: entries are never put further away.
    return Math.max(0, this.lookup.find(keyWord(space, length, kind), meta, this.#view, 0, length)) >> 2
  }

  /** The same, with what a new entry of that name starts with. */
  place(space: number, kind: number, name: NameKey, meta: number): Place {
    const ref = this.find(space, kind, name, meta)
    const key = keyWord(space, name.length, kind)
    const hash = this.lookup.hash(key, meta, this.#view, 0, name.length)
    return { ref, head: { hash, key, meta, name: this.#name.subarray(0, name.length) } }
  }

  /** Puts the block that was written in the place of the entry `old`, or 0. False where the very same words are there. */
  put(old: number): boolean {
    const words = this.block.end()
    if (old !== 0 && this.#holds(old, words)) return false
    const ref = this.blocks.make(words)
    if (old === 0) {
      this.#insert(ref)
    } else {
      this.#count(old, -1)
      this.index.replace(old, ref)
    }
    this.#count(ref, 1)
    return true
  }

  /** The same for an entry of a cache; false where it may not be kept: then none is there any more. */
  putBounded(old: number): boolean {
    if (this.blocks.limbo > this.#options.limboLimit) this.blocks.advance()
    const kept = this.cacheOctets - (old === 0 ? 0 : this.octetsOf(old))
    const fits = kept + this.block.length + UNIT <= this.#options.cacheLimit
    if (fits && this.blocks.limbo <= this.#options.limboLimit) {
      try {
        this.put(old)
        return true
      } catch (error) {
        if (!isTableFull(error)) throw error
      }
    }
    if (old !== 0) this.remove(old)
    return false
  }

  remove(ref: number): void {
    this.#count(ref, -1)
    this.index.remove(ref)
  }

  clear(space: number): void {
    this.index.removeWhere(ref => {
      const isInside = this.spaceOf(ref) === space
      if (isInside) this.#count(ref, -1)
      return isInside
    })
  }

  spaceOf(ref: number): number {
    return this.words[(ref << 2) + Entry.KEY]! >>> 16
  }

  octetsOf(ref: number): number {
    return this.words[(ref << 2) + UNITS]! * UNIT
  }

  /** Puts the block that was written where a word of `control` says, and retires what that said before. */
  setBlock(word: number): void {
    const words = this.block.end()
    const old = this.control[word]!
    if (old === 0 || !this.#holds(old, words)) this.setWord(word, this.blocks.make(words))
  }

  /** Sets a word of `control` that is the ref of a block, or 0. */
  setWord(word: number, ref: number): void {
    const old = this.control[word]!
    Atomics.store(this.control, word, ref)
    this.blocks.retire(old)
  }

  #holds(ref: number, words: Int32Array): boolean {
    const at = ref << 2
    const there = this.words
    if (there[at + UNITS] !== words[UNITS]) return false
    for (let i = 0; i < words.length; i++) if (there[at + i] !== words[i]) return false
    return true
  }

  #insert(ref: number): void {
    try {
      this.index.insert(ref)
    } catch (error) {
      this.blocks.free(ref)
      throw error
    }
  }

  #count(ref: number, sign: 1 | -1): void {
    const kind = this.words[(ref << 2) + Entry.KEY]! & 0xff
    if (kind === Kind.CACHE) this.cacheOctets += sign * this.octetsOf(ref)
  }

  #take(name: NameKey): number {
    for (let i = 0; i < name.length; i++) this.#name[i] = name.charCodeAt(i)
    return name.length
  }
}
