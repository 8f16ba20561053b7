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

/**
 * Of the table `nat`: a chain leads only to such that stand before it here, and to nothing that is not here. What is not here may lead
 * anywhere.
 */
const fromTheEnd = [/^KUBE-MARK-MASQ$/, /^KUBE-SEP-/, /^KUBE-SV[CL]-/, /^KUBE-EXT-/, /^KUBE-FW-/]

/**
 * How many chains a transaction may have before it becomes several. For each line iptables-restore (1.8.9, nf_tables) walks a list of all
 * chains of its transaction: 30,000 chains with 87,000 rules take 32 s of CPU time in one, and 1.1 s in transactions of 300.
 */
const mostChains = 300

/** The rules of one table that are to be loaded, and the chains that go. */
class Load {
  readonly #chains: (readonly [name: string, rules: ChainRules])[] = []
  readonly #gone: string[] = []

  /** Makes a chain that has these rules and no others, or has it go. */
  chain(name: string, rules: ChainRules | undefined): void {
    if (rules === undefined) this.#gone.push(name)
    else this.#chains.push([name, rules])
  }

  lines(table: Table, first: readonly string[]): string[] {
    if (this.#chains.length <= mostChains) return transaction(table, this.#chains, first, this.#gone)
    const { true: ends = [], false: rest = [] } = Object.groupBy(this.#chains, ([name]) => `${placeOf(name) >= 0}`)
    // What a chain leads to is there before it, whole; nothing leads to what is new until the last transaction, or one of a chain behind it.
    const ordered = ends.toSorted(([a], [b]) => placeOf(a) - placeOf(b))
    const parts = Array.from({ length: Math.ceil(ordered.length / mostChains) }, (_, i) =>
      ordered.slice(i * mostChains, (i + 1) * mostChains),
    )
    return [...parts.flatMap(part => transaction(table, part)), ...transaction(table, rest, first, this.#gone)]
  }
}

function placeOf(chain: string): number {
  return fromTheEnd.findIndex(pattern => pattern.test(chain))
}

function transaction(
  table: Table,
  chains: readonly (readonly [name: string, rules: ChainRules])[],
  first: readonly string[] = [],
  gone: readonly string[] = [],
): string[] {
  const lines = [
    ...[...chains.map(([name]) => name), ...gone].map(name => `:${name} - [0:0]`),
    ...first,
    ...chains.flatMap(([name, rules]) => rules.map(rule => `-A ${name} ${rule}`)),
    // Rules that lead to them are gone by then.
    ...gone.map(name => `-X ${name}`),
  ]
  return lines.length === 0 ? [] : [`*${table}`, ...lines, 'COMMIT']
}

/** What else is to be done in each table: lines of iptables-restore, which may lead to the chains of the same text. */
export type Further = Readonly<Partial<Record<Table, readonly string[]>>>

/**
 * Text for `iptables-restore --noflush`: gives these chains these rules, and has those go whose rules are undefined. Each table of it is one
 * transaction, or where there are many chains several, in whose order no chain ever leads to one that is not there. Empty where there is
 * nothing to do.
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
