/** Compares what two iptables-save said, strictly: also comments count, and what no comparison would take for ours. */
import { diffIptables } from '../../../src/routes/diff/iptables.ts'
import { readSaved } from '../../../src/routes/diff/iptables-saved.ts'

/** Chains that kube-proxy keeps to see whether somebody has emptied a table. */
const canary = 'KUBE-PROXY-CANARY'

/** One line for each difference; empty where the two mean the same. `wanted` may also be what iptables-restore takes. */
export function differencesOf(wanted: string, found: string): string[] {
  const all = diffIptables(wanted, found).map(
    ({ kind, table, chain, rule, wanted, why }) => `${kind} ${table} ${chain} ${rule} ${wanted ?? ''}: ${why}`,
  )
  const [sizes, others] = [sizesOf(wanted), sizesOf(found)]
  const missed = [...new Set([...sizes.keys(), ...others.keys()])].filter(key => sizes.get(key) !== others.get(key))
  return [...all, ...missed.map(key => `${key} has ${others.get(key)} rules, should have ${sizes.get(key)}`)]
}

/** How many rules each chain has; the kernel's own may be empty. */
function sizesOf(saved: string): ReadonlyMap<string, number> {
  const all = [...readSaved(saved)].flatMap(([table, chains]) =>
    [...chains].map(([chain, rules]) => [`${table} ${chain}`, rules.length] as const),
  )
  const isOurs = (key: string) => key.includes(' KUBE-') && !key.endsWith(canary)
  return new Map(all.filter(([key, size]) => size > 0 || isOurs(key)))
}
