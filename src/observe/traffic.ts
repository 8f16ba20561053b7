/**
 * Counts queries and replies under the names, labels and buckets of CoreDNS 1.15, which dashboards and alerts ask for. Used by
 * the `prometheus` plugin, and by the server for queries that reach no chain.
 */
import type { Answer } from '../wire/answer.ts'
import { fullSize } from '../wire/finish.ts'
import type { Query } from '../wire/query.ts'
import { rcodeName, Type, typeName } from '../wire/types.ts'
import { type Counter, doubles, type Family, type Histogram, type Metrics } from './metrics.ts'

/** The `zone` label of queries that no server block took. No zone has this name, as it lacks the last dot. */
export const DROPPED = 'dropped'

/** Counts what one server answers for one zone. */
export interface Traffic {
  /**
   * Counts a query and its reply.
   *
   * @param plugin what made the answer; empty for the server itself
   * @param seconds from the query's arrival to its answer
   */
  count(query: Query, answer: Answer, plugin: string, seconds: number): void
}

export interface TrafficMetrics {
  /** `server` is the label of a block (`dns://:53`), `zone` an origin's text or `DROPPED`, `view` the view's name or nothing. */
  of(server: string, zone: string, view?: string): Traffic
}

/** Seconds, up to some 8 s. */
const durationBuckets = doubles(0.00025, 16)
const sizeBuckets = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3]

export function trafficMetrics(metrics: Metrics): TrafficMetrics {
  const zone = ['server', 'zone', 'view']
  const families: Families = {
    requests: metrics.counter(
      'coredns_dns_requests_total',
      'Counter of DNS requests made per zone, protocol and family.',
      [...zone, 'proto', 'family', 'type'],
    ),
    dnssecOk: metrics.counter(
      'coredns_dns_do_requests_total',
      'Counter of DNS requests with DO bit set per zone.',
      zone,
    ),
    durations: metrics.histogram(
      'coredns_dns_request_duration_seconds',
      'Histogram of the time (in seconds) each request took per zone.',
      zone,
      durationBuckets,
    ),
    requestSizes: metrics.histogram(
      'coredns_dns_request_size_bytes',
      'Size of the requests in bytes per zone and protocol.',
      [...zone, 'proto'],
      sizeBuckets,
    ),
    responseSizes: metrics.histogram(
      'coredns_dns_response_size_bytes',
      'Size of the responses in bytes, before truncation.',
      [...zone, 'proto'],
      sizeBuckets,
    ),
    responses: metrics.counter('coredns_dns_responses_total', 'Counter of response status codes.', [
      ...zone,
      'rcode',
      'plugin',
    ]),
  }
  const known = new Map<string, Traffic>()
  return {
    of(server, zoneText, view = '') {
      const key = `${server} ${zoneText} ${view}`
      const traffic = known.get(key) ?? new ZoneTraffic(families, [server, zoneText, view])
      known.set(key, traffic)
      return traffic
    },
  }
}

interface Families {
  readonly requests: Family<Counter>
  readonly dnssecOk: Family<Counter>
  readonly durations: Family<Histogram>
  readonly requestSizes: Family<Histogram>
  readonly responseSizes: Family<Histogram>
  readonly responses: Family<Counter>
}

/** The types that the `type` label names. */
const NAMED: readonly (keyof typeof Type)[] = [
  'A', 'AAAA', 'CNAME', 'DNSKEY', 'DS', 'MX', 'NSEC3', 'NSEC', 'NS', 'PTR', 'RRSIG', 'SOA', 'SRV', 'TXT', 'HTTPS', 'SVCB', 'IXFR', 'AXFR',
  'ANY',
] // biome-ignore format: as a list

/** All other types share this number, which is no type that can be asked for (RFC 6895 section 3.1). */
const OTHER = 0

/** By type, the number it is counted under. */
const countedAs = new Uint8Array(256)
for (const name of NAMED) countedAs[Type[name]] = Type[name]

const PROTOCOLS = ['udp', 'tcp'] as const

/** Children stand in arrays by small numbers, so that counting looks nothing up by text but the plugin. */
class ZoneTraffic implements Traffic {
  readonly #families: Families
  readonly #labels: readonly string[]
  readonly #requests: (Counter | undefined)[] = []
  readonly #sizes: ({ readonly request: Histogram; readonly response: Histogram } | undefined)[] = []
  readonly #responses = new Map<string, (Counter | undefined)[]>()
  #duration: Histogram | undefined
  #dnssecOk: Counter | undefined

  constructor(families: Families, labels: readonly string[]) {
    this.#families = families
    this.#labels = labels
  }

  count(query: Query, answer: Answer, plugin: string, seconds: number): void {
    const { peer } = query
    const tcp = peer.protocol === 'tcp' ? 1 : 0
    const v6 = peer.address.includes(':') ? 1 : 0
    const type = countedAs[query.type] ?? OTHER
    const request = (type << 2) | (tcp << 1) | v6
    const requests = (this.#requests[request] ??= this.#requestCounter(type, tcp, v6))
    requests.add()
    if (query.dnssecOk) (this.#dnssecOk ??= this.#families.dnssecOk.of(...this.#labels)).add()
    const sizes = (this.#sizes[tcp] ??= this.#sizeHistograms(tcp))
    sizes.request.observe(query.packet.length)
    sizes.response.observe(fullSize(query, answer))
    const duration = (this.#duration ??= this.#families.durations.of(...this.#labels))
    duration.observe(seconds)
    let responses = this.#responses.get(plugin)
    if (responses === undefined) this.#responses.set(plugin, (responses = []))
    const response = (responses[answer.rcode] ??= this.#responseCounter(answer.rcode, plugin))
    response.add()
  }

  #requestCounter(type: number, tcp: number, v6: number): Counter {
    const name = type === OTHER ? 'other' : typeName(type)
    return this.#families.requests.of(...this.#labels, PROTOCOLS[tcp]!, v6 ? '2' : '1', name)
  }

  #sizeHistograms(tcp: number) {
    const labels = [...this.#labels, PROTOCOLS[tcp]!]
    return { request: this.#families.requestSizes.of(...labels), response: this.#families.responseSizes.of(...labels) }
  }

  #responseCounter(rcode: number, plugin: string): Counter {
    return this.#families.responses.of(...this.#labels, rcodeName(rcode), plugin)
  }
}
