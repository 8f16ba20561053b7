/** The rules of iptables in kube-proxy's mode ipvs: what is masqueraded, let through or turned away, by the sets it is in. */
import type { Setting } from '../setting.ts'
import { comment } from './iptables-names.ts'
import type { IpvsNode } from './ipvs-node.ts'
import { commentOfSet, nameOfSet, type SetName } from './ipvs-sets.ts'

const chains = {
  filter: [
    'KUBE-FORWARD',
    'KUBE-NODE-PORT',
    'KUBE-PROXY-FIREWALL',
    'KUBE-SOURCE-RANGES-FIREWALL',
    'KUBE-IPVS-FILTER',
    'KUBE-IPVS-OUT-FILTER',
  ],
  nat: ['KUBE-SERVICES', 'KUBE-POSTROUTING', 'KUBE-NODE-PORT', 'KUBE-LOAD-BALANCER', 'KUBE-MARK-MASQ'],
} as const

/** What leads from the kernel's chains into these, in the order that kube-proxy leaves them in: it puts each in front. */
const jumps = {
  filter: [
    `-A INPUT ${comment('kubernetes ipvs access filter')} -j KUBE-IPVS-FILTER`,
    `-A INPUT ${comment('kube-proxy firewall rules')} -j KUBE-PROXY-FIREWALL`,
    `-A INPUT ${comment('kubernetes health check rules')} -j KUBE-NODE-PORT`,
    `-A FORWARD ${comment('kube-proxy firewall rules')} -j KUBE-PROXY-FIREWALL`,
    `-A FORWARD ${comment('kubernetes forwarding rules')} -j KUBE-FORWARD`,
    `-A OUTPUT ${comment('kubernetes ipvs access filter')} -j KUBE-IPVS-OUT-FILTER`,
  ],
  nat: [
    `-A PREROUTING ${comment('kubernetes service portals')} -j KUBE-SERVICES`,
    `-A OUTPUT ${comment('kubernetes service portals')} -j KUBE-SERVICES`,
    `-A POSTROUTING ${comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING`,
  ],
} as const

/** Set on packets that are to be masqueraded; bit 14, kube-proxy's default. */
const mark = '0x4000/0x4000'

export function ipvsRules(node: IpvsNode, setting: Setting, withJumps: boolean): string {
  const table = (name: 'filter' | 'nat', rules: readonly string[]) => [
    `*${name}`,
    ...chains[name].map(chain => `:${chain} - [0:0]`),
    ...(withJumps ? jumps[name] : []),
    ...rules,
    'COMMIT',
  ]
  const writer = new RuleWriter(node, setting)
  return [...table('filter', writer.filter()), ...table('nat', writer.nat()), ''].join('\n')
}

class RuleWriter {
  readonly #node: IpvsNode
  readonly #setting: Setting

  constructor(node: IpvsNode, setting: Setting) {
    this.#node = node
    this.#setting = setting
  }

