/**
 * The compiled zones of a cluster, shared by all directives that say the same of them, so that a reload neither compiles them
 * anew nor holds them twice.
 */
import type { Projection } from '../../cluster/contract.ts'
import type { SetupContext } from '../../plugin/plugin.ts'
import { isTableFull } from '../../table/blocks.ts'
import type { ZoneSpace } from '../../table/contract.ts'
import { isWithin, type NameKey } from '../../wire/name.ts'
import { ClusterZones } from '../../zone/cluster-zones.ts'
import { type ClusterFollower, clusterKey } from './follower.ts'
import type { KubernetesOptions } from './options.ts'
import { ProgrammingLatency } from './programming-latency.ts'

export class ServedZones {
  readonly compiled: ClusterZones
  readonly #spaces = new Map<NameKey, ZoneSpace>()
  readonly #follower: ClusterFollower
  readonly #latency: ProgrammingLatency
  readonly #fail: (reason: Error) => void
  #projected = false
  #unfollow: readonly (() => void)[] = []

  constructor(options: KubernetesOptions, follower: ClusterFollower, { clock, metrics, table, server }: SetupContext) {
    this.#follower = follower
    this.#fail = reason => server.fail(reason)
    this.#latency = new ProgrammingLatency(clock, metrics)
    this.compiled = new ClusterZones({
      ...options,
      labels: options.labels?.selector,
      namespaceLabels: options.namespaceLabels?.selector,
      dnsNode: origin => !falls(origin, options),
      now: () => Math.floor(clock.now() / 1000),
      store:
        table &&
        (origin => {
          const space = table.zoneSpace()
          this.#spaces.set(origin, space)
          return space
        }),
    })
  }

  /** Whether the cluster was known in full once, so that there are names. */
  get projected(): boolean {
    return this.#projected
  }

  /** Where the answer table has the names of an origin; undefined where they are in ordinary memory. */
  space(origin: NameKey): ZoneSpace | undefined {
    return this.#spaces.get(origin)
  }

  /**
   * To be called once the cluster is synced: page by page would compile each service twice, once without its endpoints. Throws
   * `PORTOLAN_TABLE_FULL` where the answer table has no room for the names; where it has none for a change the process ends.
   */
  project(): void {
    if (this.#projected) return
    const { state } = this.#follower
    this.#unfollow = [state.follow(this.#kept), state.follow(this.#latency)]
    this.#projected = true
  }

  readonly #kept: Projection = {
    rebuild: view => this.compiled.rebuild(view),
    update: (view, changes) => {
      try {
        this.compiled.update(view, changes)
      } catch (error) {
        // A change comes only once: its names would be missing for good.
        if (!isTableFull(error)) throw error
        this.#fail(error)
      }
    },
  }

  close(): void {
    for (const leave of this.#unfollow) leave()
    this.compiled.close()
  }
}

/** The zones that a directive needs. */
export function servedZones(options: KubernetesOptions, follower: ClusterFollower, context: SetupContext): ServedZones {
  const { origins, ttl, pods, endpointPodNames, noEndpoints, ignoreEmptyService, zonal } = options
  const key = [
    ...[clusterKey(options), origins, origins.map(origin => falls(origin, options))],
    ...[ttl, pods, endpointPodNames, noEndpoints, ignoreEmptyService, zonal],
    ...[[...options.namespaces].sort(), options.labels?.text, options.namespaceLabels?.text],
  ]
  return context.resources.share(`zones ${JSON.stringify(key)}`, () => new ServedZones(options, follower, context))
}

/** Whether some names of a zone go on to the next plugin when they do not exist. */
export function falls(origin: NameKey, { fallthrough }: KubernetesOptions): boolean {
  return fallthrough.some(zone => isWithin(origin, zone) || isWithin(zone, origin))
}
