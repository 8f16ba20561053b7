/** The rules of one destination, chain by chain, as kube-proxy 1.34 has them. */
import { holds } from '../../wire/range.ts'
import { type Backend, type Destination, isExternal, nameOf, type VirtualAddress } from '../route.ts'
import type { Setting } from '../setting.ts'
import { usable, verdict } from '../usable.ts'
import { type ChainRules, PartDraft } from './iptables-chains.ts'
import { counters } from './iptables-frame.ts'
import { type ChainNames, chainNames, comment, endpointChain, probability } from './iptables-names.ts'
import type { Part } from './merged.ts'

export interface Writing extends Setting {
  /** Whether rules of endpoints have comments. */
  readonly comments: boolean
  readonly accounting: boolean
}

/** What a destination adds to the chains of both tables. */
export function partOf(destination: Destination, writing: Writing): Part<ChainRules> {
  const part = new PartDraft(`${nameOf(destination)}/${destination.protocol}`)
  new DestinationRules(destination, writing, part).write()
  return part
}

class DestinationRules {
  readonly #destination: Destination
  readonly #writing: Writing
  readonly #part: PartDraft
  readonly #name: string
  readonly #protocol: string
  readonly #chains: ChainNames
  readonly #endpointChains: ReadonlyMap<string, string>
  readonly #usable
  readonly #internal
  readonly #external
  /** Whether load balancers' addresses are for some sources only. */
  readonly #guarded: boolean

