/** What a table of nftables is made of, piece by piece: storage (maps and sets), chains, and elements. */
import type { Joining, Part } from './merged.ts'
import { equalTexts } from './stretch.ts'

/** A map or a set. What it is never changes: one of another type has another name. */
export interface Storage {
  readonly kind: 'map' | 'set'
  readonly name: string
  /** `type ipv4_addr . inet_proto : verdict`. */
  readonly type: string
}

export interface Chain {
  readonly kind: 'chain'
  readonly name: string
  /** Of a chain that the kernel calls: `type nat hook output priority -100;`. Never changes. */
  readonly hook: string | undefined
  readonly rules: readonly string[]
  /** Whether many destinations have it, and all of them the same. */
  readonly common: boolean
}

/** An element of a map or set, and what only makes sense with it. */
export interface Element {
  readonly kind: 'element'
  readonly of: string
  readonly key: string
  /** Empty in a set. */
  readonly value: string
  /** What the slots drawn for this key lead to, as elements of another map: `KEY . 0`, `KEY . 1` and so on. */
  readonly slots: { readonly of: string; readonly values: readonly string[] } | undefined
}

export type Item = Storage | Chain | Element

/** Where several destinations claim one key, the first of them has it: nft would refuse all rules otherwise. */
export const firstClaim: Joining<Item> = {
  join: values => values.reduce((first, other) => (other.place < first.place ? other : first)).value,
  equal: (a, b) => a === b || equalItems(a, b),
  alike: item => item.kind === 'map' || item.kind === 'set' || (item.kind === 'chain' && item.common),
}

/** What one destination adds, as it is put together. What it claims twice it has once. */
export class PartDraft implements Part<Item> {
  readonly name: string
  readonly items = new Map<string, Item>()

  constructor(name: string) {
    this.name = name
  }

  storage(kind: Storage['kind'], name: string, type: string): void {
    this.#add(name, { kind, name, type })
  }

  chain(name: string, rules: readonly string[], hook?: string): void {
    this.#add(`chain ${name}`, { kind: 'chain', name, hook, rules, common: false })
  }

  commonChain(name: string, rules: readonly string[]): void {
    this.#add(`chain ${name}`, { kind: 'chain', name, hook: undefined, rules, common: true })
  }

  element(of: string, key: string, value = '', slots?: Element['slots']): void {
    this.#add(`${of} ${key}`, { kind: 'element', of, key, value, slots })
  }

  #add(id: string, item: Item): void {
    if (!this.items.has(id)) this.items.set(id, item)
  }
}

/** An element and those of its slots: the map or set, the key, and the value. */
export function* expanded({
  of,
  key,
  value,
  slots,
}: Element): Iterable<readonly [of: string, key: string, value: string]> {
  yield [of, key, value]
  if (slots === undefined) return
  for (const [slot, target] of slots.values.entries()) yield [slots.of, `${key} . ${slot}`, target]
}

function equalItems(a: Item, b: Item): boolean {
  if (a.kind === 'chain') return b.kind === 'chain' && equalTexts(a.rules, b.rules)
  if (a.kind !== 'element') return a.kind === b.kind
  if (b.kind !== 'element' || a.value !== b.value || a.slots?.of !== b.slots?.of) return false
  return equalTexts(a.slots?.values ?? [], b.slots?.values ?? [])
}
