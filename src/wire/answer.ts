/**
 * A compiled answer: everything of a response that does not depend on who asks. Made when the cluster changes (or an upstream
 * replies), then only copied; its bytes are never changed.
 */
import { Bit, Rcode } from './types.ts'

export interface Answer {
  readonly rcode: number
  /** The header bits that are fixed: AA, TC, RA, AD, and for replies relayed from an upstream RD and CD. */
  readonly bits: number
  /** The header bits that are the query's own: RD and CD for answers of our own, none for relayed ones. */
  readonly copied: number
  readonly answers: number
  readonly authorities: number
  readonly additionals: number
  /** The records, which follow the question. */
  readonly body: Uint8Array
  /** Where each record starts in `body`, in order of the sections, and last the length of `body`. */
  readonly starts: readonly number[]
  /**
   * The wire length of the question's name that the compression pointers in `body` count on; 0 where there are none. With a
   * name of that length the answer is right in any letter case, as owner names point at the question.
   */
  readonly nameLength: number
  /** EDNS options for a client that speaks EDNS, as they stand in an OPT record's data: what an upstream added, or our own. */
  readonly options?: Uint8Array | undefined
}

const NO_BODY = new Uint8Array(0)
const NO_RECORDS = [0] as const

/** The bits that a server copies from a standard query (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2). */
export const COPIED = Bit.RD | Bit.CD

/** An answer without records. */
export function bare(rcode: number, bits = 0): Answer {
  return {
    rcode,
    bits,
    copied: COPIED,
    answers: 0,
    authorities: 0,
    additionals: 0,
    body: NO_BODY,
    starts: NO_RECORDS,
    nameLength: 0,
  }
}

/** Codes of extended DNS errors (RFC 8914 section 4). */
export const ExtendedError = { NOT_READY: 14 } as const

/** A SERVFAIL that says why to clients that speak EDNS (RFC 8914). */
export function failure(extendedError: number): Answer {
  const options = Uint8Array.of(0, 15, 0, 2, extendedError >> 8, extendedError & 255)
  return { ...SERVFAIL, options }
}

export const SERVFAIL = bare(Rcode.SERVFAIL)
export const REFUSED = bare(Rcode.REFUSED)
export const NOTIMP = bare(Rcode.NOTIMP)

/** How many records the answer has in all sections. */
export function recordCount(answer: Answer): number {
  return answer.starts.length - 1
}

/** Where the owner of the record at `at` ends. */
export function ownerEnd(octets: Uint8Array, at: number): number {
  for (let length = octets[at]!; length !== 0; length = octets[at]!) {
    if (length >= 0xc0) return at + 2
    at += length + 1
  }
  return at + 1
}

/** Where the record at `at` ends. */
export function recordEnd(octets: Uint8Array, at: number): number {
  const fixed = ownerEnd(octets, at)
  return fixed + 10 + ((octets[fixed + 8]! << 8) | octets[fixed + 9]!)
}

/** The `starts` of an answer that has this body of whole records. */
export function recordStarts(body: Uint8Array): number[] {
  const starts = [0]
  while (starts.at(-1)! < body.length) starts.push(recordEnd(body, starts.at(-1)!))
  return starts
}