  filter(): string[] {
    return [
      ...this.#whereNotEmpty('LOAD-BALANCER-FW', 'KUBE-PROXY-FIREWALL', 'dst,dst', 'KUBE-SOURCE-RANGES-FIREWALL'),
      ...this.#whereNotEmpty('LOAD-BALANCER-SOURCE-CIDR', 'KUBE-SOURCE-RANGES-FIREWALL', 'dst,dst,src', 'RETURN'),
      ...this.#whereNotEmpty('LOAD-BALANCER-SOURCE-IP', 'KUBE-SOURCE-RANGES-FIREWALL', 'dst,dst,src', 'RETURN'),
      '-A KUBE-SOURCE-RANGES-FIREWALL -j DROP',
      ...this.#node.denied.map(({ ip, port, protocol }) => {
        const server = `--vaddr ${ip} --vproto ${protocol.toLowerCase()} --vport ${port}`
        return `-A KUBE-IPVS-OUT-FILTER -s ${ip} -m ipvs ${server} -j DROP`
      }),
      `-A KUBE-FORWARD ${comment('kubernetes forwarding rules')} -m mark --mark ${mark} -j ACCEPT`,
      `-A KUBE-FORWARD ${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      `-A KUBE-NODE-PORT ${this.#noted('HEALTH-CHECK-NODE-PORT')} dst -j ACCEPT`,
      ...this.#shield(),
    ]
  }

  nat(): string[] {
    const { family } = this.#setting
    return [
      `-A KUBE-SERVICES -s ${family === 'IPv4' ? '127.0.0.0/8' : '::1/128'} -j RETURN`,
      ...this.#whereNotEmpty('LOOP-BACK', 'KUBE-POSTROUTING', 'dst,dst,src', 'MASQUERADE'),
      ...this.#whereNotEmpty('LOAD-BALANCER', 'KUBE-SERVICES', 'dst,dst', 'KUBE-LOAD-BALANCER'),
      ...this.#whereNotEmpty('LOAD-BALANCER-LOCAL', 'KUBE-LOAD-BALANCER', 'dst,dst', 'RETURN'),
      ...this.#nodePorts(),
      ...this.#clusterIPs(),
      ...this.#externalIPs(),
      '-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
      '-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ',
      // Else another's rules might take what is for IPVS.
      ...(['CLUSTER-IP', 'LOAD-BALANCER'] as const)
        .filter(set => this.#node.sets[set].size > 0)
        .map(set => `-A KUBE-SERVICES ${this.#match(set)} dst,dst -j ACCEPT`),
      `-A KUBE-POSTROUTING -m mark ! --mark ${mark} -j RETURN`,
      // Else a packet that comes by once more would be masqueraded again.
      '-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000',
      `-A KUBE-POSTROUTING ${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
      '-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000',
    ]
  }

  /** Virtual addresses are the node's own, so without these rules whatever listens on the node could be reached at them. */
  #shield(): string[] {
    const pass = (set: SetName, what: string) => `-A KUBE-IPVS-FILTER ${this.#match(set)} ${what} -j RETURN`
    return [
      pass('LOAD-BALANCER', 'dst,dst'),
      pass('CLUSTER-IP', 'dst,dst'),
      pass('EXTERNAL-IP', 'dst,dst'),
      pass('EXTERNAL-IP-LOCAL', 'dst,dst'),
      pass('HEALTH-CHECK-NODE-PORT', 'dst'),
      `-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW ${this.#match('IPVS-IPS')} dst -j REJECT`,
    ]
  }

  /** Those with the policy Local come first: they are not masqueraded. */
  #nodePorts(): string[] {
    return (['TCP', 'UDP', 'SCTP'] as const).flatMap(protocol => {
      const [tail, what] = protocol === 'SCTP' ? (['SCTP-HASH', 'dst,dst'] as const) : ([protocol, 'dst'] as const)
      const chain = `KUBE-NODE-PORT -p ${protocol.toLowerCase()}`
      return [
        ...this.#whereNotEmpty(`NODE-PORT-LOCAL-${tail}`, chain, what, 'RETURN'),
        ...this.#whereNotEmpty(`NODE-PORT-${tail}`, chain, what, 'KUBE-MARK-MASQ'),
      ]
    })
  }

  #clusterIPs(): string[] {
    const { masqueradeAll, podRange } = this.#setting
    if (masqueradeAll) return this.#whereNotEmpty('CLUSTER-IP', 'KUBE-SERVICES', 'dst,dst', 'KUBE-MARK-MASQ')
    // Where nobody says which sources are pods, at least what the node sends from a virtual address must find its way back.
    const what = podRange === undefined ? 'src,dst' : `dst,dst ! -s ${podRange}`
    return this.#whereNotEmpty('CLUSTER-IP', 'KUBE-SERVICES', what, 'KUBE-MARK-MASQ')
  }

  /** From other machines (neither from a container behind a bridge nor from the node), or for an address that the node has. */
  #externalIPs(): string[] {
    const accepted = (set: SetName) => [
      ...this.#whereNotEmpty(
        set,
        'KUBE-SERVICES',
        'dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL',
        'ACCEPT',
      ),
      ...this.#whereNotEmpty(set, 'KUBE-SERVICES', 'dst,dst -m addrtype --dst-type LOCAL', 'ACCEPT'),
    ]
    return [
      ...this.#whereNotEmpty('EXTERNAL-IP', 'KUBE-SERVICES', 'dst,dst', 'KUBE-MARK-MASQ'),
      ...accepted('EXTERNAL-IP'),
      ...accepted('EXTERNAL-IP-LOCAL'),
    ]
  }

  #whereNotEmpty(set: SetName, chain: string, what: string, target: string): string[] {
    return this.#node.sets[set].size === 0 ? [] : [`-A ${chain} ${this.#noted(set)} ${what} -j ${target}`]
  }

  #noted(set: SetName): string {
    return `${comment(commentOfSet(set))} ${this.#match(set)}`
  }

  #match(set: SetName): string {
    return `-m set --match-set ${nameOfSet(set, this.#setting.family)}`
  }
}
