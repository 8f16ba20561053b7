/**
 * The `round_robin` policy: in each section aliases first, then what is neither alias nor address nor MX, then addresses and MX
 * records in random order. Addresses that stand last, as they nearly always do, are moved as bytes.
 */
import type { Random } from '../../observe/clock.ts'
import { shuffle } from '../../table/shuffle.ts'
import { type Answer, recordCount } from '../../wire/answer.ts'
import { edited, reordered } from '../../wire/edit.ts'
import type { Query } from '../../wire/query.ts'
import type { Record } from '../../wire/record.ts'
import { firstAddress, Rotation, rotationOf } from '../../wire/rotation.ts'
import { partition } from './partition.ts'

/** The same answer where there is nothing to choose. */
export function roundRobin(answer: Answer, query: Query, random: Random): Answer {
  const rotation = rotationOf(answer)
  if (rotation === Rotation.NONE) return answer
  if (rotation === Rotation.SHUFFLE) {
    const { answers } = answer
    const authorityEnd = answers + answer.authorities
    const total = recordCount(answer)
    const first = firstAddress(answer)
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

function arrange(records: readonly Record[], random: Random): Record[] {
  const { aliases, others, addresses, exchangers } = partition(records)
  shuffle(addresses, 0, addresses.length, random)
  shuffle(exchangers, 0, exchangers.length, random)
  return [...aliases, ...others, ...addresses, ...exchangers]
}

let scratch = new Uint16Array(64)

/** 0, 1, 2 …; overwritten by the next call. */
function identity(count: number): Uint16Array {
  if (count > scratch.length) scratch = new Uint16Array(count)
  for (let i = 0; i < count; i++) scratch[i] = i
  return scratch
}
