/** Tables of nftables in the form in which two are compared, and how the text is read that our renderers write. */
import type { Comparable } from './rule-comparison.ts'

/** `meaning` is the rule as our renderers write it, without its comment. */
export type NftRule = Comparable

export interface NftChain {
  /** `nat prerouting -100` of a chain that packets come to by themselves; else empty. */
  readonly hook: string
  readonly rules: NftRule[]
}

/** A map or a set. */
export interface NftSet {
  readonly kind: 'map' | 'set'
  /** How long its elements stay, in seconds; 0 for ever. Rules enter those that go. */
  readonly timeout: number
  /** By key, `10.96.0.1 . tcp . 80`; the value of an element of a set is empty. */
  readonly elements: Map<string, string>
}

export interface NftTable {
  readonly sets: Map<string, NftSet>
  readonly chains: Map<string, NftChain>
}

/** By `ip portolan`, its family and its name. */
export type NftTables = Map<string, NftTable>

const opening = {
  table: /^table (ip6?) (\S+) \{$/,
  set: /^(map|set) (\S+) \{ ?(.*?)( \})?$/,
  chain: /^chain (\S+) \{$/,
} as const

/** Reads the text that a renderer made: one rule, one element a line. */
export function readRendered(text: string): NftTables {
  const tables: NftTables = new Map()
  let table: NftTable = { sets: new Map(), chains: new Map() }
  let set: NftSet | undefined
  let chain: string | undefined
  for (const indented of text.split('\n')) {
    const line = indented.trim()
    if (line === '}') set = chain = undefined
    else if (set !== undefined) enterElements(set, line)
    else if (chain !== undefined) enterRule(table, chain, line)
    else if (opening.table.test(line)) {
      const [, family, name] = opening.table.exec(line)!
      table = { sets: new Map(), chains: new Map() }
      tables.set(`${family} ${name}`, table)
    } else if (opening.chain.test(line)) {
      chain = opening.chain.exec(line)![1]!
      table.chains.set(chain, { hook: '', rules: [] })
    } else if (opening.set.test(line)) {
      const [, kind, name, spec = '', closed] = opening.set.exec(line)!
      const timeout = Number(/\btimeout (\d+)s\b/.exec(spec)?.[1] ?? 0)
      set = { kind: kind as NftSet['kind'], timeout, elements: new Map() }
      table.sets.set(name!, set)
      if (closed) set = undefined
    }
  }
  return tables
}

function enterElements({ elements }: NftSet, line: string): void {
  const bare = line.replace(/^elements = \{ /, '').replace(/(?:,| \})$/, '')
  for (const element of bare.split(', ')) {
    const end = element.indexOf(' : ')
    if (end < 0) elements.set(element, '')
    else elements.set(element.slice(0, end), element.slice(end + 3))
  }
}

function enterRule({ chains }: NftTable, name: string, line: string): void {
  const [, type, hook, priority] = /^type (\w+) hook (\w+) priority ([^;]+);/.exec(line) ?? []
  const chain = chains.get(name)!
  if (type !== undefined) chains.set(name, { ...chain, hook: `${type} ${hook} ${priorityOf(priority!)}` })
  else chain.rules.push(ruleOf(line))
}

function ruleOf(line: string): NftRule {
  const [, meaning = line, comment = ''] = /^(.*) comment "([^"]*)"$/.exec(line) ?? []
  return { meaning: inOrder(meaning), comment }
}

/** The same with what stands in braces ordered: nft has an order of its own. */
export function inOrder(meaning: string): string {
  return meaning.replace(/\{ ([^{}]*) \}/g, (_, members: string) => `{ ${members.split(', ').sort().join(', ')} }`)
}

const priorities: Readonly<Record<string, number>> = { dstnat: -100, filter: 0, srcnat: 100 }

/** The number that `dstnat - 10` stands for. */
function priorityOf(text: string): number {
  const [, name = '', sign = '', offset = '0'] = /^([a-z]*) ?([+-]?) ?(\d*)$/.exec(text) ?? []
  return (priorities[name] ?? 0) + Number(`${sign}${offset}`)
}
