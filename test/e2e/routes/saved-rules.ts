/**
 * Compares what iptables-save says of two kernels by meaning: the same chains with the same rules, in the same order wherever the
 * order can make a difference.
 */

import { ownChain } from '../../../src/routes/render/iptables-names.ts'

/** The rules of each chain, by `table CHAIN`. */
export type SavedRules = ReadonlyMap<string, readonly string[]>

/** Chains that kube-proxy and kubelet keep to see whether somebody has emptied a table. */
const canary = /^KUBE-(PROXY|KUBELET)-CANARY$/

export interface Reading {
  /** False: what comments say is no difference. */
  readonly comments?: boolean
  /** False: chains of services that nothing leads to are no difference. */
  readonly unused?: boolean
}

/** Reads the output of iptables-save. Counters are left out, and chains of the kernel that are empty and accept. */
export function parseSaved(text: string, { comments = true, unused = true }: Reading = {}): SavedRules {
  const chains = new Map<string, Rule[]>()
  const named = new Map<string, Rule[]>()
  let table = ''
  for (const line of text.split('\n')) {
    const [word = '', chain = '', policy = ''] = line.replace(/^:/, ': ').split(' ')
    if (word.startsWith('*')) table = word.slice(1)
    else if (word === ':' && !canary.test(chain)) {
      const rules: Rule[] = []
      chains.set(`${table} ${chain} ${policy}`, rules)
      named.set(`${table} ${chain}`, rules)
    } else if (word === '-A') rulesOf(named, table, chain).push(parseRule(line))
  }
  if (!unused) removeUnused(chains)
  const kept = [...chains].filter(([chain, rules]) => rules.length > 0 || !chain.endsWith(' ACCEPT'))
  return new Map(
    kept.map(([chain, rules]) => [chain, inOrder(rules).map(({ text, meaning }) => (comments ? text : meaning))]),
  )
}

function removeUnused(chains: Map<string, readonly Rule[]>): void {
  for (let removed = true; removed; ) {
    const targets = new Set([...chains.values()].flatMap(rules => rules.map(({ target }) => target)))
    const idle = [...chains.keys()].filter(key => {
      const [, chain = ''] = key.split(' ')
      return ownChain.test(chain) && !targets.has(chain)
    })
    for (const key of idle) chains.delete(key)
    removed = idle.length > 0
  }
}

/** One line for each difference; empty where the two mean the same. */
export function differences(expected: SavedRules, found: SavedRules): string[] {
  const lines: string[] = []
  for (const chain of new Set([...expected.keys(), ...found.keys()])) {
    const [wanted, there] = [expected.get(chain), found.get(chain)]
    if (wanted === undefined) lines.push(`+ chain ${chain}`)
    else if (there === undefined) lines.push(`- chain ${chain}`)
    else lines.push(...differ(wanted, there).map(line => `${line}   (${chain})`))
  }
  return lines
}

function differ(wanted: readonly string[], there: readonly string[]): string[] {
  const missing = without(wanted, there)
  const extra = without(there, wanted)
  if (missing.length + extra.length > 0) return [...missing.map(rule => `- ${rule}`), ...extra.map(rule => `+ ${rule}`)]
  return wanted.flatMap((rule, i) => (rule === there[i] ? [] : `~ ${rule} stands where ${there[i]} is wanted`))
}

/** The rules that the others lack, or have less often. */
function without(rules: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return rules.filter(rule => {
    const at = left.indexOf(rule)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

interface Rule {
  readonly text: string
  /** The same without its comment. */
  readonly meaning: string
  /** Protocol and port, where it asks for both, else `any`: rules of different ports never match one packet. */
  readonly place: string
  /** Where it leads, if anywhere. */
  readonly target: string | undefined
  /** The one address that it asks for. */
  readonly address: string | undefined
}

function rulesOf(named: ReadonlyMap<string, Rule[]>, table: string, chain: string): Rule[] {
  const found = named.get(`${table} ${chain}`)
  if (!found) throw new Error(`a rule of a chain that there is not: ${table} ${chain}`)
  return found
}

/** Options in one order: which of them stands first means nothing. */
function parseRule(line: string): Rule {
  const words = line.match(/"(?:\\.|[^"])*"|\S+/g)!.slice(2)
  const options: string[] = []
  for (const [i, word] of words.entries()) {
    const starts = word === '!' || (word.startsWith('-') && words[i - 1] !== '!')
    if (starts) options.push(word)
    else options.push(`${options.pop()} ${word}`)
  }
  const value = (name: string) => options.find(option => option.startsWith(`${name} `))?.slice(name.length + 1)
  const [protocol, port, address] = [value('-p'), value('--dport'), value('-d')]
  options.sort()
  return {
    text: options.join(' '),
    meaning: options.filter(option => !/^(--comment |-m comment$)/.test(option)).join(' '),
    target: value('-j') ?? value('-g'),
    place: protocol && port ? `${protocol} ${port}` : any,
    address: address && /\/(32|128)$/.test(address) ? address : undefined,
  }
}

/** Sorts rules of which no packet matches two (of different ports, of different addresses at one port), or that mean the same. */
function inOrder(rules: readonly Rule[]): Rule[] {
  const ordered: Rule[] = []
  for (let at = 0; at < rules.length; ) {
    const open = rules[at]!.place === any
    const end = rules.findIndex(({ place }, i) => i > at && (place === any) !== open)
    const run = rules.slice(at, end < 0 ? rules.length : end)
    const places = [...Map.groupBy(run, ({ place }) => place)].sort(([a], [b]) => compare(a, b))
    for (const [, same] of places) ordered.push(...atOnePlace(same))
    at += run.length
  }
  return ordered
}

function atOnePlace(rules: readonly Rule[]): readonly Rule[] {
  const [first] = rules
  if (rules.every(({ meaning }) => meaning === first!.meaning)) return rules.toSorted((a, b) => compare(a.text, b.text))
  if (rules.some(({ address }) => address === undefined)) return rules
  return rules.toSorted((a, b) => compare(a.address!, b.address!))
}

const any = 'any'

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
