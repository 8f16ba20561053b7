/** The chains of iptables with their rules, and how they are written for iptables-restore: all of them, or those that changed. */
import type { Difference, Joining, Part } from './merged.ts'
import { equalTexts } from './stretch.ts'

export type Table = 'filter' | 'nat'

export const tables: readonly Table[] = ['filter', 'nat']

/** The rules of a chain or of one part of it, each without the `-A CHAIN ` that it is written with. */
export type ChainRules = readonly string[]

/** The rules of several parts stand one behind the other, in the order of the parts: the first that matches counts. */
export const inOrder: Joining<ChainRules> = {
  join: values => values.toSorted((a, b) => a.place - b.place).flatMap(({ value }) => value),
  equal: equalTexts,
  alike: () => false,
}

/** How the key of a chain is put together: chains of both tables may have one name. */
export function keyOfChain(table: Table, chain: string): string {
  return `${table} ${chain}`
}

export class PartDraft implements Part<ChainRules> {
  readonly name: string
  readonly items = new Map<string, string[]>()

  constructor(name: string) {
    this.name = name
  }

  /** Has the chain be there. */
  chain(table: Table, chain: string): string[] {
    const key = keyOfChain(table, chain)
    const known = this.items.get(key)
    if (known !== undefined) return known
    const rules: string[] = []
    this.items.set(key, rules)
    return rules
  }

  add(table: Table, chain: string, rule: string): void {
    this.chain(table, chain).push(rule)
  }
}

/** The rules of one table that are to be loaded, and the chains that go. */
class Load {
  readonly #emptied: string[] = []
  readonly #rules: string[] = []
  readonly #gone: string[] = []

  /** Makes a chain that has these rules and no others, or has it go. */
  chain(name: string, rules: ChainRules | undefined): void {
    this.#emptied.push(`:${name} - [0:0]`)
    for (const rule of rules ?? []) this.#rules.push(`-A ${name} ${rule}`)
    // Rules that lead to it are gone by then.
    if (rules === undefined) this.#gone.push(`-X ${name}`)
  }

  lines(table: Table, first: readonly string[]): string[] {
    const all = [...this.#emptied, ...first, ...this.#rules, ...this.#gone]
    return all.length === 0 ? [] : [`*${table}`, ...all, 'COMMIT']
  }
}

/** What else is to be done in each table: lines of iptables-restore, which may lead to the chains of the same text. */
export type Further = Readonly<Partial<Record<Table, readonly string[]>>>

/**
 * Text for `iptables-restore --noflush`, each table of it one transaction: gives these chains these rules, and has those go whose
 * rules are undefined. Empty where there is nothing to do.
 */
export function restoreText(
  chains: Iterable<readonly [key: string, rules: ChainRules | undefined]>,
  further: Further,
): string {
  const loads = { filter: new Load(), nat: new Load() }
  for (const [key, rules] of chains) {
    const [table, chain] = key.split(' ') as [Table, string]
    loads[table].chain(chain, rules)
  }
  const lines = tables.flatMap(table => loads[table].lines(table, further[table] ?? []))
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

export function changed(differences: ReadonlyMap<string, Difference<ChainRules>>): [string, ChainRules | undefined][] {
  return Array.from(differences, ([key, { after }]) => [key, after])
}
