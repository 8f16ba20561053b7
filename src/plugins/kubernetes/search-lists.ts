/** The search lists of pods, as far as they are the cluster's: for `autopath @kubernetes`. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { PodDns } from '../../cluster/objects.ts'
import { positionText } from '../../corefile/errors.ts'
import type { SetupContext } from '../../plugin/plugin.ts'
import type { SearchLists } from '../../plugin/search-lists.ts'
import { isWithin, keyWith, type NameKey, parentOf } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { isReverse } from '../../zone/address.ts'
import { hasEnded } from '../../zone/selection.ts'
import type { KubernetesOptions } from './options.ts'

/** What a `kubernetes` that does not follow pods has to tell. */
const UNKNOWN: SearchLists = { domains: [], of: () => undefined }

/** `isCurrent`: whether changes of pods arrive as they are made. */
export function searchLists(
  { pods, origins }: KubernetesOptions,
  cluster: ClusterView,
  isCurrent: () => boolean,
): SearchLists {
  return pods === 'verified' ? new PodSearchLists(origins, cluster, isCurrent) : UNKNOWN
}

/** Says so where the block's `autopath` asks in vain. */
export function warnOfAutopath({ pods }: KubernetesOptions, { block, log }: SetupContext): void {
  const asking = block.directives.find(({ name, args }) => name === 'autopath' && args.at(-1)?.text === '@kubernetes')
  if (asking === undefined || pods === 'verified') return
  log.warning(`${positionText(asking.at)}: autopath needs \`pods verified\` here: as it stands, it never applies`)
}

const MOST_KNOWN = 1000

class PodSearchLists implements SearchLists {
  readonly domains: readonly NameKey[]
  readonly #cluster: ClusterView
  readonly #isCurrent: () => boolean
  /** Lists that were asked for, by their first domain. */
  readonly #known = new Map<NameKey, readonly NameKey[]>()

  constructor(origins: readonly NameKey[], cluster: ClusterView, isCurrent: () => boolean) {
    this.#cluster = cluster
    this.#isCurrent = isCurrent
    this.domains = origins
      .filter(origin => !isReverse(origin))
      .map(origin => keyWith('svc', origin))
      .sort((a, b) => b.length - a.length)
  }

  of({ key, peer }: Query): readonly NameKey[] | undefined {
    const services = this.domains.find(domain => isWithin(key, domain))
    const namespace = services && this.#isCurrent() ? this.#namespaceAt(peer.address) : undefined
    if (services === undefined || namespace === undefined) return undefined
    const first = keyWith(namespace, services)
    const known = this.#known.get(first)
    if (known) return known
    const list = [first, services, parentOf(services)]
    // Namespaces come and go.
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    this.#known.set(first, list)
    return list
  }

  /**
   * The namespace of the pods at an address that all of them search. Undefined where there are none, and where it is not certain that
   * one of them asks, and how it searches: what runs on the host has the host's address, and a pod that ends gives its own away.
   */
  #namespaceAt(address: string): string | undefined {
    let found: string | undefined
    for (const pod of this.#cluster.pods(address)) {
      if (hasEnded(pod)) continue
      const { namespace, terminating, hostNetwork, dns } = pod
      if (terminating || hostNetwork || !searchesCluster(dns)) return undefined
      if (found !== undefined && found !== namespace) return undefined
      found = namespace
    }
    return found
  }
}

/** Whether the search list is the cluster's and no other. */
function searchesCluster({ policy, searches }: PodDns): boolean {
  return policy === 'ClusterFirst' && searches.length === 0
}
