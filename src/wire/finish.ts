/**
 * The only maker of response bytes: header, the question as it was asked, the body cut by record to what the client takes, OPT.
 */
import { type Answer, recordCount } from './answer.ts'
import type { Query, Refusal } from './query.ts'
import { Bit, HEADER, Opcode, Rcode, Type } from './types.ts'

/** Octets of an OPT record without options. */
export const OPT_SIZE = 11
/** What OPT repeats of the query's EDNS flags. */
export const ECHOED_FLAGS = 0xff00

/**
 * Writes `answer` as the response to `query` into `out`, which must hold the lesser of `fullSize` and `query.limit`, and returns its
 * length. The question is repeated as it was asked, letter case included. The result never passes `query.limit`: records are dropped from the end, so
 * additional first, then authority, then answer, and TC is set whenever any was (RFC 2181 section 9 would leave TC clear for
 * additional data; CoreDNS sets it). A query with OPT gets one back with its own size, DO and, as CoreDNS, the upper Z bits.
 */
export function finish(query: Query, answer: Answer, out: Uint8Array): number {
  const { packet, edns } = query
  const bodyAt = HEADER + query.key.length + 4
  const opt = edns !== undefined || answer.rcode > 15
  const options = optionsFor(query, answer)
  const room = query.limit - bodyAt - (opt ? OPT_SIZE + (options?.length ?? 0) : 0)

  let kept = recordCount(answer)
  while (answer.starts[kept]! > room) kept--
  const cut = kept < recordCount(answer)
  const answers = Math.min(kept, answer.answers)
  const authorities = Math.min(kept - answers, answer.authorities)
  const additionals = kept - answers - authorities

  const copied = query.opcode === Opcode.QUERY ? query.bits & answer.copied : 0
  const bits = Bit.QR | (query.bits & OPCODE_BITS) | answer.bits | copied | (cut ? Bit.TC : 0) | (answer.rcode & 15)
  out[0] = packet[0]!
  out[1] = packet[1]!
  writeHeader(out, bits, answers, authorities, additionals + (opt ? 1 : 0))
  // A question is short: a loop costs less than a view of it.
  for (let at = HEADER; at < bodyAt; at++) out[at] = packet[at]!
  let end = bodyAt + answer.starts[kept]!
  out.set(kept === recordCount(answer) ? answer.body : answer.body.subarray(0, answer.starts[kept]), bodyAt)
  if (opt) end = writeOpt(out, end, edns?.size ?? 0, answer.rcode, (edns?.flags ?? 0) & ECHOED_FLAGS, options)
  return end
}

/** The answer's options, for a client that speaks EDNS; none where they would not fit even without records. */
function optionsFor({ edns, limit, key }: Query, { options }: Answer): Uint8Array | undefined {
  if (edns === undefined || options === undefined) return undefined
  return HEADER + key.length + 4 + OPT_SIZE + options.length <= limit ? options : undefined
}

/** Octets of the response that `finish` would write if it had not to fit any limit. */
export function fullSize(query: Query, answer: Answer): number {
  const opt = query.edns === undefined && answer.rcode < 16 ? 0 : OPT_SIZE + (optionsFor(query, answer)?.length ?? 0)
  return HEADER + query.key.length + 4 + answer.body.length + opt
}

const OPCODE_BITS = 0x7800
/** What a refusal repeats of the query's header: CoreDNS keeps these bits as they came. */
const ECHOED = Bit.TC | Bit.RD | Bit.RA | Bit.AD | Bit.CD

/** Writes the answer to a request that was not understood; 0 where nothing is to be sent. */
export function finishRefusal(packet: Uint8Array, refusal: Refusal, out: Uint8Array): number {
  if (refusal.rcode === undefined) return 0
  const asked = (packet[2]! << 8) | packet[3]!
  const kept = refusal.rcode === Rcode.SERVFAIL ? Bit.RD | Bit.CD : ECHOED
  const opcode = refusal.rcode === Rcode.FORMERR ? 0 : asked & OPCODE_BITS
  out.set(packet.subarray(0, refusal.questionEnd))
  writeHeader(out, Bit.QR | opcode | (asked & kept) | refusal.rcode, 0, 0, 0)
  if (refusal.questionEnd === HEADER) out[5] = 0
  return refusal.questionEnd
}

/** Writes the reply to an EDNS version that we do not speak (RFC 6891 section 6.1.3): OPT with version 0 and, as CoreDNS, size 0. */
export function finishBadVersion(query: Query, out: Uint8Array): number {
  const bodyAt = HEADER + query.key.length + 4
  const copied = query.opcode === Opcode.QUERY ? query.bits & (Bit.RD | Bit.CD) : 0
  out.set(query.packet.subarray(0, bodyAt))
  writeHeader(out, Bit.QR | (query.bits & OPCODE_BITS) | copied, 0, 0, 1)
  return writeOpt(out, bodyAt, 0, Rcode.BADVERS, 0, undefined)
}

function writeHeader(out: Uint8Array, bits: number, answers: number, authorities: number, additionals: number): void {
  out[2] = bits >> 8
  out[3] = bits & 255
  out[4] = 0
  out[5] = 1
  out[6] = answers >> 8
  out[7] = answers & 255
  out[8] = authorities >> 8
  out[9] = authorities & 255
  out[10] = additionals >> 8
  out[11] = additionals & 255
}

/** Writes an OPT record of version 0 (RFC 6891 section 6.1.2) at `at`, and returns where it ends. */
export function writeOpt(
  out: Uint8Array,
  at: number,
  size: number,
  rcode: number,
  flags: number,
  options: Uint8Array | undefined,
): number {
  out[at] = 0
  out[at + 1] = 0
  out[at + 2] = Type.OPT
  out[at + 3] = size >> 8
  out[at + 4] = size & 255
  out[at + 5] = rcode >> 4
  out[at + 6] = 0
  out[at + 7] = flags >> 8
  out[at + 8] = flags & 255
  const length = options?.length ?? 0
  out[at + 9] = length >> 8
  out[at + 10] = length & 255
  if (options) out.set(options, at + OPT_SIZE)
  return at + OPT_SIZE + length
}
