/** Check of a resolv.conf: whom it asks, and what makes that slow or wrong. */
import { type Check, type Finding, fault, isMissing, note, some, warning } from './check.ts'
import type { ResolverFacts, World } from './world.ts'

/** More dots than any name of a service has. */
const usualNdots = 5
/** glibc before 2.26 reads no more. */
const oldLimit = 6
const mostServers = 3

export const resolverCheck: Check = {
  name: 'resolv.conf',
  examine(world: World) {
    const { resolver } = world
    if (isMissing(resolver)) return resolver
    const { whose, conf, findings: left } = resolver
    const { nameservers, search, options } = conf
    const findings = [
      ...serverFindings(world, resolver),
      ...left.map(text => leftOut(text)),
      ...optionFindings(resolver),
    ]
    const parts = [
      `asks ${some(nameservers) || 'nobody'}`,
      `search list of ${search.length}`,
      ...(options.length > 0 ? [options.join(' ')] : []),
    ]
    return { summary: `${whose} ${parts.join(', ')}`, findings }
  },
}

/** What the emulation says of a file: what a kubelet leaves out is lost, what is not known may be harmless. */
function leftOut(text: string): Finding {
  if (!text.includes('left out')) return note(text)
  return warning(text, 'pods of old kubelets may have it, those of this one do not', [
    'kubectl explain pod.spec.dnsConfig',
  ])
}

function serverFindings(
  { dns }: World,
  { whose, conf, reason, findings: left, meantForCluster }: ResolverFacts,
): Finding[] {
  const { nameservers } = conf
  const own = dns.service?.clusterIPs ?? []
  // The node's file has them.
  if (nameservers.length === 0 && left.some(text => text.includes('not known'))) return []
  if (nameservers.length === 0)
    return [
      fault(
        `${whose} has no nameserver: ${reason}`,
        'its C library asks the machine itself, where nobody answers',
        ['name a server in dnsConfig.nameservers, or use dnsPolicy ClusterFirst'],
        ['name'],
      ),
    ]
  const findings: Finding[] = []
  if (nameservers.length > mostServers)
    findings.push(warning(`${whose} has ${nameservers.length} nameservers`, 'C libraries read three'))
  const asksCluster = nameservers.some(ip => own.includes(ip) || isNodeLocal(ip))
  if (own.length === 0 || asksCluster) return findings
  const seen = `${whose} asks ${nameservers.join(', ')}, not the cluster's DNS service (${own.join(', ')}): ${reason}`
  if (meantForCluster === false)
    findings.push(warning(seen, 'it knows no name of the cluster', ['dnsPolicy: ClusterFirst']))
  else
    findings.push(
      fault(seen, 'it knows no name of the cluster', ["compare clusterDNS of the node's kubelet with the service"]),
    )
  return findings
}

/** A cache on the node is reached at an address of the link (NodeLocal DNSCache: 169.254.20.10). */
function isNodeLocal(ip: string): boolean {
  return ip.startsWith('169.254.') || /^fe[89ab]/i.test(ip)
}

function optionFindings({ conf, kernel }: ResolverFacts): Finding[] {
  const { search, options } = conf
  const findings: Finding[] = []
  const ndots = Number(options.findLast(option => option.startsWith('ndots:'))?.slice(6) ?? 1)
  if (ndots > usualNdots)
    findings.push(
      warning(
        `ndots:${ndots}`,
        `names with fewer than ${ndots} dots are tried with all ${search.length} entries of the search list first`,
        ['dnsConfig: { options: [{ name: ndots, value: "2" }] }'],
      ),
    )
  if (search.length > oldLimit)
    findings.push(note(`the search list has ${search.length} entries: glibc before 2.26 reads ${oldLimit}`))
  if (kernel !== undefined && isRacy(kernel) && !options.some(option => option.startsWith('single-request')))
    findings.push(
      warning(
        `Linux ${kernel} may lose one of two packets that leave one socket at once, and no single-request-reopen is set`,
        'some lookups take 5 s',
        ['dnsConfig: { options: [{ name: single-request-reopen }] }'],
      ),
    )
  return findings
}

/** Two of the three races of conntrack were mended in Linux 5.0 (4e35c1cb9460, ed07d9a021df). */
function isRacy(kernel: string): boolean {
  const major = Number.parseInt(kernel, 10)
  return major < 5
}
