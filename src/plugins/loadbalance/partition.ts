/** Records of a section by what their order means to clients. */
import type { Record } from '../../wire/record.ts'
import { Type } from '../../wire/types.ts'

export interface Partition {
  readonly aliases: Record[]
  readonly addresses: Record[]
  readonly exchangers: Record[]
  readonly others: Record[]
}

/** Each part has the order of the section. */
export function partition(records: readonly Record[]): Partition {
  const parts: Partition = { aliases: [], addresses: [], exchangers: [], others: [] }
  for (const record of records) partOf(parts, record.type).push(record)
  return parts
}

function partOf(parts: Partition, type: number): Record[] {
  if (type === Type.A || type === Type.AAAA) return parts.addresses
  return type === Type.CNAME ? parts.aliases : type === Type.MX ? parts.exchangers : parts.others
}
