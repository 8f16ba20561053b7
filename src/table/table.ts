/**
 * The answer table: compiled answers in shared memory, written by the control thread, read by answer threads. This is the writer's
 * side; how it is read stands in `reader.ts`, how both go together in `README.md`.
 */
import { randomBytes } from 'node:crypto'
import { endianness } from 'node:os'
import { PortolanError } from '../errors.ts'
import type { Reclaim } from './blocks.ts'
import type { CacheSpace, Directory, ZoneSpace } from './contract.ts'
import { Control, DirectoryBlock, MAX_DIRECTORIES, type TableMemory, UNIT } from './layout.ts'
import { KeptAnswers, ZoneNames } from './spaces.ts'
import { Store } from './store.ts'

export interface TableOptions {
  /** Eight octets that nobody can guess; random ones by default. */
  readonly hashKey?: Uint8Array
  /** Milliseconds of a clock that all threads share, best one that is never set back; the time of day by default. */
  readonly now?: () => number
  /**
   * Octets that the table may take, less than 2³¹; beyond them changes of a zone throw. They are reserved, and used as they are
   * written to.
   */
  readonly limit?: number
  /** Octets that the entries of caches may take; what goes beyond is not kept. */
  readonly cacheLimit?: number
  /** Octets that wait for readers, beyond which caches keep nothing more. */
  readonly limboLimit?: number
  readonly reclaim?: Reclaim
}

export interface TableUsage {
  /** What the arena has grown to, and what is in blocks, those in limbo included. */
  readonly arenaBytes: number
  readonly usedBytes: number
  /** Replaced, but some reader may still see it. */
  readonly limboBytes: number
  /** What the entries of caches take. */
  readonly cacheBytes: number
  readonly entries: number
  readonly slots: number
}

/** Only one thread may use it; what it is told, readers see at once. Throws `PORTOLAN_TABLE_FULL` where it may not grow further. */
export class AnswerTable {
  /** For `TableReader`; it may be passed to workers. */
  readonly memory: TableMemory
  readonly #store: Store
  readonly #now: () => number
  readonly #directories = new Set<number>()
  #serial = 0

  constructor(options: TableOptions = {}) {
    if (endianness() !== 'LE') {
      throw new PortolanError(
        'PORTOLAN_TABLE_MACHINE',
        'the answer table needs a machine whose words begin with the lowest octet',
      )
    }
    const { hashKey = randomBytes(8), now = Date.now, limit = 2 ** 30 } = options
    const { cacheLimit = 2 ** 26, limboLimit = 2 ** 24, reclaim = 'epochs' } = options
    if (limit >= 2 ** 31) throw new RangeError(`the answer table takes less than 2 GiB, not ${limit} octets`)
    this.#now = now
    this.#store = new Store(hashKey, { limit, cacheLimit, limboLimit, reclaim })
    this.memory = this.#store.memory
  }

  zoneSpace(): ZoneSpace {
    return new ZoneNames(this.#store)
  }

  cacheSpace(): CacheSpace {
    return new KeptAnswers(this.#store, this.#now)
  }

  /** The number of a new directory; until it is set, everything is asked of the control thread. */
  openDirectory(): number {
    let number = 0
    while (this.#directories.has(number)) number++
    if (number === MAX_DIRECTORIES) {
      throw new PortolanError(
        'PORTOLAN_TABLE_DIRECTORIES',
        `the answer table has no more than ${MAX_DIRECTORIES} directories`,
      )
    }
    this.#directories.add(number)
    return number
  }

  /** Replaces a directory, for queries from now on. */
  setDirectory(number: number, directory: Directory | undefined): void {
    const word = Control.DIRECTORIES + number
    const store = this.#store
    if (directory === undefined) {
      store.setWord(word, 0)
      return
    }
    const text = Buffer.from(JSON.stringify(directory))
    const { block } = store
    block.begin(DirectoryBlock.TEXT)
    block.words[DirectoryBlock.SERIAL] = ++this.#serial
    block.words[DirectoryBlock.LENGTH] = text.length
    block.append(text)
    store.setBlock(word)
  }

  /** No thread may answer by its number any more. */
  closeDirectory(number: number): void {
    this.setDirectory(number, undefined)
    this.#directories.delete(number)
  }

  /** The number of a new reader. */
  openReader(): number {
    return this.#store.blocks.openReader()
  }

  /** To be called when the reader is used no more: after its thread's `exit`, however that came. */
  closeReader(number: number): void {
    this.#store.blocks.closeReader(number)
  }

  /** Ends a stretch of changes, of whatever space: what they replaced is reused once no reader can still see it. */
  commit(): void {
    this.#store.commit()
  }

  usage(): TableUsage {
    const { blocks, index, cacheOctets } = this.#store
    return {
      arenaBytes: blocks.arena.buffer.byteLength,
      usedBytes: blocks.arena.used * UNIT,
      limboBytes: blocks.limbo,
      cacheBytes: cacheOctets,
      entries: index.entries,
      slots: index.capacity,
    }
  }
}
