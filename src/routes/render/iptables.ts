/**
 * Routes as rules of iptables: those that kube-proxy 1.34 would have on the node, in its chains and with its names, so that people
 * and tools find what they know. Pure text; loading it is left to others.
 */
import type { Destination } from '../route.ts'
import { type RenderOptions, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import { Rules, writeDestination } from './iptables-destination.ts'
import {
  filterChains,
  forwarding,
  jumps,
  kubeletChain,
  masquerade,
  natChains,
  nodePortJumps,
} from './iptables-frame.ts'

export interface IptablesOptions extends RenderOptions {
  /** Whether the rules that lead from the kernel's chains to ours are there. Default: true; loaded twice they would be there twice. */
  readonly jumps?: boolean
  /** Whether packets are counted in nfacct objects, as kube-proxy has it; the objects must exist. Default: false. */
  readonly accounting?: boolean
}

/** From so many endpoints on kube-proxy gives no comments to the rules of each. */
const manyEndpoints = 1000

/** Text for `iptables-restore --noflush` or `ip6tables-restore --noflush`, as the family is. */
export function renderIptables(routes: Pick<Routes, 'destinations'>, options: IptablesOptions): string {
  const { family, accounting = false, jumps: withJumps = true } = options
  const destinations = [...routes.destinations()].filter(destination => destination.family === family)
  const setting = settingOf(options)
  const writing = { ...setting, accounting, comments: endpointsOf(destinations) <= manyEndpoints }
  const rules = new Rules()
  for (const destination of destinations) writeDestination(destination, writing, rules)
  rules.nat.push(...nodePortJumps(setting))
  const filter = [...(withJumps ? jumps.filter : []), ...forwarding(setting, accounting)]
  const nat = [...(withJumps ? jumps.nat : []), ...masquerade]
  const chains = [...filterChains, ...(withJumps || setting.localhostNodePorts ? [kubeletChain] : [])]
  return [
    ...['*filter', ...chains.map(chainLine), ...filter],
    ...rules.filter,
    ...['COMMIT', '*nat', ...natChains.map(chainLine)],
    ...rules.chains.map(chainLine),
    ...nat,
    ...rules.nat,
    ...['COMMIT', ''],
  ].join('\n')
}

/** Makes a chain, or empties the one that there is. */
function chainLine(chain: string): string {
  return `:${chain} - [0:0]`
}

function endpointsOf(destinations: readonly Destination[]): number {
  return destinations.reduce((sum, { backends }) => sum + new Set(backends.map(({ address }) => address)).size, 0)
}
