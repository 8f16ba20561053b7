/** Where the writer puts blocks together, one at a time, before they are compared with what is there and copied into the arena. */
import { UNIT, UNITS } from './layout.ts'

export class BlockWriter {
  words = new Int32Array(1024)
  octets = new Uint8Array(this.words.buffer)
  /** Octets so far, whole words. */
  length = 0

  /** Begins a block with so many words, which are zeros. */
  begin(words: number): void {
    this.length = 0
    this.extend(words * 4)
  }

  /** Adds so many octets, filled up to a whole word, all of them zeros; where they start. */
  extend(octets: number): number {
    const at = this.length
    this.length = (at + octets + 3) & ~3
    if (this.length > this.octets.length) {
      const before = this.octets
      this.words = new Int32Array(Math.max(before.length, this.length) >> 1)
      this.octets = new Uint8Array(this.words.buffer)
      this.octets.set(before)
    }
    this.octets.fill(0, at, this.length)
    return at
  }

  /** Adds these octets, filled up to a whole word with zeros; where they start. */
  append(octets: Uint8Array): number {
    const at = this.extend(octets.length)
    this.octets.set(octets, at)
    return at
  }

  /** The block, filled up to whole units and with their number; it lasts until the next one is begun. */
  end(): Int32Array {
    this.extend(-this.length & (UNIT - 1))
    this.words[UNITS] = this.length / UNIT
    return this.words.subarray(0, this.length >> 2)
  }
}
