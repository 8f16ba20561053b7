/**
 * What the rotation of an answer's addresses asks for: nothing, moving octets, or taking the answer apart. Rotation is done
 * elsewhere, per reply (`loadbalance`); this can be said once for an answer.
 */
import type { Answer } from './answer.ts'
import { isMovable, recordType } from './edit.ts'
import { Rcode, Type } from './types.ts'

export const Rotation = {
  /** There is no choice. */
  NONE: 0,
  /** The addresses, which stand last, are put in random order within their section, as octets. */
  SHUFFLE: 1,
  /** More than that: records have to be sorted, or are no addresses. */
  REBUILD: 2,
} as const
export type Rotation = (typeof Rotation)[keyof typeof Rotation]

/** The order in which `loadbalance` puts records: aliases, others, addresses, MX. */
const OTHER = 1
const ADDRESS = 2
const EXCHANGER = 3

/** What the rotation of an answer asks for; for a SHUFFLE, `firstAddress` says from which record on. */
export function rotationOf(answer: Answer): Rotation {
  const { answers, starts } = answer
  const total = starts.length - 1
  if (total < 2 || answer.rcode !== Rcode.NOERROR) return Rotation.NONE
  const authorityEnd = answers + answer.authorities
  const work = workIn(answer, 0, answers) | workIn(answer, answers, authorityEnd) | workIn(answer, authorityEnd, total)
  if (work === Rotation.NONE) return Rotation.NONE
  return work === Rotation.SHUFFLE && isMovable(answer, firstAddress(answer)) ? Rotation.SHUFFLE : Rotation.REBUILD
}

function workIn(answer: Answer, start: number, end: number): number {
  let work: number = Rotation.NONE
  let last = 0
  for (let i = start; i < end; i++) {
    const rank = rankOf(recordType(answer, i))
    // Two addresses leave a choice, and so do two MX records, whose names do not let themselves be moved.
    if (rank < last || (rank === EXCHANGER && last === EXCHANGER)) return Rotation.REBUILD
    if (rank === ADDRESS && last === ADDRESS) work = Rotation.SHUFFLE
    last = rank
  }
  return work
}

function rankOf(type: number): number {
  if (type === Type.A || type === Type.AAAA) return ADDRESS
  return type === Type.CNAME ? 0 : type === Type.MX ? EXCHANGER : OTHER
}

/** Which record is the first address of an answer that has one. */
export function firstAddress(answer: Answer): number {
  let i = 0
  while (rankOf(recordType(answer, i)) !== ADDRESS) i++
  return i
}
