/**
 * The routes of a cluster that is followed, shared by all who serve the same one, so that a reload neither compiles them anew nor cuts
 * off who listens to their changes.
 */
import { setImmediate } from 'node:timers/promises'
import type { ClusterView, Inclusion, LiveView, SharedCluster } from '../../cluster/contract.ts'
import type { Key } from '../../cluster/objects.ts'
import { statusText } from '../../cluster/status-text.ts'
import type { Clock, Random } from '../../observe/clock.ts'
import type { Freshness } from '../../plugin/plugin.ts'
import type { KnownCluster } from '../../routes/facts/cluster.ts'
import { RouteTable } from '../../routes/table.ts'
import { ChangeStreams } from './change-streams.ts'
import { Turns } from './turns.ts'

/** Compiled in one stretch, which takes some 5 ms; then the event loop goes round. */
const SLICE_SIZE = 100

/** That many may ask for a list or for rules at a time. */
const MOST_WAITING = 8

export class ServedRoutes implements KnownCluster {
  readonly state: LiveView
  readonly table = new RouteTable()
  readonly pods: boolean
  readonly streams: ChangeStreams
  /** For answers that take long. */
  readonly turns: Turns
  readonly #nodes: Inclusion
  readonly #slices: Inclusion
  #compiled = false
  #closed = false
  #leave: (() => void) | undefined

  constructor(cluster: SharedCluster, context: { readonly clock: Clock; readonly random: Random }) {
    this.state = cluster.state
    this.pods = cluster.kinds.includes('Pod')
    this.streams = new ChangeStreams(this.table, context)
    this.turns = new Turns(context.clock, MOST_WAITING)
    this.#nodes = cluster.include('Node')
    this.#slices = cluster.include('EndpointSlice')
    void Promise.all([cluster.synced, this.#slices.synced]).then(() => this.#compile())
  }

  /** Whether all routes are known. Nodes may be missing: then answers say so. */
  get known(): boolean {
    return this.#compiled
  }

  get nodeless(): string | undefined {
    const status = this.#nodes.status()
    if (status === undefined || status.staleMs !== undefined) return undefined
    return status.problem === undefined ? 'nodes are not known yet' : `nodes are not known: ${status.problem}`
  }

  freshness(): Freshness {
    const lines = [this.#nodes, this.#slices]
      .flatMap(inclusion => inclusion.status() ?? [])
      .map(status => statusText(status, [...this.state.list(status.kind)].length))
    return { staleMs: 0, lines: [this.#compiled ? 'all routes known' : 'not all routes known yet', ...lines] }
  }

  close(): void {
    this.#closed = true
    this.#leave?.()
    this.#nodes.end()
    this.#slices.end()
    this.streams.close()
  }

  /** In slices: whoever asks for names meanwhile shall not wait. What changes meanwhile is compiled as it changes. */
  async #compile(): Promise<void> {
    if (this.#closed) return
    this.#leave = this.state.follow({
      rebuild: () => undefined,
      update: (view, { services }) => this.#update(view, services),
    })
    const keys = [...this.state.list('Service')].map(({ namespace, name }) => `${namespace}/${name}`)
    for (let start = 0; start < keys.length && !this.#closed; start += SLICE_SIZE) {
      this.#update(this.state, new Set(keys.slice(start, start + SLICE_SIZE)))
      await setImmediate()
    }
    this.#compiled = true
    this.streams.open()
  }

  #update(view: ClusterView, services: ReadonlySet<Key>): void {
    const before = [...services].map(key => [key, this.table.service(key)] as const)
    this.table.update(view, { services })
    const changed = before.filter(([key, compiled]) => this.table.service(key) !== compiled).map(([key]) => key)
    if (changed.length > 0 && this.#compiled) this.streams.changed(changed)
  }
}
