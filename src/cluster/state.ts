/**
 * The cluster as we know it: the trimmed objects and the indexes over them. Sources write, projections follow, and nobody sees
 * half a change, because a commit is one synchronous stretch. Reading objects and compiling them are left to others.
 */
import { setImmediate } from 'node:timers/promises'
import { PortolanError } from '../errors.ts'
import type { Changes, ClusterWriter, LiveView, Projection, Replacement } from './contract.ts'
import {
  type ClusterObject,
  type EndpointSlice,
  type Key,
  type Kind,
  keyOf,
  type ObjectOf,
  type Pod,
  type Service,
} from './objects.ts'
import { sameContent } from './same.ts'

export interface ClusterStateOptions {
  /** The kinds that must be replaced in full before the state counts as synced; a source's `kinds`. */
  readonly kinds: Iterable<Kind>
  /** Called once, in the synchronous stretch in which the last of the kinds was synced. */
  readonly onSynced?: () => void
  /** How many objects of a replacement are committed in one stretch; default 50. */
  readonly sliceSize?: number
}

/** Compiling the names of as many changed slices of ten endpoints takes some 3 ms. */
const SLICE_SIZE = 50

export class ClusterState implements ClusterWriter, LiveView {
  readonly #objects: { readonly [K in Kind]: Map<Key, ObjectOf<K>> } = {
    Namespace: new Map(),
    Service: new Map(),
    EndpointSlice: new Map(),
    Pod: new Map(),
    Node: new Map(),
    NetworkPolicy: new Map(),
    Ingress: new Map(),
    IngressClass: new Map(),
    Secret: new Map(),
  }
  // The lists in both indexes are never edited: a reader may keep the one it got.
  readonly #slices = new Map<Key, readonly EndpointSlice[]>()
  readonly #pods = new Map<string, readonly Pod[]>()
  readonly #projections = new Set<Projection>()
  readonly #unsynced: Set<Kind>
  readonly #onSynced: () => void
  readonly #sliceSize: number
  #revision = 0
  #draft: Draft | undefined

  constructor({ kinds, onSynced = () => {}, sliceSize = SLICE_SIZE }: ClusterStateOptions) {
    this.#sliceSize = sliceSize
    this.#unsynced = new Set(kinds)
    this.#onSynced = onSynced
  }

  get revision(): number {
    return this.#revision
  }

  get synced(): boolean {
    return this.#unsynced.size === 0
  }

  get<K extends Kind>(kind: K, key: Key): ObjectOf<K> | undefined {
    return this.#objects[kind].get(key)
  }

  list<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#objects[kind].values()
  }

  /** How many objects of a kind there are. */
  size(kind: Kind): number {
    return this.#objects[kind].size
  }

  service(key: Key): Service | undefined {
    return this.#objects.Service.get(key)
  }

  slices(serviceKey: Key): readonly EndpointSlice[] {
    return this.#slices.get(serviceKey) ?? []
  }

  pods(ip: string): readonly Pod[] {
    return this.#pods.get(ip) ?? []
  }

  follow(projection: Projection): () => void {
    projection.rebuild(this)
    this.#projections.add(projection)
    return () => this.#projections.delete(projection)
  }

  upsert(object: ClusterObject): void {
    this.#commit(draft => this.#put(object, draft))
  }

  remove(kind: Kind, key: Key): void {
    this.#commit(draft => this.#drop(kind, key, draft))
  }

  replace(kind: Kind, signal?: AbortSignal): Replacement {
    // Shares the keys: naming them anew would take as much memory as the objects' own.
    const unnamed = new Set(this.#objects[kind].keys())
    return {
      page: objects =>
        this.#inSlices(objects, signal, (object, draft) => {
          unnamed.delete(keyOf(object))
          this.#put(object, draft)
        }),
      done: async () => {
        await this.#inSlices([...unnamed], signal, (key, draft) => this.#drop(kind, key, draft))
        if (this.#unsynced.delete(kind) && this.synced) this.#onSynced()
      },
    }
  }

  /** Each slice is one commit. */
  async #inSlices<T>(items: readonly T[], signal: AbortSignal | undefined, edit: (item: T, draft: Draft) => void) {
    for (let start = 0; start < items.length; start += this.#sliceSize) {
      if (start > 0) await setImmediate()
      signal?.throwIfAborted()
      const slice = items.slice(start, start + this.#sliceSize)
      this.#commit(draft => {
        for (const item of slice) edit(item, draft)
      })
    }
  }

  #commit(edit: (draft: Draft) => void): void {
    if (this.#draft) {
      throw new PortolanError('PORTOLAN_CLUSTER_REENTRY', 'a projection must not write to the cluster state')
    }
    const draft = (this.#draft = new Draft())
    try {
      edit(draft)
      if (!draft.changed) return
      for (const projection of this.#projections) projection.update(this, draft)
      this.#revision++
    } finally {
      this.#draft = undefined
    }
  }

  #put(object: ClusterObject, draft: Draft): void {
    const key = keyOf(object)
    const before = this.#objects[object.kind].get(key)
    // A list repeats everything: what is known already stays, as projections may hold it too.
    if (before && sameContent(before, object)) return
    this.#store(key, object)
    this.#index(before, object)
    draft.note(key, before, object)
  }

  #drop(kind: Kind, key: Key, draft: Draft): void {
    const before = this.#objects[kind].get(key)
    if (!before) return
    this.#objects[kind].delete(key)
    this.#index(before, undefined)
    draft.note(key, before, undefined)
  }

  #store(key: Key, object: ClusterObject): void {
    const objects: Map<Key, ClusterObject> = this.#objects[object.kind]
    objects.set(key, object)
  }

  #index(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    if (before?.kind === 'EndpointSlice') withdraw(this.#slices, serviceKeys(before), before)
    if (after?.kind === 'EndpointSlice') enter(this.#slices, serviceKeys(after), after)
    if (before?.kind === 'Pod') withdraw(this.#pods, before.podIPs, before)
    if (after?.kind === 'Pod') enter(this.#pods, after.podIPs, after)
  }
}

/** What the commit under way has touched so far. */
class Draft implements Changes {
  readonly services = new Set<Key>()
  readonly namespaces = new Set<Key>()
  readonly nodes = new Set<Key>()
  readonly #pods = new Map<Key, Changes['pods'][number]>()
  changed = false

  get pods(): Changes['pods'] {
    return [...this.#pods.values()]
  }

  note(key: Key, before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    this.changed = true
    for (const object of [before, after]) {
      if (object?.kind === 'Namespace') this.namespaces.add(key)
      if (object?.kind === 'Node') this.nodes.add(key)
      if (object?.kind === 'Service') this.services.add(key)
      if (object?.kind === 'EndpointSlice') for (const service of serviceKeys(object)) this.services.add(service)
    }
    if (before?.kind === 'Pod' || after?.kind === 'Pod') {
      const earlier = this.#pods.get(key)
      this.#pods.set(key, { before: earlier ? earlier.before : podOf(before), after: podOf(after) })
    }
  }
}

function podOf(object: ClusterObject | undefined): Pod | undefined {
  return object?.kind === 'Pod' ? object : undefined
}

/** The key of the service that a slice belongs to; none where the label is missing. */
function serviceKeys({ namespace, serviceName }: EndpointSlice): Key[] {
  return serviceName === '' ? [] : [keyOf({ namespace, name: serviceName })]
}

/** Adds an object to its lists, each ordered by key. */
function enter<T extends ClusterObject>(index: Map<string, readonly T[]>, at: readonly string[], object: T): void {
  const key = keyOf(object)
  for (const place of at) {
    const list = index.get(place) ?? []
    const after = list.findIndex(other => keyOf(other) > key)
    index.set(place, after < 0 ? [...list, object] : list.toSpliced(after, 0, object))
  }
}

function withdraw<T extends ClusterObject>(index: Map<string, readonly T[]>, at: readonly string[], object: T): void {
  for (const place of at) {
    const rest = (index.get(place) ?? []).filter(other => other !== object)
    if (rest.length > 0) index.set(place, rest)
    else index.delete(place)
  }
}
