/** The `weighted` policy: which address comes first is drawn by weights from a file; the others keep their places. */
import { PortolanError } from '../../errors.ts'
import type { Random } from '../../observe/clock.ts'
import { addressOctets } from '../../wire/address.ts'
import type { Answer } from '../../wire/answer.ts'
import { edited } from '../../wire/edit.ts'
import { keyFromText, keyOfName, type NameKey } from '../../wire/name.ts'
import type { Record } from '../../wire/record.ts'
import { partition } from './partition.ts'

/** Weights from 1 to 255 by name, then by address (its octets, joined). An address without one has 1. */
export type Weights = ReadonlyMap<NameKey, ReadonlyMap<string, number>>

/**
 * Reads a weight file: lines with a name, each followed by lines `ADDRESS WEIGHT`; `#` in front makes a comment. Throws
 * PORTOLAN_LOADBALANCE_WEIGHTS with file and line for anything else.
 */
export function parseWeights(text: string, path: string): Weights {
  const weights = new Map<NameKey, Map<string, number>>()
  let current: Map<string, number> | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fields = line.trim().split(/\s+/)
    const [first, second] = fields as [string, string?]
    if (first === '' || first.startsWith('#')) continue
    const wrong = (message: string) =>
      new PortolanError('PORTOLAN_LOADBALANCE_WEIGHTS', `${path}:${index + 1}: ${message}`)
    const address = addressOctets(first)
    if (second === undefined) {
      const name = keyFromText(first)
      if (address) throw wrong(`"${first}" needs a weight`)
      if (name === undefined) throw wrong(`"${first}" is not a name`)
      current = weights.get(name) ?? new Map<string, number>()
      weights.set(name, current)
      continue
    }
    if (fields.length > 2) throw wrong('a line has a name, or an address and its weight')
    if (address === undefined) throw wrong(`"${first}" is not an address`)
    const weight = /^\d{1,3}$/.test(second) ? Number(second) : 0
    if (weight < 1 || weight > 255) throw wrong(`a weight is from 1 to 255, got "${second}"`)
    if (current === undefined) throw wrong('the first line must be a name')
    // Of two lines for one address the first counts.
    if (!current.has(address.join())) current.set(address.join(), weight)
  }
  return weights
}

/** Draws the first address of the answer and of the additional section. */
export function drawFirst(answer: Answer, name: Uint8Array, weights: Weights, random: Random): Answer {
  return edited(answer, name, sections => ({
    ...sections,
    answers: arrange(sections.answers, weights, random),
    additionals: arrange(sections.additionals, weights, random),
  }))
}

function arrange(records: readonly Record[], weights: Weights, random: Random): readonly Record[] {
  const { aliases, addresses, exchangers, others } = partition(records)
  if (addresses.length === 0) return records
  const drawn = draw(
    addresses.map(({ owner, rdata }) => weights.get(keyOfName(owner as Uint8Array))?.get(rdata.join()) ?? 1),
    random,
  )
  const first = addresses[drawn]!
  addresses[drawn] = addresses[0]!
  addresses[0] = first
  return [...aliases, ...others, ...addresses, ...exchangers]
}

/** An index, each as likely as its share of the sum. */
function draw(shares: readonly number[], random: Random): number {
  const sum = shares.reduce((total, share) => total + share, 0)
  let left = Math.floor(random() * sum)
  return shares.findIndex(share => (left -= share) < 0)
}
