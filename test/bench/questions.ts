/** What the servers are asked: lines of `name TYPE`, as dnsperf reads them, the same at each run. */
import { chance } from '../wire/random.ts'
import { type Entry, namespaces } from './data.ts'

const seed = 3
const domain = 'svc.cluster.local'

/** The A record of every service that has one. */
export function addressQuestions(entries: readonly Entry[]): string[] {
  const known = entries.filter(({ kind }) => kind !== 'ExternalName')
  return shuffled(known.map(({ name }) => `${name}.${domain} A`))
}

/** What clients ask for services: A, AAAA, SRV and PTR, and what their search path makes of a name that is not in their namespace. */
export function mixedQuestions(entries: readonly Entry[]): string[] {
  const { below } = chance(seed)
  return shuffled(
    entries.flatMap(({ name, kind, clusterIPs }) => {
      const [srv, miss, reverse] = [below(100) < 30, below(100) < 50, below(100) < 20]
      const full = `${name}.${domain}`
      return [
        ...(kind === 'ExternalName' ? [] : [`${full} A`, `${full} AAAA`]),
        ...(srv ? [`_http._tcp.${full} SRV`] : []),
        ...(miss ? [`${name}.default.${domain} A`] : []),
        ...(reverse && clusterIPs.length > 0 ? [`${reverseName(clusterIPs[0]!)} PTR`] : []),
      ]
    }),
  )
}

/** Names that do not exist, in namespaces that do. */
export function randomQuestions(): string[] {
  const { below } = chance(seed)
  const line = () => `${hex(below(2 ** 32))}${hex(below(256))}.ns${below(namespaces)}.${domain} A`
  return Array.from({ length: 200_000 }, line)
}

/** Names of pods that `pods insecure` makes of any address. */
export function podQuestions(): string[] {
  const { below } = chance(seed)
  const line = () => `10-${below(256)}-${below(256)}-${below(256)}.ns${below(namespaces)}.pod.cluster.local A`
  return Array.from({ length: 200_000 }, line)
}

/** Names outside the cluster, few enough to stay in any cache. */
export function upstreamQuestions(): string[] {
  return Array.from({ length: 2000 }, (_, n) => `n${n}.cached.bench.test A`)
}

/** Names outside the cluster that no other run asks. */
export function freshQuestions(run: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `n${n}.run${run}.bench.test A`)
}

/** The reverse name of every IPv4 address that an endpoint has. */
export function endpointReverseQuestions(entries: readonly Entry[]): string[] {
  const members = entries.flatMap(entry => entry.members)
  return shuffled(members.map(({ addresses }) => `${reverseName(addresses[0]!)} PTR`))
}

/** Reverse names of addresses that no cluster has: of each of 128 runs others, from 11.0.0.0 to 18.255.255.255. */
export function foreignReverseQuestions(run: number, count: number): string[] {
  return Array.from({ length: Math.min(count, 2 ** 20) }, (_, n) => {
    const address = (11 << 24) + (run % 128) * 2 ** 20 + n
    return `${reverseName([24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.'))} PTR`
  })
}

export function reverseName(address: string): string {
  return `${address.split('.').reverse().join('.')}.in-addr.arpa`
}

function hex(n: number): string {
  return n.toString(16)
}

function shuffled<T>(items: T[]): T[] {
  const { below } = chance(seed)
  for (let i = items.length - 1; i > 0; i--) {
    const chosen = below(i + 1)
    const item = items[i]!
    items[i] = items[chosen]!
    items[chosen] = item
  }
  return items
}
