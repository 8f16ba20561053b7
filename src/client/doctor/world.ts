/**
 * All that the checks of `portolan doctor` know, and the few things that they may do: ask name servers, and open connections. Whoever
 * makes a world says of each part why it is missing where it is.
 */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Node } from '../../cluster/objects.ts'
import type { ServerBlock } from '../../corefile/server-block.ts'
import type { PortolanError } from '../../errors.ts'
import type { ResolvConf } from '../../net/resolv-conf.ts'
import type { Dumps } from '../../routes/diff/dumps.ts'
import type { RenderOptions } from '../../routes/setting.ts'
import type { Standpoint } from '../explain/destination.ts'
import type { Explained } from '../explain/explained.ts'
import type { Missing } from './check.ts'
import type { DnsServer } from './dns-server.ts'

export interface World {
  readonly view: ClusterView
  /** The cluster's zone without its last dot, such as `cluster.local`. */
  readonly zone: string
  readonly dns: DnsServer
  /** The resolv.conf that counts: a pod's, or this machine's own. */
  readonly resolver: ResolverFacts | Missing
  /** The pod that asks. */
  readonly client: Standpoint | Missing
  /** What becomes of the name that was given. */
  readonly target: Explained | Missing
  readonly network: Network | Missing
  /** A name that another server knows. */
  readonly outsideName: string | Missing
  readonly rules: NodeRules | Missing
  readonly conntrack: ConntrackFiles | Missing
  /** Objects of the old kind Endpoints that were cut off. */
  readonly truncated: readonly string[] | Missing
  readonly corefile: Corefile | Missing
}

export interface ResolverFacts {
  /** `pod front/client`, or `this machine`. */
  readonly whose: string
  readonly conf: ResolvConf
  /** Why it is so: a sentence without its full stop. */
  readonly reason: string
  /** What was left out, or is not known. */
  readonly findings: readonly string[]
  /** Whether the pod's policy has it ask the cluster's DNS server; undefined where nobody knows. */
  readonly meantForCluster: boolean | undefined
  /** Of the kernel that runs there, such as `6.18.5`; undefined where it is not known. */
  readonly kernel: string | undefined
}

export type Transport = 'udp' | 'tcp'

/** What a name server says, or that it says nothing. */
export type Heard =
  | { readonly rcode: string; readonly addresses: readonly string[] }
  | { readonly rcode?: never; readonly silence: string }

/** What may be sent. Neither rejects. */
export interface Network {
  /** Where packets come from: `node n1`. */
  readonly from: string
  /** Asks for addresses of IPv4, or of IPv6 where `type` says so; `name` is absolute. */
  ask(server: string, port: number, transport: Transport, name: string, type?: 'A' | 'AAAA'): Promise<Heard>
  /** Opens a TCP connection and closes it; undefined where that works, else why not. */
  connect(ip: string, port: number): Promise<string | undefined>
}

export interface NodeRules {
  readonly node: Node
  readonly dumps: Dumps
  readonly flags: Omit<RenderOptions, 'family' | 'node'>
}

/** The kernel's files as texts; undefined for one that is not there. */
export interface ConntrackFiles {
  /** Where they are from: `node n1`, or a folder. */
  readonly where: string
  /** /proc/net/stat/nf_conntrack. */
  readonly statistics: string | undefined
  /** /proc/sys/net/netfilter/nf_conntrack_count and nf_conntrack_max. */
  readonly count: string | undefined
  readonly max: string | undefined
}

export interface Corefile {
  /** Where it is from: a file, or `ConfigMap kube-system/coredns`. */
  readonly where: string
  /** What it says, or the mistake that keeps anybody from reading it. */
  readonly parsed: readonly ServerBlock[] | PortolanError
}
