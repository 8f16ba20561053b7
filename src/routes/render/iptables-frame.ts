/** The chains that there is one of, whatever services there are: where packets come in, masquerading, and what a node forwards. */

import type { Setting } from '../setting.ts'
import { comment } from './iptables-names.ts'

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
export const masquerade: readonly string[] = [
  `-A KUBE-POSTROUTING -m mark ! --mark ${mark} -j RETURN`,
  // Else a packet that comes by once more would be masqueraded again.
  '-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000',
  `-A KUBE-POSTROUTING ${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
  '-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000',
]

/** What a node forwards, and what nobody may send it from outside. `accounting` has what is dropped counted. */
export function forwarding({ localhostNodePorts }: Setting, accounting: boolean): string[] {
  const counted = accounting ? ` -m nfacct --nfacct-name ${counters.invalid}` : ''
  const rules = [
    // Such a packet, of a connection that conntrack has lost, would reach the client with the endpoint's address.
    `-A KUBE-FORWARD -m conntrack --ctstate INVALID${counted} -j DROP`,
    `-A KUBE-FORWARD ${comment('kubernetes forwarding rules')} -m mark --mark ${mark} -j ACCEPT`,
    `-A KUBE-FORWARD ${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  ]
  if (!localhostNodePorts) return rules
  // Node ports at 127.0.0.1 need route_localnet, which would let neighbours reach what listens there.
  const foreign = '-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT'
  return [...rules, `-A KUBE-FIREWALL ${comment('block incoming localnet connections')} ${foreign} -j DROP`]
}

/** Leads to the node ports; stands behind the rules of all services. */
export function nodePortJumps({ family, nodePortIPs, localhostNodePorts }: Setting): string[] {
  const note = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')
  const jump = (match: string) => `-A KUBE-SERVICES ${note} ${match} -j KUBE-NODEPORTS`
  if (nodePortIPs !== undefined) return nodePortIPs.map(ip => jump(`-d ${ip}`))
  const localhost = family === 'IPv6' ? ' ! -d ::1/128' : localhostNodePorts ? '' : ' ! -d 127.0.0.0/8'
  return [jump(`-m addrtype --dst-type LOCAL${localhost}`)]
}
