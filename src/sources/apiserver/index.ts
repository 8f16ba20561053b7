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
import { Reflector } from './reflector.ts'
import { type ProblemHook, Reports } from './reports.ts'
import { type RequestLimitOptions, RequestLimits } from './request-limits.ts'
import { requestMetrics } from './request-metrics.ts'
import { resourceOf, type Selectors } from './resource.ts'

export type { Access, ClientTls } from './credentials.ts'
export { badAccess } from './credentials.ts'
export { ApiFailure, type Reason } from './failure.ts'
export type { ProblemHook } from './reports.ts'

export interface ApiServerOptions extends Selectors, RequestLimitOptions {
  readonly access: Access
  readonly kinds: readonly Kind[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly onProblem?: ProblemHook
}

/**
 * `follow` rejects with `PORTOLAN_KUBECONFIG` where the configuration names no server or no user; everything else is retried and
 * told through `onProblem` and the log. All namespaces are followed: leaving some out is left to the zone, as in CoreDNS.
 */
export function apiserverSource(options: ApiServerOptions): Source {
  const { kinds } = options
  return {
    name: 'apiserver',
    kinds,
    async follow(into, signal) {
      const credentials = await Credentials.load(options.access, options.clock)
      signal.throwIfAborted()
      const reflect = reflectors(options, credentials, into)
      await Promise.all(kinds.map(kind => reflect(kind, signal)))
    },
  }
}

function reflectors(options: ApiServerOptions, credentials: Credentials, into: ClusterWriter) {
  const { clock, random, log, metrics } = options
  const limits = new RequestLimits(options, clock)
  const requests = requestMetrics(metrics)
  const reports = new Reports(log, clock, options.onProblem)
  const skipped = metrics.counter('portolan_apiserver_objects_skipped_total', 'Objects that could not be used.', [
    'kind',
  ])
  return (kind: Kind, signal: AbortSignal): Promise<void> => {
    const resource = resourceOf(kind, options)
    const connection = new Connection({ resource, credentials, limits, metrics: requests, clock })
    signal.addEventListener('abort', () => connection.close(), { once: true })
    return new Reflector({ resource, connection, into, clock, random, log, reports, skipped: skipped.of(kind) }).follow(
      signal,
    )
  }
}
