/**
 * The `round_robin` policy: in each section aliases first, then what is neither alias nor address nor MX, then addresses and MX
 * records in random order. Addresses that stand last, as they nearly always do, are moved as bytes.
 */
import type { Random } from '../../observe/clock.ts'
import type { Answer } from '../../wire/answer.ts'
import { edited, isMovable, recordType, reordered } from '../../wire/edit.ts'
import type { Query } from '../../wire/query.ts'
import type { Record } from '../../wire/record.ts'
import { Type } from '../../wire/types.ts'
import { partition } from './partition.ts'

/** What a section needs: its addresses shuffled, which moving bytes may do, or more than that. */
const SHUFFLE = 1
const REBUILD = 2

/** The same answer where there is nothing to choose. */
export function roundRobin(answer: Answer, query: Query, random: Random): Answer {
  const { answers, starts } = answer
  const total = starts.length - 1
  if (total < 2) return answer
  const authorityEnd = answers + answer.authorities
  const work = workIn(answer, 0, answers) | workIn(answer, answers, authorityEnd) | workIn(answer, authorityEnd, total)
  if (work === 0) return answer
  const first = work === SHUFFLE ? firstAddress(answer) : total
  if (first < total && isMovable(answer, first)) {
    const order = identity(total)
    shuffle(order, first, answers, random)
    shuffle(order, Math.max(first, answers), authorityEnd, random)
    shuffle(order, Math.max(first, authorityEnd), total, random)
    return reordered(answer, order)
  }
  const arranged = (records: readonly Record[]) => arrange(records, random)
  return edited(answer, query.name, sections => ({
    answers: arranged(sections.answers),
    authorities: arranged(sections.authorities),
    additionals: arranged(sections.additionals),
  }))
}

function workIn(answer: Answer, start: number, end: number): number {
  let work = 0
  let last = 0
  for (let i = start; i < end; i++) {
    const rank = rankOf(recordType(answer, i))
    // Two addresses leave a choice, and so do two MX records, whose names do not let themselves be moved.
    if (rank < last || (rank === 3 && last === 3)) return REBUILD
    if (rank === 2 && last === 2) work = SHUFFLE
    last = rank
  }
  return work
}

function rankOf(type: number): number {
  if (type === Type.A || type === Type.AAAA) return 2
  return type === Type.CNAME ? 0 : type === Type.MX ? 3 : 1
}

/** Where the first address stands in an answer that has one. */
function firstAddress(answer: Answer): number {
  let i = 0
  while (rankOf(recordType(answer, i)) !== 2) i++
  return i
}

function arrange(records: readonly Record[], random: Random): Record[] {
  const { aliases, others, addresses, exchangers } = partition(records)
  shuffle(addresses, 0, addresses.length, random)
  shuffle(exchangers, 0, exchangers.length, random)
  return [...aliases, ...others, ...addresses, ...exchangers]
}

/** Every order of the items from `start` to before `end` is as likely as any other (Fisher and Yates). */
function shuffle<T>(items: { [index: number]: T }, start: number, end: number, random: Random): void {
  for (let i = start; i < end - 1; i++) {
    const chosen = i + Math.floor(random() * (end - i))
    const item = items[i]!
    items[i] = items[chosen]!
    items[chosen] = item
  }
}

let scratch = new Uint16Array(64)

/** 0, 1, 2 …; overwritten by the next call. */
function identity(count: number): Uint16Array {
  if (count > scratch.length) scratch = new Uint16Array(count)
  for (let i = 0; i < count; i++) scratch[i] = i
  return scratch
}
