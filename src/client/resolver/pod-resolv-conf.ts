/**
 * The resolv.conf that the kubelet has written for a pod, and why it is so. Source: pkg/kubelet/network/dns of Kubernetes 1.34. Where
 * the kubelet leaves the order of options to chance, here they stand in the order in which they were given.
 */
import type { PodDns } from '../../cluster/objects.ts'
import { type ResolvConf, resolvConfLines } from '../../net/resolv-conf.ts'

/** What the kubelet knows when it starts a pod. */
export interface PodSetting {
  readonly namespace: string
  readonly hostNetwork: boolean
  readonly dns: PodDns
  /** The node's file (`resolvConf` of the kubelet's configuration) as text; undefined where it is not known, which reads as an empty one. */
  readonly nodeFile: string | undefined
  /** `clusterDNS` of the kubelet's configuration: addresses. */
  readonly clusterDNS: readonly string[]
  /** `clusterDomain`; empty for none. */
  readonly clusterDomain: string
}

export interface PodResolvConf {
  readonly conf: ResolvConf
  /** In one sentence: which policy, and what it does. */
  readonly reason: string
  /** What was left out, or is not known; a sentence each. */
  readonly findings: readonly string[]
}

const MOST_NAMESERVERS = 3
const MOST_SEARCH_ENTRIES = 32
/** Of the list with the blanks between its entries. */
const LONGEST_SEARCH = 2048
const LONGEST_ENTRY = 253

export function podResolvConf(setting: PodSetting): PodResolvConf {
  const { dns } = setting
  const { conf, reason, usesNode } = base(setting)
  const findings: string[] = []
  if (usesNode && setting.nodeFile === undefined) {
    findings.push("what the node's resolv.conf adds is not known")
  }
  const merged: ResolvConf = {
    nameservers: distinct([...conf.nameservers, ...dns.nameservers]),
    search: distinct([...conf.search, ...dns.searches]),
    options: mergeOptions([...conf.options, ...dns.options]),
  }
  return { conf: fitting(merged, findings), reason, findings }
}

interface Base {
  readonly conf: ResolvConf
  readonly reason: string
  readonly usesNode: boolean
}

/** Whether a pod is meant to ask the cluster's DNS server: on the network of its node, ClusterFirst counts as Default. */
export function asksCluster({ dns, hostNetwork }: Pick<PodSetting, 'dns' | 'hostNetwork'>): boolean {
  return dns.policy === 'ClusterFirstWithHostNet' || (dns.policy === 'ClusterFirst' && !hostNetwork)
}

const nothing: ResolvConf = { nameservers: [], search: [], options: [] }

/** What the policy gives, before dnsConfig adds to it. */
function base({ namespace, hostNetwork, dns, nodeFile, clusterDNS, clusterDomain }: PodSetting): Base {
  const node = nodeConf(nodeFile ?? '')
  const ofNode = (why: string): Base => ({ conf: node, reason: `${why}: the node's resolv.conf`, usesNode: true })
  if (dns.policy === 'None') return { conf: nothing, reason: 'dnsPolicy None: dnsConfig alone', usesNode: false }
  if (dns.policy === 'Default') return ofNode('dnsPolicy Default')
  if (dns.policy === 'ClusterFirst' && hostNetwork)
    return ofNode('dnsPolicy ClusterFirst on the host network, which is Default')
  if (clusterDNS.length === 0) return ofNode(`dnsPolicy ${dns.policy} without a cluster DNS address, which is Default`)
  const own = clusterDomain === '' ? [] : [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
  const search = distinct([...own, ...node.search])
  const conf: ResolvConf = { nameservers: clusterDNS, search, options: ['ndots:5'] }
  return {
    conf,
    reason: `dnsPolicy ${dns.policy}: the cluster's DNS service, and the node's search list after the cluster's`,
    usesNode: true,
  }
}

/** The kubelet's own reading: `domain` is nothing to it, and an entry's last dot is not kept. */
function nodeConf(text: string): ResolvConf {
  const nameservers: string[] = []
  const options: string[] = []
  let search: readonly string[] = []
  for (const { keyword, values } of resolvConfLines(text)) {
    if (keyword === 'nameserver') nameservers.push(...values.slice(0, 1))
    else if (keyword === 'options') options.push(...values)
    else if (keyword === 'search') search = values.filter(entry => entry !== '.').map(entry => entry.replace(/\.$/, ''))
  }
  return { nameservers, search, options: mergeOptions(options) }
}

/** The last of a name counts, at the place of its first. */
function mergeOptions(options: readonly string[]): string[] {
  return [...new Map(options.map(option => [option.split(':')[0], option])).values()]
}

function fitting({ nameservers, search, options }: ResolvConf, findings: string[]): ResolvConf {
  const drop = (dropped: readonly string[], why: string) => {
    if (dropped.length > 0) findings.push(`${dropped.join(', ')}: left out, ${why}`)
  }
  drop(nameservers.slice(MOST_NAMESERVERS), `there may be ${MOST_NAMESERVERS} nameservers`)
  const first = search.slice(0, MOST_SEARCH_ENTRIES)
  drop(search.slice(MOST_SEARCH_ENTRIES), `the search list may have ${MOST_SEARCH_ENTRIES} entries`)
  const [short = [], long = []] = [false, true].map(isLong =>
    first.filter(entry => entry.length > LONGEST_ENTRY === isLong),
  )
  drop(long, `an entry of the search list may have ${LONGEST_ENTRY} characters`)
  const kept = [...short]
  const cut: string[] = []
  while (kept.join(' ').length > LONGEST_SEARCH) cut.unshift(kept.pop()!)
  drop(cut, `the search list may have ${LONGEST_SEARCH} characters`)
  return { nameservers: nameservers.slice(0, MOST_NAMESERVERS), search: kept, options }
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
