/**
 * Who may do what with the cluster's state: sources write it, projections follow it, everyone else reads it.
 */
import type { ClusterObject, EndpointSlice, Key, Kind, ObjectOf, Pod, Service } from './objects.ts'

/** Only sources call it. `upsert` and `remove` are committed, and projections updated, before they return. */
export interface ClusterWriter {
  upsert(object: ClusterObject): void
  remove(kind: Kind, key: Key): void
  /**
   * Starts a full replacement of all objects of `kind`; what no page named is removed by `done()`. Both commit in slices, and the
   * event loop goes round between two of them, so that queries need not wait for a large cluster. A first slice is committed before
   * they return. They reject with the signal's reason when it aborts between slices; then nothing more is written.
   */
  replace(kind: Kind, signal?: AbortSignal): Replacement
}

export interface Replacement {
  /** Resolves when all of them are committed. */
  page(objects: readonly ClusterObject[]): Promise<void>
  /** Removes what no page named, then marks the kind as synced; to be called once the last page has resolved. */
  done(): Promise<void>
}

export interface ClusterView {
  /** Moves with each commit. */
  readonly revision: number
  /** True once each followed kind was replaced in full at least once. */
  readonly synced: boolean
  service(key: Key): Service | undefined
  /** The slices whose service-name label names this service (which need not exist), ordered by name. */
  slices(serviceKey: Key): readonly EndpointSlice[]
  /** All pods that carry this address. */
  pods(ip: string): readonly Pod[]
  list<K extends Kind>(kind: K): Iterable<ObjectOf<K>>
  get<K extends Kind>(kind: K, key: Key): ObjectOf<K> | undefined
}

/** A view that can be followed. */
export interface LiveView extends ClusterView {
  /**
   * Rebuilds the projection at once and updates it with each commit from then on, until the returned function is called. A
   * projection must not throw: the error would reach whoever wrote.
   */
  follow(projection: Projection): () => void
}

/** A cluster that somebody follows, and others may make something of: however many read it, it is watched once. */
export interface SharedCluster {
  /** The same text for the same cluster, in the next generation of the configuration too. */
  readonly key: string
  readonly state: LiveView
  /** The kinds that it has from the start. */
  readonly kinds: readonly Kind[]
  /** Resolves when the state is synced; pending where that never comes. */
  readonly synced: Promise<void>
  /**
   * Has another kind followed too, until that is ended; a kind that is followed anyway stays. Nobody else becomes unready by it: where it
   * cannot be read, only those who asked for it lack it. It ends with the last of them.
   */
  include(kind: Kind): Inclusion
}

/** A kind that is followed for somebody. */
export interface Inclusion {
  /** Resolves when it was read in full once; pending where that never comes. */
  readonly synced: Promise<void>
  /** How well it is followed; undefined where the source cannot fall behind, or is not there yet. */
  status(): KindStatus | undefined
  /** Forgets the kind. */
  end(): void
}

/** What one commit touched. Services are named when they or one of their slices changed. */
export interface Changes {
  readonly services: ReadonlySet<Key>
  readonly namespaces: ReadonlySet<Key>
  readonly nodes: ReadonlySet<Key>
  /** Pods as they were and as they are; `before` is absent for a new pod, `after` for a removed one. */
  readonly pods: readonly { before: Pod | undefined; after: Pod | undefined }[]
}

/**
 * Something compiled from the cluster (the zone, the routes). Law: any sequence of `update`s leaves the same result as one
 * `rebuild` of the final state.
 */
export interface Projection {
  rebuild(view: ClusterView): void
  update(view: ClusterView, changes: Changes): void
}

/** Where objects come from. */
export interface Source {
  readonly name: string
  /** The kinds it writes; the view is synced when each was replaced once. */
  readonly kinds: readonly Kind[]
  /**
   * Follows the source until the signal aborts. Resolves after the first full replace of every kind; keeps following after
   * that. Rejects only where retrying cannot help before the first replace (a manifests folder that does not exist).
   */
  follow(into: ClusterWriter, signal: AbortSignal): Promise<void>
  /** How well each kind is followed now; absent where nothing stands between the source and what it reads. */
  status?(): readonly KindStatus[]
}

/** How well a source knows one kind at this moment. */
export interface KindStatus {
  readonly kind: Kind
  /** Whether changes arrive as they are made. */
  readonly following: boolean
  /** Why they do not; undefined where nothing has failed. */
  readonly problem: string | undefined
  /** How long ago what is known was last seen to be what there is; undefined before the first full replace. */
  readonly staleMs: number | undefined
  /** The last comparison of all that is known with all there is; undefined before the first. */
  readonly check: KindCheck | undefined
}

export interface KindCheck {
  readonly ageMs: number
  /** How many objects were not the same; undefined where they could not be compared. */
  readonly differences: number | undefined
}
