/** Cuts a stream of bytes into lines, as a watch sends one event a line, and never holds more than one line. */
import { PortolanError } from '../../errors.ts'

const newline = 0x0a

export class LineBuffer {
  readonly #limit: number
  #pieces: Buffer[] = []
  #held = 0

  /** `limit` is the longest line in bytes. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The lines that this chunk completes. Throws `PORTOLAN_LINE_LENGTH` once a line is longer than the limit. */
  *push(chunk: Buffer): Generator<string> {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#hold(chunk.subarray(start, end))
      start = end + 1
      yield this.#take()
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  #hold(piece: Buffer): void {
    this.#held += piece.length
    if (this.#held > this.#limit)
      throw new PortolanError('PORTOLAN_LINE_LENGTH', `a line is longer than ${this.#limit} bytes`)
    this.#pieces.push(piece)
  }

  #take(): string {
    const line = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#held = 0
    return line.toString('utf8')
  }
}
