/**
 * The cluster as the API server tells it: each kind is listed, then watched, for as long as the server runs. Never gives up: what a
 * retry may cure is reported and tried again.
 */
import type { ClusterWriter, Source } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import type { Clock, Random } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { Connection } from './connection.ts'
import { type Access, Credentials } from './credentials.ts'
import { Inventory } from './inventory.ts'
import { Reflector } from './reflector.ts'
import { type ProblemHook, Reports } from './reports.ts'
import { type RequestLimitOptions, RequestLimits } from './request-limits.ts'
import { requestMetrics } from './request-metrics.ts'
import { resourceOf, type Selectors } from './resource.ts'
import { SelfCheck } from './self-check.ts'

export type { Access, ClientTls } from './credentials.ts'
export { badAccess } from './credentials.ts'
export { ApiFailure, type Reason } from './failure.ts'
export { type Attempt, type Probe, type ProbeOptions, probe } from './probe.ts'
export { readOnce } from './read-once.ts'
export type { ProblemHook } from './reports.ts'

export interface ApiServerOptions extends Selectors, RequestLimitOptions {
  readonly access: Access
  readonly kinds: readonly Kind[]
  /** Whether to keep what only explanations need; default false. */
  readonly detail?: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly onProblem?: ProblemHook
  /** How often what is known is compared with what the API server has, at least; 0 means never. */
  readonly selfCheckMs: number
  /** The same complaint is logged at most this often; default 60,000. */
  readonly quietMs?: number
}

/**
 * `follow` rejects with `PORTOLAN_KUBECONFIG` where the configuration names no server or no user; everything else is retried and
 * told through `onProblem` and the log. All namespaces are followed: leaving some out is left to the zone, as in CoreDNS.
 */
export function apiserverSource(options: ApiServerOptions): Source {
  const { kinds, clock, log } = options
  const reports = new Reports(log, clock, options.onProblem, options.quietMs)
  return {
    name: 'apiserver',
    kinds,
    status: () => reports.status(),
    async follow(into, signal) {
      const credentials = await Credentials.load(options.access, clock)
      signal.throwIfAborted()
      const follow = follower(options, credentials, reports, into)
      await Promise.all(kinds.map(kind => follow(kind, signal)))
    },
  }
}

function follower(options: ApiServerOptions, credentials: Credentials, reports: Reports, into: ClusterWriter) {
  const { clock, random, log, metrics, selfCheckMs, detail = false } = options
  const limits = new RequestLimits(options, clock)
  const requests = requestMetrics(metrics)
  const counts = followMetrics(metrics)
  return async (kind: Kind, signal: AbortSignal): Promise<void> => {
    const resource = resourceOf(kind, options)
    const connect = () => new Connection({ resource, credentials, limits, metrics: requests, clock })
    const connection = connect()
    signal.addEventListener('abort', () => connection.close(), { once: true })
    const common = { resource, clock, random, log, report: reports.of(kind), inventory: new Inventory() }
    const { skipped, relists } = counts
    const reflector = new Reflector({ ...common, connection, into, detail, skipped: skipped.of(kind), relists })
    await reflector.follow(signal)
    if (selfCheckMs === 0) return
    const check = new SelfCheck({ ...common, connect, reflector, periodMs: selfCheckMs, metrics: counts })
    void check.run(signal)
  }
}

function followMetrics(metrics: Metrics) {
  const prefix = 'portolan_apiserver'
  return {
    skipped: metrics.counter(`${prefix}_objects_skipped_total`, 'Objects that could not be used.', ['kind']),
    relists: metrics.counter(`${prefix}_relists_total`, 'Lists after the first one, by what made them necessary.', [
      'kind',
      'reason',
    ]),
    checks: metrics.counter(`${prefix}_self_checks_total`, 'Comparisons of all objects with the API server.', [
      'kind',
      'result',
    ]),
    differences: metrics.counter(`${prefix}_drift_total`, 'Objects that self-checks found not to be as seen.', [
      'kind',
    ]),
  }
}
