/** What iptables-save writes, and iptables-restore reads, taken apart into chains. */

/** The rules of each chain, as they stand behind `-A CHAIN `; by table. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

/** Counters may stand before a rule, or in it (`iptables-save -c`). */
const appended = /^(?:\[\d+:\d+\] )?-A (\S+) ?/

/** Lines that are neither chains nor rules are passed over. */
export function readSaved(text: string): Tables {
  const tables = new Map<string, Map<string, string[]>>()
  let chains = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      const name = line.slice(1).trim()
      chains = tables.get(name) ?? new Map()
      tables.set(name, chains)
    } else if (line.startsWith(':')) {
      const end = line.indexOf(' ')
      rulesOf(chains, line.slice(1, end < 0 ? undefined : end))
    } else {
      const match = appended.exec(line)
      if (match) rulesOf(chains, match[1]!).push(line.slice(match[0].length))
    }
  }
  return tables
}

function rulesOf(chains: Map<string, string[]>, chain: string): string[] {
  const known = chains.get(chain)
  if (known !== undefined) return known
  const made: string[] = []
  chains.set(chain, made)
  return made
}

/** The chain that a rule leads to; undefined where it leads to none that is one of kube-proxy's. */
export function leadsTo(rule: string): string | undefined {
  return /(?:^| )-[jg] (KUBE-\S+)/.exec(rule)?.[1]
}
