/** Exports how well the kinds of all clusters are followed: of several clusters, the one that is followed worst. */
import type { KindStatus } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import type { Family, Gauge, Metrics } from '../../observe/metrics.ts'

type Status = () => readonly KindStatus[]

export class FollowMetrics {
  readonly #staleness: Family<Gauge>
  readonly #following: Family<Gauge>
  readonly #leave: () => void
  readonly #clusters = new Set<Status>()
  #exported: ReadonlySet<Kind> = new Set()

  constructor(metrics: Metrics) {
    this.#staleness = metrics.gauge(
      'portolan_apiserver_staleness_seconds',
      'Seconds since what is known was last seen to be what the API server has.',
      ['kind'],
    )
    this.#following = metrics.gauge(
      'portolan_apiserver_following',
      'Whether changes arrive from the API server as they are made (1) or not (0).',
      ['kind'],
    )
    this.#leave = metrics.gathers(() => this.#gather())
  }

  /** Has a cluster exported until the returned function is called. */
  add(status: Status): () => void {
    this.#clusters.add(status)
    return () => void this.#clusters.delete(status)
  }

  close(): void {
    this.#clusters.clear()
    this.#gather()
    this.#leave()
  }

  #gather(): void {
    const kinds = Map.groupBy(
      [...this.#clusters].flatMap(status => status()),
      ({ kind }) => kind,
    )
    for (const [kind, all] of kinds) {
      this.#following.of(kind).set(all.every(({ following }) => following) ? 1 : 0)
      const ages = all.flatMap(({ staleMs }) => staleMs ?? [])
      if (ages.length > 0) this.#staleness.of(kind).set(Math.max(...ages) / 1000)
    }
    for (const kind of this.#exported) {
      if (kinds.has(kind)) continue
      this.#following.drop(kind)
      this.#staleness.drop(kind)
    }
    this.#exported = new Set(kinds.keys())
  }
}
