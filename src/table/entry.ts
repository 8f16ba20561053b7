/** The words of entries, as `layout.ts` lays them down: written into a block, and read back from the arena. */
import { PortolanError } from '../errors.ts'
import { type Answer, recordCount, recordStarts } from '../wire/answer.ts'
import { lowestTtl, withTtl } from '../wire/edit.ts'
import { MAX_NAME } from '../wire/name.ts'
import { firstAddress, Rotation, rotationOf } from '../wire/rotation.ts'
import { HEADER } from '../wire/types.ts'
import type { BlockWriter } from './block-writer.ts'
import type { TypeEntry, ZoneEntry } from './contract.ts'
import { AnswerRecord, Entry, Verdict } from './layout.ts'

const LARGEST_TTL = 2 ** 32 - 1
const LARGEST_MESSAGE = 65_535
const LARGEST_BODY = LARGEST_MESSAGE - HEADER - MAX_NAME - 4

/** The first words of an entry. */
export interface EntryHead {
  readonly hash: number
  readonly key: number
  readonly meta: number
  /** A to Z lowered. */
  readonly name: Uint8Array
}

export function writeZoneEntry(block: BlockWriter, head: EntryHead, entry: ZoneEntry): void {
  const types = entry.types.toSorted((a, b) => a.type - b.type)
  const meta = (types.length << 16) | (entry.below << 8) | entry.other
  writeHead(block, { ...head, meta })
  const records = block.extend(types.length * AnswerRecord.WORDS * 4) >> 2
  types.forEach((type, i) => {
    const at = records + i * AnswerRecord.WORDS
    if (type.verdict !== Verdict.ANSWER) {
      block.words[at + AnswerRecord.TYPE] = (type.type << 16) | (type.verdict << 8)
      return
    }
    const { answer } = type
    if (!isStorable(answer, head.name.length)) {
      throw new PortolanError(
        'PORTOLAN_TABLE_ANSWER',
        `an answer of type ${type.type} is not fit for the answer table: compiled for another name, with EDNS options, or too large`,
      )
    }
    writeAnswer(block, at, { type: type.type, answer, ttl: recordTtl(answer) })
  })
}

/** `spelling` is the name once more, in the letter case of owners; false where the answer cannot be kept. */
export function writeCacheEntry(block: BlockWriter, head: EntryHead, spelling: Uint8Array, kept: Kept): boolean {
  if (!isStorable(kept.answer, spelling.length)) return false
  writeHead(block, head)
  block.append(spelling)
  const at = block.extend((AnswerRecord.WORDS + AnswerRecord.STORED_WORDS) * 4) >> 2
  writeAnswer(block, at, kept)
  block.words[at + AnswerRecord.STORED_LOW] = kept.storedMs
  block.words[at + AnswerRecord.STORED_HIGH] = Math.floor(kept.storedMs / 2 ** 32)
  return true
}

/** An answer, and what else its record says. */
interface Recorded {
  readonly type: number
  readonly answer: Answer
  /** Seconds. */
  readonly ttl: number
}

export interface Kept extends Recorded {
  /** Whole milliseconds. */
  readonly storedMs: number
}

/** What the layout has no room for has to be asked of the control thread. */
function isStorable({ rcode, options, nameLength, body }: Answer, length: number): boolean {
  return rcode < 16 && !options?.length && (nameLength === 0 || nameLength === length) && body.length <= LARGEST_BODY
}

function writeHead(block: BlockWriter, { hash, key, meta, name }: EntryHead): void {
  block.begin(Entry.NAME)
  block.words[Entry.HASH] = hash
  block.words[Entry.KEY] = key
  block.words[Entry.META] = meta
  block.append(name)
}

function writeAnswer(block: BlockWriter, at: number, { type, answer, ttl }: Recorded): void {
  const rotation = rotationOf(answer)
  const first = rotation === Rotation.SHUFFLE ? firstAddress(answer) : 0
  const bodyAt = block.append(answer.body)
  const { words } = block
  words[at + AnswerRecord.TYPE] = (type << 16) | (Verdict.ANSWER << 8) | rotation
  words[at + AnswerRecord.HEADER] = headerWord(answer)
  words[at + AnswerRecord.COUNTS] = (answer.answers << 16) | answer.authorities
  words[at + AnswerRecord.MORE_COUNTS] = (answer.additionals << 16) | first
  words[at + AnswerRecord.TTL] = ttl
  words[at + AnswerRecord.BODY_AT] = bodyAt
  words[at + AnswerRecord.BODY_LENGTH] = answer.body.length
}

export function headerWord({ bits, rcode, copied }: Answer): number {
  return ((bits | rcode) << 16) | copied
}

/** The time to live of the answer's records, 0 where there are none. Throws where they differ: a cache on the way would make them one. */
export function recordTtl(answer: Answer): number {
  const ttl = recordCount(answer) === 0 ? 0 : lowestTtl(answer, LARGEST_TTL)
  if (withTtl(answer, ttl) === answer) return ttl
  throw new PortolanError('PORTOLAN_TABLE_ANSWER', 'the records of an answer in the table must have one time to live')
}

/** The octets of the name in an entry that starts at that word. */
export function nameLengthAt(words: Int32Array, entry: number): number {
  return (words[entry + Entry.KEY]! >>> 8) & 0xff
}

/** The entry of a zone that starts at that word. */
export function readZoneEntry(words: Int32Array, octets: Uint8Array, entry: number): ZoneEntry {
  const meta = words[entry + Entry.META]!
  const length = nameLengthAt(words, entry)
  const records = entry + Entry.NAME + ((length + 3) >> 2)
  const types: TypeEntry[] = []
  for (let i = 0; i < meta >>> 16; i++) {
    const at = records + i * AnswerRecord.WORDS
    const type = words[at]! >>> 16
    const verdict = ((words[at]! >>> 8) & 0xff) as Verdict
    if (verdict !== Verdict.ANSWER) types.push({ type, verdict })
    else types.push({ type, verdict, answer: readAnswer(words, octets, entry, at, length) })
  }
  return { other: (meta & 0xff) as ZoneEntry['other'], below: (meta >>> 8) & 0xff, types }
}

function readAnswer(words: Int32Array, octets: Uint8Array, entry: number, at: number, nameLength: number): Answer {
  const header = words[at + AnswerRecord.HEADER]!
  const counts = words[at + AnswerRecord.COUNTS]!
  const answers = counts >>> 16
  const authorities = counts & 0xffff
  const additionals = words[at + AnswerRecord.MORE_COUNTS]! >>> 16
  const start = entry * 4 + words[at + AnswerRecord.BODY_AT]!
  const body = octets.slice(start, start + words[at + AnswerRecord.BODY_LENGTH]!)
  return {
    rcode: (header >>> 16) & 0xf,
    bits: (header >>> 16) & 0xfff0,
    copied: header & 0xffff,
    answers,
    authorities,
    additionals,
    body,
    starts: recordStarts(body),
    nameLength: body.length === 0 ? 0 : nameLength,
    options: undefined,
  }
}