  constructor(destination: Destination, writing: Writing, part: PartDraft) {
    this.#destination = destination
    this.#writing = writing
    this.#part = part
    this.#name = nameOf(destination)
    this.#protocol = destination.protocol.toLowerCase()
    this.#chains = chainNames(destination)
    this.#usable = usable(destination, writing.place)
    this.#internal = verdict(destination, this.#usable, 'internal')
    this.#external = verdict(destination, this.#usable, 'external')
    this.#endpointChains = new Map(
      this.#usable.reachable.map(({ address }) => [address, endpointChain(destination, address)]),
    )
    this.#guarded = this.#usable.anywhere && destination.sourceRanges.length > 0 && this.#balanced().length > 0
  }

  write(): void {
    const { anywhere, cluster, local } = this.#usable
    for (const address of this.#destination.addresses) this.#capture(address)
    this.#admitHealthChecks()
    if (this.#internal.action === 'forward') this.#masqueradeForeign()
    if (anywhere && isExternal(this.#destination)) this.#fromOutside()
    if (this.#guarded) this.#guard()
    if (cluster.length > 0) this.#choose(this.#chains.cluster, cluster)
    if (local.length > 0) this.#choose(this.#chains.local, local)
    for (const backend of this.#usable.reachable) this.#reach(backend)
  }

  /** Takes what comes for one of the addresses, or turns it away. */
  #capture(address: VirtualAddress): void {
    const { kind } = address
    if (kind === 'ClusterIP') this.#captureClusterIP(address)
    else if (kind === 'NodePort') this.#captureNodePort(address)
    else this.#captureExternal(address)
  }

  #captureClusterIP({ ip, port }: VirtualAddress): void {
    const match = this.#to(ip, port)
    const internal = this.#internal
    if (internal.action === 'forward') this.#nat('KUBE-SERVICES', `${this.#note('cluster IP')} ${match}`, this.#inner())
    else this.#refuse('KUBE-SERVICES', internal.action, match)
  }

  #captureExternal({ kind, ip, port }: VirtualAddress): void {
    const match = this.#to(ip, port)
    const balanced = kind === 'LoadBalancer'
    const chain = balanced && this.#guarded ? this.#chains.firewall : this.#chains.external
    const note = this.#note(balanced ? 'loadbalancer IP' : 'external IP')
    if (this.#usable.anywhere) this.#nat('KUBE-SERVICES', `${note} ${match}`, chain)
    if (balanced && this.#guarded) {
      const why = this.#note(`traffic not accepted by ${this.#chains.firewall}`)
      this.#part.add('filter', 'KUBE-PROXY-FIREWALL', `${why} ${match} -j DROP`)
    }
    if (this.#external.action !== 'forward') this.#refuse('KUBE-EXTERNAL-SERVICES', this.#external.action, match)
  }

  #captureNodePort({ port }: VirtualAddress): void {
    const match = `-p ${this.#protocol} -m ${this.#protocol} --dport ${port}`
    if (this.#usable.anywhere) {
      const { accounting, localhostNodePorts } = this.#writing
      const note = comment(this.#name)
      if (accounting && localhostNodePorts) {
        const counted = `-d 127.0.0.0/8 -m nfacct --nfacct-name ${counters.localhost}`
        this.#nat('KUBE-NODEPORTS', `${note} ${match} ${counted}`, this.#chains.external)
      }
      this.#nat('KUBE-NODEPORTS', `${note} ${match}`, this.#chains.external)
    }
    if (this.#external.action === 'forward') return
    this.#refuse('KUBE-EXTERNAL-SERVICES', this.#external.action, `-m addrtype --dst-type LOCAL ${match}`)
  }

  #refuse(chain: string, action: 'REJECT' | 'DROP', match: string): void {
    const why = this.#note(action === 'REJECT' ? 'has no endpoints' : 'has no local endpoints')
    this.#part.add('filter', chain, `${why} ${match} -j ${action}`)
  }

  #admitHealthChecks(): void {
    const { healthCheckNodePort: port } = this.#destination
    if (port === 0) return
    const match = `-p tcp -m tcp --dport ${port}`
    this.#part.add('filter', 'KUBE-NODEPORTS', `${this.#note('health check node port')} ${match} -j ACCEPT`)
  }

  /** Who is no pod, and asks this node as a router into the service range, must get the answers back through it. */
  #masqueradeForeign(): void {
    const { masqueradeAll, podRange } = this.#writing
    if (!masqueradeAll && podRange === undefined) return
    const { ip, port } = this.#destination.addresses[0]!
    const source = masqueradeAll ? '' : ` ! -s ${podRange}`
    this.#nat(this.#inner(), `${this.#note('cluster IP')} ${this.#to(ip, port)}${source}`, 'KUBE-MARK-MASQ')
  }

  /** What comes for addresses that the outside uses. */
  #fromOutside(): void {
    const { external, cluster, local } = this.#chains
    const from = (what: string) => comment(`${what} for ${this.#name} external destinations`)
    this.#part.chain('nat', external)
    if (this.#destination.externalPolicy === 'Cluster') {
      // The endpoint may be on another node, and its answer must come back through this one.
      this.#nat(external, from('masquerade traffic'), 'KUBE-MARK-MASQ')
    } else {
      const { podRange } = this.#writing
      const onNode = '-m addrtype --src-type LOCAL'
      // Pods and the node itself are treated as if they had gone out to a load balancer and come back in, anywhere.
      if (podRange !== undefined) this.#nat(external, `${from('pod traffic')} -s ${podRange}`, cluster)
      this.#nat(external, `${from('masquerade LOCAL traffic')} ${onNode}`, 'KUBE-MARK-MASQ')
      this.#nat(external, `${from('route LOCAL traffic')} ${onNode}`, cluster)
    }
    if (this.#external.action !== 'forward') return
    this.#nat(external, '', this.#destination.externalPolicy === 'Local' ? local : cluster)
  }

  /** Lets in the sources that may use the load balancer; the rest meets KUBE-PROXY-FIREWALL. */
  #guard(): void {
    const { firewall, external } = this.#chains
    const { sourceRanges } = this.#destination
    const note = this.#note('loadbalancer IP')
    this.#part.chain('nat', firewall)
    for (const range of sourceRanges) this.#nat(firewall, `${note} -s ${range}`, external)
    // Where the node has the load balancer's address on itself, that is what its own connections come from.
    if (sourceRanges.some(range => holds(range, this.#writing.nodeIP))) {
      for (const { ip } of this.#balanced()) this.#nat(firewall, `${note} -s ${ip}`, external)
    }
    const rest = comment(`other traffic to ${this.#name} will be dropped by KUBE-PROXY-FIREWALL`)
    this.#part.add('nat', firewall, rest)
  }

  /** Chooses an endpoint: the one that the client has had, else any with the same probability. */
  #choose(chain: string, backends: readonly Backend[]): void {
    const { affinitySeconds } = this.#destination
    this.#part.chain('nat', chain)
    if (affinitySeconds > 0) {
      for (const { address } of backends) {
        const to = this.#endpointChains.get(address)!
        const known = `-m recent --name ${to} --rcheck --seconds ${affinitySeconds} --reap`
        this.#nat(chain, `${this.#endpointNote(` -> ${address}`)}${known}`, to)
      }
    }
    backends.forEach(({ address }, i) => {
      const left = backends.length - i
      const chance = left > 1 ? `-m statistic --mode random --probability ${probability(left)}` : ''
      const match = `${this.#endpointNote(` -> ${address}`)}${chance}`.trimEnd()
      this.#nat(chain, match, this.#endpointChains.get(address)!)
    })
  }

  #reach({ ip, address }: Backend): void {
    const chain = this.#endpointChains.get(address)!
    const note = this.#endpointNote('')
    const seen = this.#destination.affinitySeconds > 0 ? `-m recent --name ${chain} --set ` : ''
    this.#part.chain('nat', chain)
    // A pod that reaches itself through the service would see its own address as the source.
    this.#nat(chain, `${note}-s ${ip}`, 'KUBE-MARK-MASQ')
    this.#nat(chain, `${note}${seen}-p ${this.#protocol} -m ${this.#protocol}`, `DNAT --to-destination ${address}`)
  }

  #nat(chain: string, match: string, target: string): void {
    this.#part.add('nat', chain, match === '' ? `-j ${target}` : `${match} -j ${target}`)
  }

  /** Where the cluster address leads. */
  #inner(): string {
    return this.#destination.internalPolicy === 'Local' ? this.#chains.local : this.#chains.cluster
  }

  #balanced(): VirtualAddress[] {
    return this.#destination.addresses.filter(({ kind }) => kind === 'LoadBalancer')
  }

  #to(ip: string, port: number): string {
    return `-p ${this.#protocol} -d ${ip} -m ${this.#protocol} --dport ${port}`
  }

  #note(what: string): string {
    return comment(`${this.#name} ${what}`)
  }

  #endpointNote(what: string): string {
    return this.#writing.comments ? `${comment(`${this.#name}${what}`)} ` : ''
  }
}
