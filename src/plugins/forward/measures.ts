/** The metrics of `forward`, and which of them belong to one upstream. */
import { type Counter, doubles, type Metrics } from '../../observe/metrics.ts'
import { rcodeName } from '../../wire/types.ts'

/** Seconds, up to some 8 s. */
const BUCKETS = doubles(0.00025, 16)
const PROXY_NAME = 'forward'

export interface Measures {
  /** All upstreams were down. */
  readonly healthcheckBroken: Counter
  readonly maxConcurrentRejects: Counter
  of(to: string): UpstreamMeasures
}

export interface UpstreamMeasures {
  replied(rcode: number, seconds: number): void
  healthcheckFailed(): void
  /** For each way to reach the upstream: told whether a query found an open socket. */
  socket(protocol: 'udp' | 'tcp' | 'tcp-tls' | 'https'): (reused: boolean) => void
}

/**
 * The names are CoreDNS 1.15's, and beside them those of the family `coredns_forward_*` that CoreDNS had before: common alert
 * rules and dashboards still ask for them.
 */
export function measures(metrics: Metrics): Measures {
  const proxy = ['proxy_name', 'to']
  const durations = metrics.histogram(
    'coredns_proxy_request_duration_seconds',
    'Histogram of the time each request took.',
    [...proxy, 'rcode'],
    BUCKETS,
  )
  const failures = metrics.counter(
    'coredns_proxy_healthcheck_failures_total',
    'Counter of the number of failed healthchecks.',
    proxy,
  )
  const hits = metrics.counter(
    'coredns_proxy_conn_cache_hits_total',
    'Counter of connection cache hits per upstream and protocol.',
    [...proxy, 'proto'],
  )
  const misses = metrics.counter(
    'coredns_proxy_conn_cache_misses_total',
    'Counter of connection cache misses per upstream and protocol.',
    [...proxy, 'proto'],
  )
  const oldRequests = metrics.counter('coredns_forward_requests_total', 'Counter of requests made per upstream.', [
    'to',
  ])
  const oldResponses = metrics.counter(
    'coredns_forward_responses_total',
    'Counter of responses received per upstream.',
    ['to', 'rcode'],
  )
  const oldDurations = metrics.histogram(
    'coredns_forward_request_duration_seconds',
    'Histogram of the time each request took.',
    ['to', 'rcode'],
    BUCKETS,
  )
  const oldFailures = metrics.counter(
    'coredns_forward_healthcheck_failures_total',
    'Counter of the number of failed healthchecks.',
    ['to'],
  )
  return {
    healthcheckBroken: metrics
      .counter(
        'coredns_forward_healthcheck_broken_total',
        'Counter of the number of complete failures of the healthchecks.',
        [],
      )
      .of(),
    maxConcurrentRejects: metrics
      .counter(
        'coredns_forward_max_concurrent_rejects_total',
        'Counter of the number of queries rejected because the concurrent queries were at maximum.',
        [],
      )
      .of(),
    of(to) {
      const requests = oldRequests.of(to)
      const failed = [failures.of(PROXY_NAME, to), oldFailures.of(to)]
      const byRcode = new Map<number, { count: Counter; seconds: { observe(value: number): void }[] }>()
      const made = (rcode: number) => {
        const name = rcodeName(rcode)
        const entry = {
          count: oldResponses.of(to, name),
          seconds: [durations.of(PROXY_NAME, to, name), oldDurations.of(to, name)],
        }
        byRcode.set(rcode, entry)
        return entry
      }
      return {
        replied(rcode, seconds) {
          const entry = byRcode.get(rcode) ?? made(rcode)
          requests.add()
          entry.count.add()
          for (const histogram of entry.seconds) histogram.observe(seconds)
        },
        healthcheckFailed() {
          for (const counter of failed) counter.add()
        },
        socket(protocol) {
          const hit = hits.of(PROXY_NAME, to, protocol)
          const miss = misses.of(PROXY_NAME, to, protocol)
          return reused => (reused ? hit : miss).add()
        },
      }
    },
  }
}
