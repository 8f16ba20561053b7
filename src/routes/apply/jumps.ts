/** The rules that lead from the kernel's chains to ours: put where they are missing, never doubled. */
import { type Table, tables } from '../render/iptables-chains.ts'
import { jumps, kubeletChain } from '../render/iptables-frame.ts'
import { rulesOf, type Saved } from './saved.ts'

/** The lines of iptables-restore that make them right, by table: none for a chain that has its own once each and in their order. */
export function jumpRepairs(saved: Saved): Record<Table, string[]> {
  const made: Record<Table, string[]> = { filter: [], nat: [] }
  for (const table of tables) {
    for (const [chain, wanted] of wantedIn(table)) {
      const known = rulesOf(saved, table, chain).filter(rule => wanted.includes(rule))
      if (known.length === wanted.length && known.every((rule, i) => rule === wanted[i])) continue
      made[table].push(...known.map(rule => `-D ${chain} ${rule}`))
      // In front of all others, as kube-proxy puts them, and all again, as their order counts.
      made[table].push(...wanted.toReversed().map(rule => `-I ${chain} ${rule}`))
    }
  }
  return made
}

/** The lines that take them away, those to the kubelet's chain only where it `goes`. */
export function jumpRemovals(saved: Saved, table: Table, kubelet: 'goes' | 'stays'): string[] {
  return Array.from(wantedIn(table), ([chain, wanted]) => {
    const ours = wanted.filter(rule => kubelet === 'goes' || !rule.endsWith(`-j ${kubeletChain}`))
    return rulesOf(saved, table, chain)
      .filter(rule => ours.includes(rule))
      .map(rule => `-D ${chain} ${rule}`)
  }).flat()
}

/** The rules by the kernel's chain that they stand in. */
function wantedIn(table: Table): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of jumps[table]) {
    const [, chain = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line)!
    found.set(chain, [...(found.get(chain) ?? []), rule])
  }
  return found
}
