/** The cluster behind a `kubernetes` plugin: one state and one source, shared by all that read the same cluster. */
import type { Source } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import { ClusterState } from '../../cluster/state.ts'
import type { SetupContext } from '../../plugin/plugin.ts'
import type { Access } from '../../sources/apiserver/index.ts'
import type { KubernetesOptions } from './options.ts'

export class ClusterFollower {
  readonly state: ClusterState
  /** Settles when the state is synced; rejects where it never will be. */
  readonly synced: Promise<void>
  readonly #source: () => Promise<Source>
  readonly #abort = new AbortController()
  #following: Promise<void> | undefined

  constructor(kinds: readonly Kind[], source: () => Promise<Source>) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.synced = promise
    this.state = new ClusterState({ kinds, onSynced: resolve })
    this.#source = source
  }

  /** Starts to follow, once; resolves when everything was read, and rejects where that cannot be. */
  follow(): Promise<void> {
    this.#following ??= this.#source().then(source => source.follow(this.state, this.#abort.signal))
    return this.#following
  }

  close(): void {
    this.#abort.abort()
  }
}

/** The follower that a directive needs; the same for directives that say the same of their source. */
export function clusterFollower(options: KubernetesOptions, context: SetupContext): ClusterFollower {
  const { manifests, kubeconfig, endpoint, tls, labels, namespaceLabels, qps, burst, maxInflight } = options
  const { clock, random, log, metrics, resources } = context
  if (manifests !== undefined) {
    const kinds: readonly Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod']
    const ranges = {
      ...(options.serviceRange.length > 0 && { serviceRange: options.serviceRange }),
      ...(options.podRange.length > 0 && { podRange: options.podRange }),
    }
    return resources.share(
      `cluster ${JSON.stringify([manifests, ranges])}`,
      () =>
        new ClusterFollower(kinds, async () => {
          const { manifestsSource } = await import('../../sources/manifests/index.ts')
          return manifestsSource({ path: manifests, ...ranges, clock, log })
        }),
    )
  }
  const kinds: Kind[] = ['Namespace', 'Service']
  if (!options.noEndpoints) kinds.push('EndpointSlice')
  if (options.pods === 'verified') kinds.push('Pod')
  const access = accessOf(options)
  const selectors = { labels: labels?.text, namespaceLabels: namespaceLabels?.text }
  const limits = { qps: qps || undefined, burst: burst || undefined, maxInflight: maxInflight || undefined }
  return resources.share(
    `cluster ${JSON.stringify([kubeconfig, endpoint, tls, selectors, limits, kinds])}`,
    () =>
      new ClusterFollower(kinds, async () => {
        // Loaded only where it is needed: the client library costs memory and time.
        const { apiserverSource } = await import('../../sources/apiserver/index.ts')
        return apiserverSource({ access, kinds, ...selectors, ...limits, clock, random, log, metrics })
      }),
  )
}

function accessOf({ kubeconfig, endpoint, tls }: KubernetesOptions): Access {
  if (kubeconfig) return { from: 'kubeconfig', ...kubeconfig }
  if (endpoint) return { from: 'endpoint', url: endpoint, tls }
  return { from: 'cluster' }
}
