/** Check of the network policies between the pod, the DNS server and what the name leads to. */
import type { DestinationFacts } from '../explain/destination.ts'
import { destinations } from '../explain/destination.ts'
import { type Check, type Finding, fault, isMissing, kubectl, warning } from './check.ts'
import type { World } from './world.ts'

export const policyCheck: Check = {
  name: 'network policy',
  examine(world: World) {
    const { client, dns, target } = world
    if (isMissing(client)) return client
    const findings: Finding[] = []
    const [ip] = dns.service?.clusterIPs ?? []
    const toDns = (protocol: 'UDP' | 'TCP') =>
      ip === undefined ? [] : destinations(client, ip, { protocol, port: 53 })
    const udp = toDns('UDP').filter(isDenied)
    if (udp.length > 0)
      findings.push(
        fault(`the pod cannot ask the DNS server: ${udp[0]!.why}`, 'every lookup of this pod times out', denials(udp)),
      )
    const tcp = udp.length > 0 ? [] : toDns('TCP').filter(isDenied)
    if (tcp.length > 0)
      findings.push(
        warning(
          `the pod cannot ask the DNS server over TCP: ${tcp[0]!.why}`,
          'answers that are too long for UDP cannot be had',
          denials(tcp),
        ),
      )
    const found = isMissing(target) ? [] : target.destinations
    for (const facts of found) findings.push(...backendFindings(facts))
    const parts = [
      ...(ip === undefined ? [] : ['to the DNS server']),
      ...(found.length > 0 ? ['to what the name leads to'] : []),
    ]
    return { summary: `the pod is let through ${parts.join(' and ')}`, findings }
  },
}

function isDenied({ outcome }: DestinationFacts): boolean {
  return outcome === 'denied'
}

function backendFindings(facts: DestinationFacts): Finding[] {
  if (isDenied(facts))
    return [fault(facts.why, 'packets are dropped without a word: connections time out', denials([facts]))]
  const closed = facts.backends.filter(({ policy }) => !policy.allowed)
  if (closed.length === 0) return []
  const seen = `${closed.length} of ${facts.backends.length} endpoints are denied: ${closed[0]!.policy.why}`
  return [warning(seen, 'some connections time out', denials([facts]))]
}

/** Commands that show the policies that deny. */
function denials(all: readonly DestinationFacts[]): string[] {
  const sides = all.flatMap(({ backends }) => backends.flatMap(({ policy }) => [policy.egress, policy.ingress]))
  const policies = new Set(sides.filter(({ allowed }) => !allowed).flatMap(({ isolatedBy }) => isolatedBy))
  return [...policies].slice(0, 3).map(key => kubectl('describe networkpolicy', key))
}
