/** The cluster behind explanations: what names are made of, and the kinds that only explanations need. */
import type { Inclusion, LiveView, SharedCluster } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import { statusText } from '../../cluster/status-text.ts'
import type { Freshness } from '../../plugin/plugin.ts'

/** Secrets are not among them: a server has no business with any. */
const kinds: readonly Kind[] = ['EndpointSlice', 'Pod', 'Node', 'NetworkPolicy', 'Ingress', 'IngressClass']

export class ExplainedCluster {
  readonly view: LiveView
  readonly #included: readonly (readonly [Kind, Inclusion])[]

  constructor(cluster: SharedCluster) {
    this.view = cluster.state
    this.#included = kinds.map(kind => [kind, cluster.include(kind)])
  }

  /** Kinds that are not known, and why. */
  lacking(): ReadonlyMap<Kind, string> {
    const lacking = new Map<Kind, string>([['Secret', 'a server does not ask for them']])
    for (const [kind, inclusion] of this.#included) {
      const status = inclusion.status()
      if (status === undefined || status.staleMs !== undefined) continue
      lacking.set(kind, status.problem ?? 'they are not known yet')
    }
    return lacking
  }

  freshness(): Freshness {
    const statuses = this.#included.flatMap(([, inclusion]) => inclusion.status() ?? [])
    return { staleMs: 0, lines: statuses.map(status => statusText(status, [...this.view.list(status.kind)].length)) }
  }

  close(): void {
    for (const [, inclusion] of this.#included) inclusion.end()
  }
}
