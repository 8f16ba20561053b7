/** The chains that there is one of, whatever services there are: where packets come in, masquerading, and what a node forwards. */

import type { Setting } from '../setting.ts'
import { type ChainRules, PartDraft } from './iptables-chains.ts'
import { comment } from './iptables-names.ts'
import type { Part } from './merged.ts'

/** Set on packets that are to be masqueraded; bit 14, kube-proxy's default. */
const mark = '0x4000/0x4000'

/** Counters of the kernel (nfacct) that kube-proxy has rules count in. */
export const counters = { invalid: 'ct_state_invalid_dropped_pkts', localhost: 'localhost_nps_accepted_pkts' } as const

export const filterChains = [
  'KUBE-SERVICES',
  'KUBE-EXTERNAL-SERVICES',
  'KUBE-FORWARD',
  'KUBE-NODEPORTS',
  'KUBE-PROXY-FIREWALL',
] as const

/** Kubelet puts a rule into it too, the same one. */
export const kubeletChain = 'KUBE-FIREWALL'

export const natChains = ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'] as const

const newOnly = '-m conntrack --ctstate NEW'
const portals = comment('kubernetes service portals')
const visible = comment('kubernetes externally-visible service portals')
const firewall = comment('kubernetes load balancer firewall')

/** What leads from the kernel's chains into ours, in the order that kube-proxy leaves them in. */
export const jumps = {
  filter: [
    '-A INPUT -j KUBE-FIREWALL',
    `-A INPUT ${newOnly} ${firewall} -j KUBE-PROXY-FIREWALL`,
    `-A INPUT ${comment('kubernetes health check service ports')} -j KUBE-NODEPORTS`,
    `-A INPUT ${newOnly} ${visible} -j KUBE-EXTERNAL-SERVICES`,
    `-A FORWARD ${newOnly} ${firewall} -j KUBE-PROXY-FIREWALL`,
    `-A FORWARD ${comment('kubernetes forwarding rules')} -j KUBE-FORWARD`,
    `-A FORWARD ${newOnly} ${portals} -j KUBE-SERVICES`,
    `-A FORWARD ${newOnly} ${visible} -j KUBE-EXTERNAL-SERVICES`,
    '-A OUTPUT -j KUBE-FIREWALL',
    `-A OUTPUT ${newOnly} ${firewall} -j KUBE-PROXY-FIREWALL`,
    `-A OUTPUT ${newOnly} ${portals} -j KUBE-SERVICES`,
  ],
  nat: [
    `-A PREROUTING ${portals} -j KUBE-SERVICES`,
    `-A OUTPUT ${portals} -j KUBE-SERVICES`,
    `-A POSTROUTING ${comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING`,
  ],
} as const

/** Masquerading: a mark on the way in, the node's address as the source on the way out. */
const postrouting: readonly string[] = [
  `-m mark ! --mark ${mark} -j RETURN`,
  // Else a packet that comes by once more would be masqueraded again.
  '-j MARK --xor-mark 0x4000',
  `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
]

export interface FrameOptions {
  /** Whether packets are counted in nfacct objects. */
  readonly accounting: boolean
  /** Whether what conntrack takes for invalid is forwarded. */
  readonly liberal: boolean
  /** Whether chains that the jumps lead to are all there. */
  readonly jumps: boolean
}

/** The chains that there is one of, with the rules that do not come from services. */
export function frame(setting: Setting, { accounting, liberal, jumps: withJumps }: FrameOptions): Part<ChainRules> {
  const part = new PartDraft('')
  for (const chain of filterChains) part.chain('filter', chain)
  if (withJumps) part.chain('filter', kubeletChain)
  for (const chain of natChains) part.chain('nat', chain)
  for (const rule of forwarding(accounting, liberal)) part.add('filter', 'KUBE-FORWARD', rule)
  if (setting.localhostNodePorts) part.add('filter', kubeletChain, foreignLocalnet)
  for (const rule of postrouting) part.add('nat', 'KUBE-POSTROUTING', rule)
  part.add('nat', 'KUBE-MARK-MASQ', '-j MARK --or-mark 0x4000')
  return part
}

/** What a node forwards. */
function forwarding(accounting: boolean, liberal: boolean): string[] {
  const counted = accounting ? ` -m nfacct --nfacct-name ${counters.invalid}` : ''
  return [
    // Such a packet, of a connection that conntrack has lost, would reach the client with the endpoint's address.
    ...(liberal ? [] : [`-m conntrack --ctstate INVALID${counted} -j DROP`]),
    `${comment('kubernetes forwarding rules')} -m mark --mark ${mark} -j ACCEPT`,
    `${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  ]
}

/** Node ports at 127.0.0.1 need route_localnet, which would let neighbours reach what listens there. */
const foreignLocalnet = `${comment('block incoming localnet connections')} -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`

/** Leads to the node ports; stands behind the rules of all services. */
export function nodePortJumps({ family, nodePortIPs, localhostNodePorts }: Setting): Part<ChainRules> {
  const part = new PartDraft('node ports')
  const note = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')
  const jump = (match: string) => part.add('nat', 'KUBE-SERVICES', `${note} ${match} -j KUBE-NODEPORTS`)
  const localhost = family === 'IPv6' ? ' ! -d ::1/128' : localhostNodePorts ? '' : ' ! -d 127.0.0.0/8'
  if (nodePortIPs === undefined) jump(`-m addrtype --dst-type LOCAL${localhost}`)
  else for (const ip of nodePortIPs) jump(`-d ${ip}`)
  return part
}
