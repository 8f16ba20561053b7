/** What iptables-save prints, as far as it must be known to leave alone what is not ours. */
import type { Table } from '../render/iptables-chains.ts'

/** The rules of each chain, without their `-A CHAIN `, by table. Counters are left out. */
export type Saved = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

export function readSaved(text: string): Saved {
  const tables = new Map<string, Map<string, string[]>>()
  let chains = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      chains = new Map()
      tables.set(line.slice(1), chains)
    } else if (line.startsWith(':')) chains.set(line.slice(1, line.indexOf(' ')), [])
    else if (line.startsWith('-A ')) {
      const end = line.indexOf(' ', 3)
      chains.get(line.slice(3, end))?.push(line.slice(end + 1))
    }
  }
  return tables
}

export function rulesOf(saved: Saved, table: Table, chain: string): readonly string[] {
  return saved.get(table)?.get(chain) ?? []
}
