/** A directory as it is read for each query: its cuts with their suffixes as words, to be compared with the name's end. */
import { labelsOf } from '../wire/name.ts'
import type { Cut, Directory } from './contract.ts'
import type { Question } from './question.ts'

/** More than any time to live. */
const NO_LIMIT = 2 ** 32 - 1

/** A `Cut` with fields of one kind, whatever the cut leaves out. */
export class CutView {
  readonly ask: boolean
  readonly front: number
  readonly zone: number
  readonly cache: number
  readonly closed: boolean
  readonly positives: boolean
  readonly negatives: boolean
  readonly sampled: boolean
  readonly rotate: boolean
  readonly size: number
  readonly positiveLeast: number
  readonly positiveMost: number
  readonly negativeLeast: number
  readonly negativeMost: number
  /** The label set that its answers are counted under; -1 where nobody counts. */
  readonly counter: number
  /** How many labels its suffix has. */
  readonly labels: number
  readonly #length: number
  /** The suffix, the last word filled up with zeros. */
  readonly #words: Int32Array
  readonly #lastMask: number

  constructor(cut: Cut, counters: number | undefined) {
    // What has to be counted and has no place here is answered where it has one.
    this.ask = cut.ask || (counters !== undefined && cut.counter >= counters)
    this.front = cut.front
    this.zone = cut.zone
    this.cache = cut.cache
    this.closed = cut.closed
    this.positives = cut.positives
    this.negatives = cut.negatives
    this.sampled = cut.sampled
    this.rotate = cut.rotate
    this.size = cut.size
    const [positiveLeast, positiveMost] = cut.positiveTtl ?? [0, NO_LIMIT]
    this.positiveLeast = positiveLeast
    this.positiveMost = positiveMost
    const [negativeLeast, negativeMost] = cut.negativeTtl ?? [0, NO_LIMIT]
    this.negativeLeast = negativeLeast
    this.negativeMost = negativeMost
    this.counter = counters === undefined ? -1 : cut.counter
    this.labels = labelsOf(cut.suffix).length
    this.#length = cut.suffix.length
    const octets = new Uint8Array((cut.suffix.length + 3) & ~3)
    for (let i = 0; i < cut.suffix.length; i++) octets[i] = cut.suffix.charCodeAt(i)
    this.#words = new Int32Array(octets.buffer)
    const rest = cut.suffix.length & 3
    this.#lastMask = rest === 0 ? -1 : (1 << (rest * 8)) - 1
  }

  /** Whether the question's name is the suffix or below it. */
  holds(question: Question): boolean {
    const start = question.nameLength - this.#length
    if (start < 0) return false
    const { view } = question
    const words = this.#words
    const last = words.length - 1
    for (let i = 0; i < last; i++) if (words[i] !== view.getInt32(start + i * 4, true)) return false
    if (words[last] !== (view.getInt32(start + last * 4, true) & this.#lastMask)) return false
    return question.startsLabel(start)
  }
}

export class DirectoryView {
  readonly #cuts: readonly CutView[]

  /** `counters` is how many label sets have a place to be counted in; undefined where nobody counts. */
  constructor(directory: Directory, counters: number | undefined) {
    this.#cuts = directory.map(cut => new CutView(cut, counters))
  }

  /** The cut that the name belongs to: the first, and so the longest, that holds it. */
  match(question: Question): CutView | undefined {
    const cuts = this.#cuts
    for (let i = 0; i < cuts.length; i++) if (cuts[i]!.holds(question)) return cuts[i]
    return undefined
  }
}
