/**
 * Measures how long a change of endpoints takes until it is answered: the DNS programming latency of Kubernetes' SIG scalability,
 * under CoreDNS's name.
 */
import type { Changes, ClusterView, Projection } from '../../cluster/contract.ts'
import type { Key } from '../../cluster/objects.ts'
import type { Clock } from '../../observe/clock.ts'
import { doubles, type Family, type Histogram, type Metrics } from '../../observe/metrics.ts'

/** Seconds, up to some 9 minutes. */
const BUCKETS = doubles(0.001, 20)

/** To follow a cluster after the zones do, so that what it measures is answered already. */
export class ProgrammingLatency implements Projection {
  readonly #clock: Clock
  readonly #durations: Family<Histogram>
  /** The latest trigger that was seen, by service. */
  readonly #seen = new Map<Key, number>()

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock
    this.#durations = metrics.histogram(
      'coredns_kubernetes_dns_programming_duration_seconds',
      'Time from a change of endpoints to its answer.',
      ['service_kind'],
      BUCKETS,
    )
  }

  rebuild(view: ClusterView): void {
    this.#seen.clear()
    for (const { namespace, name } of view.list('Service')) this.#see(view, `${namespace}/${name}`)
  }

  update(view: ClusterView, changes: Changes): void {
    for (const key of changes.services) {
      const before = this.#seen.get(key) ?? 0
      const trigger = this.#see(view, key)
      const service = view.service(key)
      if (service === undefined || trigger <= before) continue
      const kind = service.headless ? 'headless_with_selector' : 'cluster_ip'
      this.#durations.of(kind).observe((this.#clock.now() - trigger) / 1000)
    }
  }

  #see(view: ClusterView, key: Key): number {
    const trigger = view.slices(key).reduce((latest, slice) => Math.max(latest, slice.lastChangeTriggerTime), 0)
    if (trigger > 0 && view.service(key) !== undefined) this.#seen.set(key, trigger)
    else this.#seen.delete(key)
    return trigger
  }
}
