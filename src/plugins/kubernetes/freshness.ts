/** How well a cluster is followed, all of its kinds together. */
import type { KindStatus } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import { statusText } from '../../cluster/status-text.ts'
import type { Freshness } from '../../plugin/plugin.ts'

export function freshnessOf(status: readonly KindStatus[], sizes: { size(kind: Kind): number }): Freshness {
  return {
    staleMs: Math.max(0, ...status.map(({ staleMs }) => staleMs ?? Number.POSITIVE_INFINITY)),
    lines: status.map(each => statusText(each, sizes.size(each.kind))),
  }
}
