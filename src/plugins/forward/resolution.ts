/** Looks the host names among the upstreams up, once, when `forward` starts. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { messageOf, PortolanError } from '../../errors.ts'
import { udpUpstream } from '../../net/udp-upstream.ts'
import type { Clock } from '../../observe/clock.ts'
import { nameFromText } from '../../wire/name.ts'
import { makeQuery, OURSELVES } from '../../wire/query.ts'
import { decode } from '../../wire/record.ts'
import { Type } from '../../wire/types.ts'
import { type Destination, distinct } from './destinations.ts'
import type { Resolver } from './options.ts'
import { upstreamQuery } from './upstream-query.ts'

/** How long a resolver may take for one question. */
const TIMEOUT_MS = 2_000

/**
 * The destinations with an address (or several) in place of each host name, each once. Asks `resolvers` in turn, the system
 * where there are none. Rejects with PORTOLAN_FORWARD_RESOLVE where a name has no address.
 */
export async function resolved(
  destinations: readonly Destination[],
  resolvers: readonly Resolver[],
  clock: Clock,
): Promise<Destination[]> {
  const all: Destination[] = []
  for (const destination of destinations) {
    const { host } = destination
    const addresses = isIP(host) ? [host] : await addressesOf(host, resolvers, clock)
    for (const address of addresses) all.push({ ...destination, host: address })
  }
  return distinct(all)
}

async function addressesOf(host: string, resolvers: readonly Resolver[], clock: Clock): Promise<string[]> {
  const failures: unknown[] = []
  const absolute = host.endsWith('.') ? host : `${host}.`
  const ways =
    resolvers.length === 0
      ? // Absolute, so that search domains are not tried; the hosts file of some systems knows names only as they stand there.
        [absolute, host].map(name => () => systemAddresses(name))
      : resolvers.map(resolver => () => resolverAddresses(resolver, absolute, clock))
  for (const way of ways) {
    try {
      const addresses = await way()
      if (addresses.length > 0) return addresses
    } catch (error) {
      failures.push(error)
    }
  }
  const why = failures.length > 0 ? failures.map(messageOf).join('; ') : 'it has no addresses'
  throw new PortolanError('PORTOLAN_FORWARD_RESOLVE', `forward: failed to resolve "${host}": ${why}`, {
    cause: failures[0],
  })
}

async function systemAddresses(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address)
}

/** The A and AAAA records that a resolver has for a name. */
async function resolverAddresses(resolver: Resolver, name: string, clock: Clock): Promise<string[]> {
  const upstream = udpUpstream({ ...resolver, clock })
  const octets = nameFromText(name)!
  const addresses = async (type: number) => {
    const query = makeQuery(octets, type, { peer: OURSELVES })
    const { answer } = await upstream.exchange(upstreamQuery(query), TIMEOUT_MS)
    const records = decode(answer, octets)?.answers ?? []
    return records
      .filter(record => record.type === type)
      .map(({ rdata }) => ipaddr.fromByteArray([...rdata]).toString())
  }
  try {
    const [four, six] = await Promise.allSettled([addresses(Type.A), addresses(Type.AAAA)])
    if (four.status === 'rejected' && six.status === 'rejected') throw four.reason
    return [four, six].flatMap(result => (result.status === 'fulfilled' ? result.value : []))
  } finally {
    upstream.close()
  }
}
