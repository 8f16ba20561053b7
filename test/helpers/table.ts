/** Entries for the answer table, and a reader of it that takes names as text. */
import type { ZoneEntry } from '../../src/table/contract.ts'
import { Verdict } from '../../src/table/layout.ts'
import type { Lookup } from '../../src/table/lookup.ts'
import type { Answer } from '../../src/wire/answer.ts'
import { keyFromText, type NameKey } from '../../src/wire/name.ts'
import { encode } from '../../src/wire/record.ts'
import { Class, Type } from '../../src/wire/types.ts'

export const key = (text: string): NameKey => keyFromText(text)!

/** A key as a reader is given it: somewhere in a buffer, with something behind. */
export function placed(name: NameKey, at = 3): DataView {
  const octets = new Uint8Array(at + name.length + 3).fill(0xee)
  for (let i = 0; i < name.length; i++) octets[at + i] = name.charCodeAt(i)
  return new DataView(octets.buffer)
}

export const findZone = (lookup: Lookup, space: number, name: NameKey): number =>
  lookup.findZone(space, placed(name), 3, name.length)

export const findCache = (lookup: Lookup, space: number, name: NameKey, type: number, flags: number): number =>
  lookup.findCache(space, placed(name), 3, name.length, type, flags)

/** An answer of one TXT record of the name's own whose data are these octets. */
export function textAnswer(name: NameKey, rdata: Uint8Array, ttl = 30): Answer {
  const record = { owner: 0, type: Type.TXT, class: Class.IN, ttl, rdata }
  return encode({ answers: [record], authorities: [], additionals: [] }, name.length)
}

/** What a zone has at a name with one TXT record. */
export function textEntry(name: NameKey, rdata: Uint8Array): ZoneEntry {
  return {
    other: Verdict.NODATA,
    below: 0,
    types: [{ type: Type.TXT, verdict: Verdict.ANSWER, answer: textAnswer(name, rdata) }],
  }
}
