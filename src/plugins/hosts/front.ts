/** The names of the hosts table that a zone behind it would answer as well: these are not answered from the answer table. */
import type { ZoneEntry, ZoneSpace } from '../../table/contract.ts'
import { Below, Verdict } from '../../table/layout.ts'
import { isWithin, isWithinAny, type NameKey } from '../../wire/name.ts'
import type { Table } from './table.ts'

const ASKED: ZoneEntry = { other: Verdict.ASK, below: Below.CLOSED, types: [] }

export class HostsFront {
  readonly names: ZoneSpace
  readonly #zones: readonly NameKey[]
  readonly #shown = new Set<NameKey>()
  #wildcardParents: readonly NameKey[] = []

  /** `zones` are those of the links behind; `names` is filled, and closed in the end. */
  constructor(names: ZoneSpace, zones: readonly NameKey[]) {
    this.names = names
    this.#zones = zones
  }

  /** The names below which wildcards may match. */
  get wildcardParents(): readonly NameKey[] {
    return this.#wildcardParents
  }

  /** Takes over what the table has now; true where its wildcards are others than before. */
  show(table: Table): boolean {
    const wanted = new Set(table.names.filter(key => isWithinAny(key, this.#zones)))
    for (const key of this.#shown) {
      if (wanted.has(key)) continue
      this.names.put(key, undefined)
      this.#shown.delete(key)
    }
    for (const key of wanted) {
      if (!this.#shown.has(key)) this.names.put(key, ASKED)
      this.#shown.add(key)
    }
    this.names.commit()
    const before = this.#wildcardParents
    // A wildcard above a zone matches the zone's own name.
    this.#wildcardParents = table.wildcardParents.filter(parent =>
      this.#zones.some(zone => isWithin(parent, zone) || isWithin(zone, parent)),
    )
    return before.join() !== this.#wildcardParents.join()
  }

  close(): void {
    this.names.close()
  }
}
