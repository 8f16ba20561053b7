/** What a link of the chain tells of itself, so that answers which do not concern it may be given without it. */
import type { NameKey } from '../wire/name.ts'
import type { CutDraft } from './cut-draft.ts'

export interface Footprint {
  /** The names at which what `declare` says changes; between them, downwards, it stays the same. Absent: it is the same everywhere. */
  suffixes?(): Iterable<NameKey>
  /**
   * Tells `cut` what the link does to queries at and below its suffix, which is one of this or of another link. Only called while
   * the plugin is started; what it says holds until the plugin asks for `republish`.
   */
  declare(cut: CutDraft): void
}

/** Of a link that does nothing to queries, or nothing to answers that may be published (failures never are). */
export const NO_FOOTPRINT: Footprint = { declare: () => undefined }
