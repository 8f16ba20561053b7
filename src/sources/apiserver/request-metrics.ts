/** What the requests to the API server cost, under the names that CoreDNS gives these metrics. */
import type { Metrics } from '../../observe/metrics.ts'

/** Prometheus' default buckets, in seconds. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface RequestMetrics {
  /** A request to `host` ended with this status code, or with `<error>`. */
  answered(code: string, host: string): void
  /** How long a whole list request took, its body included. Watches are not observed. */
  took(seconds: number, host: string): void
  /** How long a list request waited for its turn. */
  waited(seconds: number, host: string): void
}

export function requestMetrics(metrics: Metrics): RequestMetrics {
  const prefix = 'coredns_kubernetes_rest_client'
  const requests = metrics.counter(`${prefix}_requests_total`, 'Requests to the API server.', [
    'code',
    'method',
    'host',
  ])
  const duration = metrics.histogram(
    `${prefix}_request_duration_seconds`,
    'Seconds that a list request to the API server took.',
    ['verb', 'host'],
    buckets,
  )
  const rateLimiter = metrics.histogram(
    `${prefix}_rate_limiter_duration_seconds`,
    'Seconds that a list request waited because of apiserver_qps.',
    ['verb', 'host'],
    buckets,
  )
  return {
    answered: (code, host) => requests.of(code, 'GET', host).add(),
    took: (seconds, host) => duration.of('GET', host).observe(seconds),
    waited: (seconds, host) => rateLimiter.of('GET', host).observe(seconds),
  }
}
