/**
 * The names of the cluster as zones of any DNS server: made from the data set by rules of their own, so that they also tell which
 * answers are right.
 */
import { isIPv6 } from 'node:net'
import type { Entry } from './data.ts'
import { reverseName } from './questions.ts'

const ttl = 30
const origin = 'cluster.local'
/** Every address of the data set is in it. */
const reverseOrigin = '10.in-addr.arpa'

type RecordType = 'A' | 'AAAA' | 'SRV' | 'CNAME' | 'PTR'

/** Names, without the closing dot, with the data of their records. */
export type ZoneRecords = ReadonlyMap<string, readonly (readonly [type: RecordType, data: string])[]>

export function zoneRecords(entries: readonly Entry[]): ZoneRecords {
  const records = new Map<string, [RecordType, string][]>()
  const add = (name: string, type: RecordType, data: string): void => {
    const own = records.get(name)
    if (own === undefined) records.set(name, [[type, data]])
    else own.push([type, data])
  }
  const addAddress = (name: string, address: string): void => add(name, isIPv6(address) ? 'AAAA' : 'A', address)
  for (const { name, kind, clusterIPs, target, ports, members } of entries) {
    const full = `${name}.svc.${origin}`
    for (const address of clusterIPs) addAddress(full, address)
    if (clusterIPs.length > 0) add(reverseName(clusterIPs[0]!), 'PTR', `${full}.`)
    if (target !== undefined) add(full, 'CNAME', `${target}.`)
    const ready = kind === 'headless' ? members.filter(member => member.ready) : []
    const ends = ready.flatMap(({ hostname, addresses }) =>
      addresses.map(address => ({ address, owner: `${hostname ?? address.replace(/[.:]/g, '-')}.${full}` })),
    )
    for (const { address, owner } of ends) {
      addAddress(full, address)
      addAddress(owner, address)
      if (!isIPv6(address)) add(reverseName(address), 'PTR', `${owner}.`)
    }
    for (const port of ports) {
      const owner = `_${port.name}._${port.protocol}.${full}`
      // As CoreDNS weighs: each address counts, and a name that has two is told once.
      const weigh = (count: number) => Math.max(1, Math.floor(100 / count))
      if (kind !== 'headless') add(owner, 'SRV', `0 ${weigh(clusterIPs.length || 1)} ${port.number} ${target ?? full}.`)
      for (const host of new Set(ends.map(end => end.owner)))
        add(owner, 'SRV', `0 ${weigh(ends.length)} ${port.target} ${host}.`)
    }
  }
  return records
}

export interface Zone {
  readonly origin: string
  /** As a file (RFC 1035, section 5). */
  readonly text: string
}

export function zonesOf(records: ZoneRecords): Zone[] {
  return [origin, reverseOrigin].map(zone => ({
    origin: zone,
    text: [
      `${zone}. 30 IN SOA ns.dns.${origin}. hostmaster.${origin}. 1 7200 1800 86400 5`,
      `${zone}. 30 IN NS ns.dns.${origin}.`,
      ...(zone === origin ? [`ns.dns.${origin}. 30 IN A 127.0.0.1`] : []),
      ...Array.from(records)
        .filter(([name]) => name.endsWith(`.${zone}`))
        .flatMap(([name, own]) => own.map(([type, data]) => `${name}. ${ttl} IN ${type} ${data}`)),
      '',
    ].join('\n'),
  }))
}
