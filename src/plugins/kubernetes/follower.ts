/** The cluster behind a `kubernetes` plugin: one state and one source, shared by all that read the same cluster. */
import type { Inclusion, KindStatus, SharedCluster, Source } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import { ClusterState } from '../../cluster/state.ts'
import type { Clock } from '../../observe/clock.ts'
import type { SetupContext } from '../../plugin/plugin.ts'
import type { Access, Probe } from '../../sources/apiserver/index.ts'
import { FollowMetrics } from './follow-metrics.ts'
import { alreadyThere, IncludedKind } from './included-kind.ts'
import type { KubernetesOptions } from './options.ts'

/** Where the objects of some kinds come from; `extra` are those that names do not need. */
export type SourceOf = (kinds: readonly Kind[], extra: boolean) => Promise<Source>

export class ClusterFollower implements SharedCluster {
  readonly key: string
  readonly kinds: readonly Kind[]
  readonly state: ClusterState
  readonly synced: Promise<void>
  readonly #source: SourceOf
  readonly #included = new Map<Kind, { readonly kind: IncludedKind; holders: number }>()
  readonly #abort = new AbortController()
  #status: () => readonly KindStatus[] = () => []
  #following: Promise<void> | undefined

  constructor(kinds: readonly Kind[], source: SourceOf, key = '') {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.key = key
    this.kinds = kinds
    this.synced = promise
    this.state = new ClusterState({ kinds, onSynced: resolve })
    this.#source = source
  }

  /** Starts to follow, once; resolves when everything was read. Rejects where that cannot be: then it may be called again. */
  follow(): Promise<void> {
    this.#following ??= this.#source(this.kinds, false)
      .then(source => {
        this.#status = () => source.status?.() ?? []
        return source.follow(this.state, this.#abort.signal)
      })
      .catch(error => {
        this.#following = undefined
        throw error
      })
    return this.#following
  }

  include(kind: Kind): Inclusion {
    if (this.kinds.includes(kind)) return alreadyThere(this.synced)
    const entry = this.#included.get(kind) ?? { kind: this.#includedKind(kind), holders: 0 }
    this.#included.set(kind, entry)
    entry.holders++
    let held = true
    const end = () => {
      if (!held) return
      held = false
      if (--entry.holders > 0) return
      this.#included.delete(kind)
      entry.kind.end()
    }
    return { synced: entry.kind.synced, status: () => entry.kind.status(), end }
  }

  #includedKind(kind: Kind): IncludedKind {
    return new IncludedKind({
      kind,
      into: this.state,
      source: () => this.#source([kind], true),
      closed: this.#abort.signal,
    })
  }

  /** How well each kind is followed that names need; nothing where the source cannot fall behind. */
  status(): readonly KindStatus[] {
    return this.#status()
  }

  /** The same of kinds that were included. */
  statusOfIncluded(): readonly KindStatus[] {
    return [...this.#included.values()].flatMap(({ kind }) => kind.status() ?? [])
  }

  /** Aborts when it is closed. */
  get closed(): AbortSignal {
    return this.#abort.signal
  }

  close(): void {
    this.#abort.abort()
  }
}

/** The follower that a directive needs; the same for directives that say the same of their source. */
export function clusterFollower(options: KubernetesOptions, context: SetupContext): ClusterFollower {
  const exported = context.resources.share('clusters that are followed', () => new FollowMetrics(context.metrics))
  // Whoever explains wants to know more of every object; then it is another cluster than one that is only named.
  const detail = context.block.directives.some(({ name }) => name === 'explain')
  const key = detail ? `${clusterKey(options)} in detail` : clusterKey(options)
  const create = () => {
    const source: SourceOf = async (kinds, extra) => {
      if (context.clusters) return context.clusters(kinds)
      if (options.manifests !== undefined) return manifests(options, options.manifests, { kinds, detail }, context)
      return apiserver(options, { kinds, extra, detail }, context)
    }
    const follower = new ClusterFollower(kindsOf(options), source, key)
    follower.closed.addEventListener(
      'abort',
      exported.add(() => [...follower.status(), ...follower.statusOfIncluded()]),
      { once: true },
    )
    return follower
  }
  return context.resources.share(`cluster ${key}`, create)
}

/** What a directive says of its source, as text. */
export function clusterKey(options: KubernetesOptions): string {
  const { manifests, kubeconfig, endpoint, tls } = options
  if (manifests !== undefined) return JSON.stringify([manifests, rangesOf(options)])
  return JSON.stringify([kubeconfig, endpoint, tls, selectorsOf(options), limitsOf(options), kindsOf(options)])
}

function kindsOf({ manifests, noEndpoints, pods }: KubernetesOptions): Kind[] {
  if (manifests !== undefined) return ['Namespace', 'Service', 'EndpointSlice', 'Pod', 'Node']
  const kinds: Kind[] = ['Namespace', 'Service']
  if (!noEndpoints) kinds.push('EndpointSlice')
  if (pods === 'verified') kinds.push('Pod')
  return kinds
}

async function manifests(
  options: KubernetesOptions,
  path: string,
  wanted: { readonly kinds: readonly Kind[]; readonly detail: boolean },
  { clock, log }: SetupContext,
): Promise<Source> {
  const { manifestsSource } = await import('../../sources/manifests/index.ts')
  return manifestsSource({ path, ...wanted, ...rangesOf(options), clock, log })
}

function rangesOf({ serviceRange, podRange }: KubernetesOptions) {
  return { ...(serviceRange.length > 0 && { serviceRange }), ...(podRange.length > 0 && { podRange }) }
}

async function apiserver(
  options: KubernetesOptions,
  { kinds, extra, detail }: { readonly kinds: readonly Kind[]; readonly extra: boolean; readonly detail: boolean },
  { clock, random, log, metrics }: SetupContext,
): Promise<Source> {
  // Loaded only where it is needed: the client library costs memory and time.
  const { apiserverSource } = await import('../../sources/apiserver/index.ts')
  return apiserverSource({
    ...followedBy(options, kinds),
    ...limitsOf(options),
    detail,
    // What names do not need may be forbidden for good: that is worth a line, not one a minute.
    ...(extra && { quietMs: Number.POSITIVE_INFINITY }),
    clock,
    random,
    log,
    metrics,
  })
}

/** Tries what following the cluster of a directive needs; undefined where it is read from files. */
export async function probeCluster(options: KubernetesOptions, clock: Clock): Promise<Probe | undefined> {
  if (options.manifests !== undefined) return undefined
  const { probe } = await import('../../sources/apiserver/index.ts')
  return probe({ ...followedBy(options, kindsOf(options)), clock })
}

function followedBy(options: KubernetesOptions, kinds: readonly Kind[]) {
  return { access: accessOf(options), kinds, ...selectorsOf(options) }
}

function selectorsOf({ labels, namespaceLabels }: KubernetesOptions) {
  return { labels: labels?.text, namespaceLabels: namespaceLabels?.text }
}

function limitsOf({ qps, burst, maxInflight, selfCheckMs }: KubernetesOptions) {
  return { qps: qps || undefined, burst: burst || undefined, maxInflight: maxInflight || undefined, selfCheckMs }
}

function accessOf({ kubeconfig, endpoint, tls }: KubernetesOptions): Access {
  if (kubeconfig) return { from: 'kubeconfig', ...kubeconfig }
  if (endpoint) return { from: 'endpoint', url: endpoint, tls }
  return { from: 'cluster' }
}
