/** What a plugin knows of its clients' search lists (resolv.conf(5)), for `autopath @NAME`. */
import type { NameKey } from '../wire/name.ts'
import type { Query } from '../wire/query.ts'

export interface SearchLists {
  /** The first domain of every list is one of these names, or below one. Empty where no list is ever known. */
  readonly domains: readonly NameKey[]
  /**
   * The list of the client that asks, as far as the plugin knows it: the first domain first, never empty. Undefined where the plugin
   * is not certain which client that is, or what its list is. Must be cheap, and give the same array again where it can; called for
   * names within `domains` only.
   */
  of(query: Query): readonly NameKey[] | undefined
}
