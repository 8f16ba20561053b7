/**
 * From a router's server blocks to the directory by which answer threads answer without them. What a link does is said by its
 * footprint, what follows from it in `plugin/cut-draft.ts`.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Counting } from '../observe/traffic-folder.ts'
import { CutDraft } from '../plugin/cut-draft.ts'
import type { Cut, Directory } from '../table/contract.ts'
import { isWithin, type NameKey, ROOT } from '../wire/name.ts'
import type { Router, RunningBlock } from './router.ts'

/**
 * What of `router` may be answered from the table on `address` (as the configuration has it; empty for all addresses): a cut for
 * each name at which some block or link begins to behave differently. `counterOf` is a `TrafficFolder`'s `numberOf`. The plugins
 * must be started. DS questions do not follow it, as they belong to the zone above: the control thread has them all.
 */
export function directoryOf(
  router: Router,
  address: string,
  counterOf: (counting: Counting) => number | undefined,
): Directory {
  const suffixes = new Set<NameKey>([ROOT, ...router.origins])
  for (const { plugins } of router.blocks) {
    for (const { footprint } of plugins) for (const suffix of footprint?.suffixes?.() ?? []) suffixes.add(suffix)
  }
  const cuts: Cut[] = []
  for (const suffix of [...suffixes].sort((a, b) => a.length - b.length)) {
    const cut = cutAt(suffix, router, address).finish(counterOf)
    // Each question is compared with the cuts: one that says what the next longer end of the name says is left out.
    const above = cuts.find(other => isWithin(suffix, other.suffix as NameKey))
    if (above === undefined || !isDeepStrictEqual({ ...above, suffix }, cut)) cuts.unshift(cut)
  }
  return cuts
}

function cutAt(suffix: NameKey, router: Router, address: string): CutDraft {
  const found = router.blockOf(suffix)
  const draft = new CutDraft(suffix, found?.origin ?? suffix, address)
  if (found) passThrough(found.block, draft)
  return draft
}

function passThrough({ plugins }: RunningBlock, draft: CutDraft): void {
  for (const { handle, footprint, current } of plugins) {
    if (footprint) footprint.declare(draft)
    // Before such a link the cache steps aside for some names, and nobody says for which.
    else if (current) draft.ask()
    else if (handle) draft.intercept()
  }
}
