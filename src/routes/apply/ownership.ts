/** What of the kernel is ours to change: said before anything is touched. */
import type { Family } from '../../wire/address.ts'
import { filterChains, jumps, kubeletChain, natChains } from '../render/iptables-frame.ts'
import { TABLE } from '../render/nftables.ts'
import { iptablesTool } from './iptables.ts'
import type { Form } from './leftovers.ts'
import { nftFamily } from './nftables.ts'

/** A few whole lines. */
export function ownership(form: Form, families: readonly Family[]): string {
  if (form === 'nftables') {
    const tables = families.map(family => `"${nftFamily[family]} ${TABLE}"`).join(' and ')
    return `nftables: the ${families.length > 1 ? 'tables' : 'table'} ${tables}, and nothing else\n`
  }
  const tools = families.map(family => iptablesTool[family]).join(' and ')
  const count = jumps.filter.length + jumps.nat.length
  return [
    `${tools}: in the table filter the chains ${filterChains.join(', ')}, and ${kubeletChain} (the kubelet's too)`,
    `  in the table nat the chains ${natChains.join(', ')}, and all of the names KUBE-SVC-…, -SVL-…, -EXT-…, -FW-… and -SEP-…`,
    `  and ${count} rules in the kernel's own chains that lead there; nothing else\n`,
  ].join('\n')
}
