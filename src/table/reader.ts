/**
 * How a thread reads the table while another writes: inside a batch, what it finds stays as it is; between batches it holds
 * nothing. The protocol stands in `README.md`.
 */

import type { Directory } from './contract.ts'
import { Control, DirectoryBlock, LINE, type TableMemory } from './layout.ts'
import { Lookup } from './lookup.ts'

export class TableReader extends Lookup {
  readonly #state: number

  /** `number` is from `AnswerTable.openReader`; no two readers may have the same. */
  constructor(memory: TableMemory, number: number) {
    super(memory)
    this.#state = Control.READERS + number * LINE
  }

  /** Begins a batch. What is found from now on is not reused before `leave`. */
  enter(): void {
    Atomics.store(this.control, this.#state, Atomics.load(this.control, Control.EPOCH))
  }

  /** Ends a batch: nothing that was found may be looked at any more. To be called before everything that may wait. */
  leave(): void {
    Atomics.store(this.control, this.#state, 0)
  }

  /** What tells the directory that starts at that word from all others. */
  serial(directory: number): number {
    return this.words[directory + DirectoryBlock.SERIAL]!
  }

  /** Reads the directory that starts at that word, or undefined for 0. Allocates: for when the serial moved. */
  readDirectory(directory: number): Directory | undefined {
    if (directory === 0) return undefined
    const start = (directory + DirectoryBlock.TEXT) * 4
    const length = this.words[directory + DirectoryBlock.LENGTH]!
    // A decoder takes no shared memory; a slice of it is not shared.
    return JSON.parse(Buffer.from(this.octets.slice(start, start + length)).toString())
  }
}
