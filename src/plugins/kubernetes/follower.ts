/** The cluster behind a `kubernetes` plugin: one state and one source, shared by all that read the same cluster. */
import type { KindStatus, Source } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import { ClusterState } from '../../cluster/state.ts'
import type { Clock } from '../../observe/clock.ts'
import type { SetupContext } from '../../plugin/plugin.ts'
import type { Access, Probe } from '../../sources/apiserver/index.ts'
import { FollowMetrics } from './follow-metrics.ts'
import type { KubernetesOptions } from './options.ts'

export class ClusterFollower {
  readonly state: ClusterState
  /** Resolves when the state is synced; pending where that never comes. */
  readonly synced: Promise<void>
  readonly #source: () => Promise<Source>
  readonly #abort = new AbortController()
  #status: () => readonly KindStatus[] = () => []
  #following: Promise<void> | undefined

  constructor(kinds: readonly Kind[], source: () => Promise<Source>) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.synced = promise
    this.state = new ClusterState({ kinds, onSynced: resolve })
    this.#source = source
  }

  /** Starts to follow, once; resolves when everything was read. Rejects where that cannot be: then it may be called again. */
  follow(): Promise<void> {
    this.#following ??= this.#source()
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

  /** How well each kind is followed; nothing where the source cannot fall behind. */
  status(): readonly KindStatus[] {
    return this.#status()
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
  const create = () => {
    const follower = new ClusterFollower(kindsOf(options), () =>
      options.manifests === undefined ? apiserver(options, context) : manifests(options, options.manifests, context),
    )
    follower.closed.addEventListener(
      'abort',
      exported.add(() => follower.status()),
      { once: true },
    )
    return follower
  }
  return context.resources.share(`cluster ${clusterKey(options)}`, create)
}

/** What a directive says of its source, as text. */
export function clusterKey(options: KubernetesOptions): string {
  const { manifests, kubeconfig, endpoint, tls } = options
  if (manifests !== undefined) return JSON.stringify([manifests, rangesOf(options)])
  return JSON.stringify([kubeconfig, endpoint, tls, selectorsOf(options), limitsOf(options), kindsOf(options)])
}

function kindsOf({ manifests, noEndpoints, pods }: KubernetesOptions): Kind[] {
  if (manifests !== undefined) return ['Namespace', 'Service', 'EndpointSlice', 'Pod']
  const kinds: Kind[] = ['Namespace', 'Service']
  if (!noEndpoints) kinds.push('EndpointSlice')
  if (pods === 'verified') kinds.push('Pod')
  return kinds
}

async function manifests(options: KubernetesOptions, path: string, { clock, log }: SetupContext): Promise<Source> {
  const { manifestsSource } = await import('../../sources/manifests/index.ts')
  return manifestsSource({ path, ...rangesOf(options), clock, log })
}

function rangesOf({ serviceRange, podRange }: KubernetesOptions) {
  return { ...(serviceRange.length > 0 && { serviceRange }), ...(podRange.length > 0 && { podRange }) }
}

async function apiserver(options: KubernetesOptions, { clock, random, log, metrics }: SetupContext): Promise<Source> {
  // Loaded only where it is needed: the client library costs memory and time.
  const { apiserverSource } = await import('../../sources/apiserver/index.ts')
  return apiserverSource({ ...followedBy(options), ...limitsOf(options), clock, random, log, metrics })
}

/** Tries what following the cluster of a directive needs; undefined where it is read from files. */
export async function probeCluster(options: KubernetesOptions, clock: Clock): Promise<Probe | undefined> {
  if (options.manifests !== undefined) return undefined
  const { probe } = await import('../../sources/apiserver/index.ts')
  return probe({ ...followedBy(options), clock })
}

function followedBy(options: KubernetesOptions) {
  return { access: accessOf(options), kinds: kindsOf(options), ...selectorsOf(options) }
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
