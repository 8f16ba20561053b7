/**
 * Finds what is told to a question under the rules of a cut: what the zone has, then what is kept of others' answers. Finds nothing
 * where the control thread is to be asked.
 */
import { isSampled } from '../wire/sample.ts'
import { Bit, Rcode, Type } from '../wire/types.ts'
import type { CutView } from './directory-view.ts'
import { AS_STORED, type Found, Origin, Saying } from './found.ts'
import { AnswerRecord, Below, Entry, Rotation, Verdict } from './layout.ts'
import { CacheFlag, type Lookup } from './lookup.ts'
import type { Question } from './question.ts'

/** What a look-up gives for a name that is not there; below it where it cannot tell. */
const ABSENT = 0

export class Finder {
  readonly #lookup: Lookup
  readonly #found: Found
  /** The process's monotonic clock in milliseconds. */
  #nowMs = 0
  /** The zone's entry for the question and its record for the type, as words of the arena. */
  #entry = 0
  #record = 0

  /** What is found stands in `found`. */
  constructor(lookup: Lookup, found: Found) {
    this.#lookup = lookup
    this.#found = found
  }

  /** Sets the time by which kept answers age: milliseconds of the process's monotonic clock. */
  setNow(nowMs: number): void {
    this.#nowMs = nowMs
  }

  /** Finds what is told; false where the control thread is to be asked. */
  find(question: Question, cut: CutView): boolean {
    if (cut.front >= 0 && this.#look(cut.front, question, 0) !== ABSENT) return false
    if (cut.zone < 0) return this.#takeKept(question, cut)
    const verdict = this.#verdict(question, cut)
    if (verdict === Verdict.ANSWER) return this.#takeOwn(cut)
    if (verdict === Verdict.NODATA) return this.#takeNegative(question, cut, Rcode.NOERROR)
    if (verdict !== Verdict.NXDOMAIN || (cut.sampled && isSampled(question.id))) return false
    return cut.closed ? this.#takeNegative(question, cut, Rcode.NXDOMAIN) : this.#takeKept(question, cut)
  }

  /** The entry, in a zone, of what follows the first labels of the question's name. */
  #look(space: number, question: Question, labels: number): number {
    const start = question.starts[labels]!
    return this.#lookup.findZone(space, question.view, start, question.nameLength - start)
  }

