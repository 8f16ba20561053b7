/**
 * Counts queries and replies under the names, labels and buckets of CoreDNS 1.15, which dashboards and alerts ask for. Used by
 * the `prometheus` plugin, and by the server for queries that reach no chain.
 */
import {
  COUNTED_TYPES,
  Counted,
  DURATION_BUCKETS,
  SIZE_BUCKETS,
  SIZE_COUNTS,
  Sum,
  sumAt,
  sumsOf,
  Transport,
  typePlace,
  UNITS_PER_SECOND,
} from '../table/counters.ts'
import type { Answer } from '../wire/answer.ts'
import { fullSize } from '../wire/finish.ts'
import { hasIPv6, type Query } from '../wire/query.ts'
import { rcodeName } from '../wire/types.ts'
import type { Counter, Family, Histogram, Metrics } from './metrics.ts'

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
  /** Adds what an answer thread counted: a block of `Counted.WORDS`. */
  add(block: Uint32Array): void
}

export interface TrafficMetrics {
  /** `server` is the label of a block (`dns://:53`), `zone` an origin's text or `DROPPED`, `view` the view's name or nothing. */
  of(server: string, zone: string, view?: string): Traffic
}

/** Seconds, up to some 8 s. */
const durationBuckets = DURATION_BUCKETS.map(units => units / UNITS_PER_SECOND)

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
      SIZE_BUCKETS,
    ),
    responseSizes: metrics.histogram(
      'coredns_dns_response_size_bytes',
      'Size of the responses in bytes, before truncation.',
      [...zone, 'proto'],
      SIZE_BUCKETS,
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

const PROTOCOLS = ['udp', 'tcp'] as const
/** Who makes the answers of the table, by their number in `Counted.RESPONSES`. */
const SOURCES = ['kubernetes', 'cache'] as const
const RCODES = 16

/** Children stand in arrays by small numbers, so that counting looks nothing up by text but the plugin. */
class ZoneTraffic implements Traffic {
  readonly #families: Families
  readonly #labels: readonly string[]
  /** As `Counted.REQUESTS`. */
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
    const v6 = hasIPv6(peer) ? 1 : 0
    this.#requestsOf((typePlace(query.type) << 2) | (tcp << 1) | v6).add()
    if (query.dnssecOk) this.#dnssecOks().add()
    const sizes = this.#sizesOf(tcp)
    sizes.request.observe(query.packet.length)
    sizes.response.observe(fullSize(query, answer))
    this.#durations().observe(seconds)
    this.#responsesOf(plugin, answer.rcode).add()
  }

  add(block: Uint32Array): void {
    for (let i = Counted.REQUESTS; i < Counted.DNSSEC_OK; i++) {
      const count = block[i]!
      if (count > 0) this.#requestsOf(i - Counted.REQUESTS).add(count)
    }
    const dnssecOk = block[Counted.DNSSEC_OK]!
    if (dnssecOk > 0) this.#dnssecOks().add(dnssecOk)
    const sums = sumsOf(block)
    const durations = block.subarray(Counted.DURATIONS, Counted.REQUEST_SIZES)
    if (durations.some(isPositive)) {
      this.#durations().merge(durations, sums[sumAt(0, Sum.DURATIONS)]! / UNITS_PER_SECOND)
    }
    for (const tcp of PROTOCOLS.keys()) {
      const requests = sizeCounts(block, Counted.REQUEST_SIZES, tcp)
      if (!requests.some(isPositive)) continue
      const { request, response } = this.#sizesOf(tcp)
      request.merge(requests, sums[sumAt(0, Sum.REQUEST_SIZES + tcp)]!)
      response.merge(sizeCounts(block, Counted.RESPONSE_SIZES, tcp), sums[sumAt(0, Sum.RESPONSE_SIZES + tcp)]!)
    }
    for (const [source, plugin] of SOURCES.entries()) {
      for (let rcode = 0; rcode < RCODES; rcode++) {
        const count = block[Counted.RESPONSES + source * RCODES + rcode]!
        if (count > 0) this.#responsesOf(plugin, rcode).add(count)
      }
    }
  }

  #requestsOf(request: number): Counter {
    return (this.#requests[request] ??= this.#families.requests.of(
      ...this.#labels,
      PROTOCOLS[request & Transport.TCP4 ? 1 : 0],
      request & Transport.UDP6 ? '2' : '1',
      COUNTED_TYPES[(request >> 2) - 1] ?? 'other',
    ))
  }

  #dnssecOks(): Counter {
    return (this.#dnssecOk ??= this.#families.dnssecOk.of(...this.#labels))
  }

  #durations(): Histogram {
    return (this.#duration ??= this.#families.durations.of(...this.#labels))
  }

  #sizesOf(tcp: number) {
    return (this.#sizes[tcp] ??= {
      request: this.#families.requestSizes.of(...this.#labels, PROTOCOLS[tcp]!),
      response: this.#families.responseSizes.of(...this.#labels, PROTOCOLS[tcp]!),
    })
  }

  #responsesOf(plugin: string, rcode: number): Counter {
    let responses = this.#responses.get(plugin)
    if (responses === undefined) this.#responses.set(plugin, (responses = []))
    return (responses[rcode] ??= this.#families.responses.of(...this.#labels, rcodeName(rcode), plugin))
  }
}

function isPositive(count: number): boolean {
  return count > 0
}

/** The buckets of a protocol, of the size histograms that begin at `at`. */
function sizeCounts(block: Uint32Array, at: number, tcp: number): Uint32Array {
  const start = at + tcp * SIZE_COUNTS
  return block.subarray(start, start + SIZE_COUNTS)
}
