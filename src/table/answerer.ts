/**
 * Answers requests in place from the answer table, under the rules of the directory of the address they came to. For every request
 * that it answers, the octets are those that the chain of plugins would give; what it does not fully understand it leaves alone, for
 * the control thread.
 */
import { OPT_SIZE } from '../wire/finish.ts'
import { HEADER } from '../wire/types.ts'
import { Transport } from './counters.ts'
import { Counting } from './counting.ts'
import { DirectoryView } from './directory-view.ts'
import { Finder } from './finder.ts'
import { Found } from './found.ts'
import { MAX_DIRECTORIES } from './layout.ts'
import { Question, Reading } from './question.ts'
import type { TableReader } from './reader.ts'
import { ReplyWriter } from './reply.ts'
import { fastRandom, type Random } from './shuffle.ts'

/** In the place of a reply's length: nothing is sent. */
export const DROP = Reading.DROP
/** In the place of a reply's length: the control thread is to be asked; the request is untouched. */
export const ASK = Reading.ASK

/** The longest reply over TCP (RFC 1035 section 4.2.2), and over UDP to those who do not ask for more (section 4.2.1). */
const TCP_LIMIT = 65_535
const UDP_LIMIT = 512

export interface AnswererOptions {
  /** Of the answerer's own. */
  readonly reader: TableReader
  /** Where requests stand and replies are made. */
  readonly octets: Uint8Array
  /** Where answers are counted: `Counted.WORDS` for each label set, written by this thread alone. */
  readonly counters?: Uint32Array | undefined
  /** By which addresses are put in order; as good as needed for that unless given. */
  readonly random?: Random | undefined
}

export class Answerer {
  readonly #reader: TableReader
  readonly #question: Question
  readonly #found: Found
  readonly #finder: Finder
  readonly #writer: ReplyWriter
  readonly #counting: Counting | undefined
  /** By number of a directory, its view and the serial of what it was made from. */
  readonly #directories: (DirectoryView | undefined)[] = new Array(MAX_DIRECTORIES).fill(undefined)
  readonly #serials = new Int32Array(MAX_DIRECTORIES)

  constructor({ reader, octets, counters, random = fastRandom() }: AnswererOptions) {
    // Never a Buffer: code that has seen two kinds of arrays is slower.
    const packets = new Uint8Array(octets.buffer, octets.byteOffset, octets.length)
    this.#reader = reader
    this.#question = new Question(packets)
    this.#found = new Found(reader)
    this.#finder = new Finder(reader, this.#found)
    this.#writer = new ReplyWriter(packets, reader, random)
    this.#counting = counters && new Counting(counters)
  }

  /** Begins a batch; `nowMs` is the process's monotonic clock. What the table has now stays readable until `end`. */
  begin(nowMs: number): void {
    this.#reader.enter()
    this.#finder.setNow(nowMs)
  }

  /** Ends the batch, whose answers took `elapsed` units of 100 ns. To be called before everything that may wait. */
  end(elapsed: number): void {
    this.#reader.leave()
    this.#counting?.end(elapsed)
  }

  /**
   * Answers the request of `length` octets at `at`, which came to the address with that directory, where it stands. The reply, whose
   * length is returned, has at most `capacity` octets.
   *
   * @returns the reply's length, `DROP` or `ASK`
   */
  answer(directory: number, at: number, length: number, capacity: number, transport: Transport): number {
    const question = this.#question
    const reading = question.read(at, length)
    if (reading !== Reading.READ) return reading
    const cut = this.#directory(directory)?.match(question)
    if (cut === undefined || cut.ask || !this.#finder.find(question, cut)) return ASK
    const found = this.#found
    const size = cut.size > 0 && cut.size < question.size ? cut.size : question.size
    const limit = transport >= Transport.TCP4 ? TCP_LIMIT : size > UDP_LIMIT ? size : UDP_LIMIT
    const fullSize = HEADER + question.nameLength + 4 + found.bodyLength + (question.edns ? OPT_SIZE : 0)
    if ((fullSize < limit ? fullSize : limit) > capacity) return ASK
    if (this.#counting !== undefined && cut.counter >= 0) {
      this.#counting.answered(cut.counter, question, found, transport, length, fullSize)
    }
    return this.#writer.write(question, found, at, limit, size)
  }

  #directory(number: number): DirectoryView | undefined {
    const reader = this.#reader
    const directory = reader.directory(number)
    if (directory === 0) return undefined
    const serial = reader.serial(directory)
    let view = this.#directories[number]
    if (view === undefined || this.#serials[number] !== serial) {
      view = new DirectoryView(reader.readDirectory(directory) ?? [], this.#counting?.sets)
      this.#directories[number] = view
      this.#serials[number] = serial
    }
    return view
  }
}
