/**
 * What a zone's options let it see of the cluster: chosen namespaces, and objects chosen by their labels. An API server leaves the
 * latter out already; other sources do not.
 */
import type { ClusterView } from '../cluster/contract.ts'
import type { Selector } from '../cluster/labels.ts'
import type { EndpointSlice, Key, Pod, Service } from '../cluster/objects.ts'

export interface SelectionOptions {
  readonly noEndpoints: boolean
  /** Empty: all. */
  readonly namespaces: ReadonlySet<string>
  /** Which Services, EndpointSlices and Pods there are. */
  readonly labels?: Selector | undefined
  readonly namespaceLabels?: Selector | undefined
}

/** What is seen of one service. */
export interface Shown {
  readonly service: Service | undefined
  /** Also of a service that does not exist. */
  readonly slices: readonly EndpointSlice[]
  /** Whether it has names: its namespace exists and is chosen. */
  readonly exposed: boolean
  /** Whether its addresses have names: that does not ask whether the namespace exists, unless the Corefile lists some (as in CoreDNS). */
  readonly reversed: boolean
}

export const NOTHING: Shown = { service: undefined, slices: [], exposed: false, reversed: false }

const ENDED = new Set(['Succeeded', 'Failed', 'Unknown'])

/** Whether a pod no longer has its address, which somebody else may have by now. */
export function hasEnded({ phase }: Pod): boolean {
  return ENDED.has(phase)
}

export class Selection {
  readonly #options: SelectionOptions
  #view: ClusterView | undefined

  constructor(options: SelectionOptions) {
    this.#options = options
  }

  look(view: ClusterView): void {
    this.#view = view
  }

  of(key: Key): Shown {
    const exposed = this.exposes(namespaceOf(key))
    const reversed = exposed || this.#options.namespaces.size === 0
    return { service: this.service(key), slices: this.slices(key), exposed, reversed }
  }

  service(key: Key): Service | undefined {
    const service = this.#view?.service(key)
    return service && (this.#options.labels?.(service.labels) ?? true) ? service : undefined
  }

  slices(key: Key): readonly EndpointSlice[] {
    const { labels, noEndpoints } = this.#options
    if (noEndpoints || this.#view === undefined) return NOTHING.slices
    const slices = this.#view.slices(key)
    return labels ? slices.filter(slice => labels(slice.labels)) : slices
  }

  exposes(namespace: string): boolean {
    const { namespaces, namespaceLabels } = this.#options
    if (namespaces.size > 0 && !namespaces.has(namespace)) return false
    const object = this.#view?.get('Namespace', namespace)
    return object !== undefined && (namespaceLabels?.(object.labels) ?? true)
  }

  /** The pods that have this address, as it is spelled. */
  pods(ip: string, namespace: string): readonly Pod[] {
    const pods = this.#view?.pods(ip) ?? []
    return pods.filter(pod => pod.namespace === namespace && this.counts(pod))
  }

  counts(pod: Pod): boolean {
    return !pod.terminating && !hasEnded(pod) && (this.#options.labels?.(pod.labels) ?? true)
  }
}

export function namespaceOf(key: Key): string {
  return key.slice(0, key.indexOf('/'))
}
