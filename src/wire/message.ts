/**
 * The reader of responses: what an upstream sent becomes an `Answer`, or a value that says it is not one.
 */
import type { Answer } from './answer.ts'
import { lowered, MAX_NAME, type NameKey } from './name.ts'
import { skipName } from './query.ts'
import { decode, encode, hasNames } from './record.ts'
import { Bit, HEADER, Type } from './types.ts'

export interface Response {
  readonly id: number
  readonly opcode: number
  /** The question as the response repeats it; undefined where it has none. */
  readonly question:
    | { readonly name: Uint8Array; readonly key: NameKey; readonly type: number; readonly class: number }
    | undefined
  /** All records but OPT, whose options and upper bits of the `rcode` it has. */
  readonly answer: Answer
}

/** The bits of a relayed response that stay as the upstream set them. */
const RELAYED = Bit.AA | Bit.TC | Bit.RD | Bit.RA | Bit.AD | Bit.CD

/**
 * Reads a response. Undefined where it cannot be parsed: shorter than a header, not a response, more than one question, records
 * without a question, broken names or records, fewer records than announced. The returned answer copies what it keeps.
 */
export function readResponse(packet: Uint8Array): Response | undefined {
  const end = packet.length
  if (end < HEADER) return undefined
  const bits = word(packet, 2)
  const questions = word(packet, 4)
  if ((bits & Bit.QR) === 0 || questions > 1) return undefined
  let at = HEADER
  let question: Response['question']
  if (questions === 1) {
    while (at < end && packet[at] !== 0 && packet[at]! <= 63) at += packet[at]! + 1
    const nameEnd = at + 1
    if (packet[at] !== 0 || nameEnd - HEADER > MAX_NAME || nameEnd + 4 > end) return undefined
    const name = copied(packet, HEADER, nameEnd)
    question = {
      name,
      key: lowered(name, 0, name.length),
      type: word(packet, nameEnd),
      class: word(packet, nameEnd + 2),
    }
    at = nameEnd + 4
  }

  const bodyAt = at
  const counts = [word(packet, 6), word(packet, 8), word(packet, 10)]
  if (question === undefined && counts.some(count => count > 0)) return undefined
  const starts: number[] = []
  let rcode = bits & 15
  let optAt: number | undefined
  let options: Uint8Array | undefined
  let named = false
  for (let section = 0; section < 3; section++) {
    const announced = counts[section]!
    for (let i = 0; i < announced; i++) {
      const ownerEnd = skipName(packet, at, end)
      if (ownerEnd === undefined || ownerEnd + 10 > end) return undefined
      const next = ownerEnd + 10 + word(packet, ownerEnd + 8)
      if (next > end) return undefined
      const type = word(packet, ownerEnd)
      named ||= hasNames(type)
      if (type === Type.OPT && section === 2 && optAt === undefined) {
        optAt = starts.length
        rcode |= packet[ownerEnd + 4]! << 4
        if (next > ownerEnd + 10) options = copied(packet, ownerEnd + 10, next)
        counts[2]!--
      }
      starts.push(at - bodyAt)
      at = next
    }
  }
  starts.push(at - bodyAt)

  const whole: Answer = {
    rcode,
    bits: bits & RELAYED,
    copied: 0,
    answers: counts[0]!,
    authorities: counts[1]!,
    additionals: counts[2]!,
    body: copied(packet, bodyAt, at),
    starts: starts,
    nameLength: question?.name.length ?? 0,
    options,
  }
  const answer = optAt === undefined ? whole : withoutRecord(whole, optAt, question?.name ?? new Uint8Array(0))
  // Names inside rdata are only checked when an answer is taken apart: do it once here, so that nothing broken is passed on.
  if (answer === undefined) return undefined
  if (named && decode(answer, question?.name ?? new Uint8Array(0)) === undefined) return undefined
  return { id: word(packet, 0), opcode: (bits >> 11) & 15, question, answer }
}

/** The answer without its OPT record. Cut off where it stands last, as it nearly always does; otherwise written anew. */
function withoutRecord(answer: Answer, index: number, name: Uint8Array): Answer | undefined {
  const { starts, body } = answer
  if (index === starts.length - 2) {
    return { ...answer, body: body.subarray(0, starts[index]), starts: starts.slice(0, index + 1) }
  }
  const sections = decode({ ...answer, additionals: answer.additionals + 1 }, name)
  if (sections === undefined) return undefined
  const additionals = sections.additionals.filter(record => record.type !== Type.OPT)
  return encode({ ...sections, additionals }, name.length, answer)
}

/** A copy that is no Buffer, whose `slice` would share. */
function copied(packet: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(packet.subarray(start, end))
}

function word(packet: Uint8Array, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!
}
