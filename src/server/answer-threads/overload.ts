/** The reply of an answer thread to a query that it can neither answer nor pass on, because the control thread is too far behind. */
import { COPIED } from '../../wire/answer.ts'
import { Bit, HEADER, Rcode } from '../../wire/types.ts'

/**
 * Makes the request at `at` a SERVFAIL in place: header and question, no OPT. Returns its length, or 0 where nothing is to be
 * sent: for responses, for what is no standard query with one question, and for broken names.
 */
export function overloaded(octets: Uint8Array, at: number, length: number): number {
  const end = at + length
  if (length < HEADER + 5) return 0
  const bits = (octets[at + 2]! << 8) | octets[at + 3]!
  if (bits & (Bit.QR | OPCODE) || octets[at + 4] !== 0 || octets[at + 5] !== 1) return 0
  let next = at + HEADER
  for (let label = octets[next]!; label !== 0; label = octets[next]!) {
    next += label + 1
    if (label > 63 || next >= end) return 0
  }
  next += 5
  if (next > end) return 0
  const reply = Bit.QR | (bits & COPIED) | Rcode.SERVFAIL
  octets[at + 2] = reply >> 8
  octets[at + 3] = reply & 255
  for (let count = at + 6; count < at + HEADER; count++) octets[count] = 0
  return next - at
}

const OPCODE = 0x7800