  #verdict(question: Question, cut: CutView): number {
    const entry = this.#look(cut.zone, question, 0)
    const verdict = entry === ABSENT ? this.#missing(question, cut) : this.#verdictOf(entry, question.type)
    // A SOA stands at the apex; below, CoreDNS says no more than that, whether there is such a name or not.
    return verdict === Verdict.NXDOMAIN && question.type === Type.SOA ? Verdict.NODATA : verdict
  }

  #verdictOf(entry: number, type: number): number {
    if (entry < ABSENT) return Verdict.ASK
    const { words } = this.#lookup
    const meta = words[entry + Entry.META]!
    let record = recordsOf(words, entry, 1)
    for (let left = meta >>> 16; left > 0; left--) {
      const head = words[record + AnswerRecord.TYPE]!
      if (head >>> 16 === type) {
        this.#entry = entry
        this.#record = record
        return (head >>> 8) & 255
      }
      record += AnswerRecord.WORDS
    }
    return meta & 255
  }

  /**
   * What is said of a name that is not there: a name above says so that is there, while the first one on the way down is not. Halves
   * are looked at: most names cost one look-up more, and those of sixty labels no more than seven. Where names are missing in between,
   * there are several such; `ZoneEntry.below` is right in each.
   */
  #missing(question: Question, cut: CutView): number {
    const { labels } = question
    if (labels === 0) return Verdict.ASK
    let entry = ABSENT
    let absent = 0
    let present = Math.max(labels - cut.labels, 1)
    while (present - absent > 1) {
      const middle = (absent + present) >> 1
      const found = this.#look(cut.zone, question, middle)
      if (found === ABSENT) {
        absent = middle
      } else {
        present = middle
        entry = found
      }
    }
    // The cut's suffix was taken for granted. Where the cut lies below the apex it need not be there.
    if (entry === ABSENT) entry = this.#look(cut.zone, question, present)
    while (entry === ABSENT && present < labels) entry = this.#look(cut.zone, question, ++present)
    if (entry <= ABSENT) return Verdict.ASK
    const below = (this.#lookup.words[entry + Entry.META]! >>> 8) & 255
    let bits: number = present === 1 ? Below.ONE_LABEL : Below.MORE_LABELS
    if (present === 2) bits = question.isPort ? Below.TWO_LABELS : Below.TWO_LABELS | Below.ODD_PORTS
    return (below & bits) === 0 ? Verdict.NXDOMAIN : Verdict.ASK
  }

  /** Takes the zone's own answer. */
  #takeOwn(cut: CutView): boolean {
    const found = this.#found
    found.takeRecord(this.#entry, this.#record, Origin.ZONE)
    const saying = found.saying()
    this.#bound(cut, saying)
    return isTold(saying, cut) && this.#arrange(cut)
  }

  /** Takes the zone's negative answer. */
  #takeNegative(question: Question, cut: CutView, rcode: number): boolean {
    const template = this.#lookup.template(cut.zone)
    if (template === 0 || !cut.negatives) return false
    this.#found.takeTemplate(template, rcode, question.nameLength)
    this.#bound(cut, Saying.DENIAL)
    return true
  }

  /** Takes a kept answer that is fresh, was asked for in the same letter case, and may be told. */
  #takeKept(question: Question, cut: CutView): boolean {
    if (cut.cache < 0) return false
    const { nameLength, type, view } = question
    const checking = (question.bits & Bit.CD) === 0 ? 0 : CacheFlag.CHECKING_DISABLED
    const flags = question.dnssecOk ? checking | CacheFlag.DNSSEC_OK : checking
    const entry = this.#lookup.findCache(cut.cache, view, 0, nameLength, type, flags)
    if (entry <= ABSENT) return false
    const { words } = this.#lookup
    // Owners are told as they were stored: with another spelling of the question they could not point at it.
    if (!question.isSpelled(words, recordsOf(words, entry, 1))) return false
    const record = recordsOf(words, entry, 2)
    const found = this.#found
    found.takeRecord(entry, record, Origin.CACHE)
    const storedMs =
      words[record + AnswerRecord.STORED_HIGH]! * 2 ** 32 + (words[record + AnswerRecord.STORED_LOW]! >>> 0)
    // What was stored while the batch runs seems to come from the future.
    const left = found.ttl - Math.floor(Math.max(this.#nowMs - storedMs, 0) / 1000)
    if (left <= 0) return false
    found.toldTtl = left === found.ttl ? AS_STORED : left
    // RFC 6840 sections 5.7 and 5.8: only who shows that it knows the bit gets it.
    if (!question.dnssecOk && (question.bits & Bit.AD) === 0) found.bits &= ~Bit.AD
    return isTold(found.saying(), cut) && this.#arrange(cut)
  }

  /** Brings the time to live between the bounds that a cache on the way has. */
  #bound(cut: CutView, saying: Saying): void {
    const found = this.#found
    const least = saying === Saying.DENIAL ? cut.negativeLeast : cut.positiveLeast
    const most = saying === Saying.DENIAL ? cut.negativeMost : cut.positiveMost
    const ttl = Math.min(Math.max(found.ttl, least), most)
    found.toldTtl = ttl === found.ttl ? AS_STORED : ttl
  }

  /** Whether the order of the records can be chosen here, if it is to be chosen at all. */
  #arrange(cut: CutView): boolean {
    const found = this.#found
    if (!cut.rotate) found.rotation = Rotation.NONE
    return found.rotation !== Rotation.REBUILD
  }
}

/** Where the records of an entry begin, behind as many names. */
function recordsOf(words: Int32Array, entry: number, names: number): number {
  const nameLength = (words[entry + Entry.KEY]! >>> 8) & 255
  return entry + Entry.NAME + ((nameLength + 3) >> 2) * names
}

/** Errors are never told from here: those who log or count them would miss them. */
function isTold(saying: Saying, cut: CutView): boolean {
  return (saying === Saying.SUCCESS && cut.positives) || (saying === Saying.DENIAL && cut.negatives)
}
