/** Compares a table of nftables with the one that should be there. */
import type { Finding } from './finding.ts'
import { readListed } from './nftables-listed.ts'
import { NftOwners } from './nftables-owners.ts'
import {
  type NftChain,
  type NftRule,
  type NftSet,
  type NftTable,
  type NftTables,
  readRendered,
} from './nftables-table.ts'
import { compareRules } from './rule-comparison.ts'
import { ServiceNames } from './service-names.ts'

/**
 * Compares what `nft -j list ruleset` wrote with rules as `renderNftables` gives them. Only the tables that the rules make are looked at.
 * Elements that come and go with clients are no differences. `names` tells services: an element of a map has no comment. Throws
 * PORTOLAN_ROUTES_DUMP for what nft did not write.
 */
export function diffNftables(expected: string, savedJson: string, names?: ServiceNames): Finding[] {
  return compareTables(readRendered(expected), readListed(savedJson), names)
}

/** The same of tables that were read. */
export function compareTables(wanted: NftTables, there: NftTables, names?: ServiceNames): Finding[] {
  return [...wanted].flatMap(([name, table]) => {
    const found = there.get(name)
    if (found !== undefined) return new NftComparison(name, table, found, names).run()
    const why = 'the table is missing: no connection is taken'
    return [{ kind: 'missing', level: 'fault', table: name, chain: '', rule: ':', service: undefined, why }]
  })
}

class NftComparison {
  readonly #table: string
  readonly #wanted: NftTable
  readonly #there: NftTable
  readonly #names: ServiceNames | undefined
  readonly #owners: NftOwners
  readonly #findings: Finding[] = []

  constructor(table: string, wanted: NftTable, there: NftTable, names: ServiceNames | undefined) {
    this.#table = table
    this.#wanted = wanted
    this.#there = there
    this.#names = names
    this.#owners = new NftOwners([wanted, there], names ?? new ServiceNames([]))
  }

  run(): Finding[] {
    const { sets, chains } = this.#there
    for (const [name, set] of this.#wanted.sets) this.#compareSet(name, set, sets.get(name))
    for (const [name, chain] of this.#wanted.chains) this.#compareChain(name, chain, chains.get(name))
    for (const [name, set] of sets) if (!this.#wanted.sets.has(name)) this.#addExtraSet(name, set)
    this.#findExtraChains()
    return this.#findings
  }

  #compareSet(name: string, wanted: NftSet, found: NftSet | undefined): void {
    if (found === undefined) {
      this.#add('missing', name, `:${name}`, this.#owners.ofSet(name), `the ${wanted.kind} is missing`)
      if (wanted.elements.size === 0) return
    } else if (found.kind !== wanted.kind || found.timeout !== wanted.timeout) {
      const [rule, should] = [found, wanted].map(
        ({ kind, timeout }) => `${kind}${timeout > 0 ? ` timeout ${timeout}s` : ''}`,
      )
      this.#add('wrong', name, rule!, this.#owners.ofSet(name), `it should be a ${should}`, should)
    }
    // Rules enter the elements of such a set.
    if (wanted.timeout > 0) return
    this.#compareElements(name, wanted.elements, found?.elements ?? new Map())
  }

  #compareElements(name: string, wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): void {
    for (const [key, value] of wanted) {
      const there = found.get(key)
      if (there === value) continue
      const service = this.#owners.ofElement(key, value)
      if (there === undefined) this.#add('missing', name, elementText(key, value), service, whyMissing(name))
      else
        this.#add(
          'wrong',
          name,
          elementText(key, there),
          service,
          `leads to ${there}, should be ${value}`,
          elementText(key, value),
        )
    }
    for (const [key, value] of found) {
      if (wanted.has(key)) continue
      const service = this.#owners.ofElement(key, value)
      const gone = service !== undefined && this.#names?.has(service) === false
      const [kind, why] =
        service === undefined
          ? (['extra', 'no service has this address'] as const)
          : (['stale', gone ? 'there is no such service' : 'it is left of a former state of the service'] as const)
      this.#add(kind, name, elementText(key, value), service, why)
    }
  }

  #addExtraSet(name: string, { kind, elements }: NftSet): void {
    const [first] = elements
    const service = this.#owners.ofSet(name) ?? (first && this.#owners.ofElement(...first))
    const size = elements.size === 1 ? 'one element' : `${elements.size} elements`
    this.#add('stale', name, `:${name}`, service, `the ${kind} of ${size} is of a former state, or of other rules`)
  }

  #compareChain(name: string, wanted: NftChain, found: NftChain | undefined): void {
    const service = this.#owners.ofChain(name)
    if (found === undefined) {
      this.#add('missing', name, `:${name}`, service, 'the chain is missing')
      return
    }
    if (found.hook !== wanted.hook) {
      const should = wanted.hook === '' ? 'should hang on nothing' : `should hang on ${wanted.hook}`
      this.#add('wrong', name, `:${name} ${found.hook}`, service, should, `:${name} ${wanted.hook}`)
    }
    if (found.rules.length === 0 && wanted.rules.length > 1) {
      this.#add(
        'missing',
        name,
        `:${name}`,
        service,
        `the chain is empty, and should have ${wanted.rules.length} rules`,
      )
      return
    }
    const difference = compareRules(wanted.rules, found.rules, roleOf)
    if (difference === undefined) return
    for (const rule of difference.missing) this.#add('missing', name, ruleText(rule), service, 'the rule is missing')
    for (const [rule, should] of difference.wrong)
      this.#add('wrong', name, ruleText(rule), service, 'it says something else', ruleText(should))
    for (const rule of difference.extra)
      this.#add('extra', name, ruleText(rule), service, 'it is of nobody who should write into this chain')
    for (const rule of difference.misplaced)
      this.#add(
        'misplaced',
        name,
        ruleText(rule),
        service,
        'rules that should be met after it are met before it, or the other way round',
      )
    const [first] = difference.commented
    if (first !== undefined) {
      const why = `${difference.commented.length} rules have other comments; this one should have "${first[1].comment}"`
      this.#add('comments', name, ruleText(first[0]), service, why, undefined, 'note')
    }
  }

  #findExtraChains(): void {
    const extra = [...this.#there.chains].filter(([name]) => !this.#wanted.chains.has(name))
    if (extra.length === 0) return
    const targets = targetsOf(this.#there)
    for (const [name, { hook, rules }] of extra) {
      const service = this.#owners.ofChain(name)
      if (hook !== '')
        this.#add('extra', name, `:${name}`, service, `it hangs on ${hook}, and is of nobody who should write here`)
      else if (targets.has(name)) this.#add('stale', name, `:${name}`, service, 'the chain is of a former state')
      else this.#add('orphan chain', name, `:${name}`, service, `nothing leads to it; it has ${rules.length} rules`)
    }
  }

  #add(
    kind: Finding['kind'],
    chain: string,
    rule: string,
    service: string | undefined,
    why: string,
    wanted?: string,
    level: Finding['level'] = 'fault',
  ): void {
    const table = this.#table
    this.#findings.push({ kind, level, table, chain, rule, ...(wanted === undefined ? {} : { wanted }), service, why })
  }
}

function elementText(key: string, value: string): string {
  return value === '' ? key : `${key} : ${value}`
}

function ruleText({ meaning, comment }: NftRule): string {
  return comment === '' ? meaning : `${meaning} comment "${comment}"`
}

/** Rules that choose, or put in an endpoint's address: a chain has one of each at most. */
function roleOf({ meaning }: NftRule): string | undefined {
  if (/^meta l4proto .* dnat /.test(meaning)) return 'dnat'
  return /^numgen .* vmap /.test(meaning) ? 'choice' : undefined
}

/** Which chains rules and elements lead to. */
function targetsOf({ chains, sets }: NftTable): ReadonlySet<string> {
  const targets = new Set<string>()
  const enter = (text: string) => {
    for (const [, target] of text.matchAll(/\b(?:goto|jump) ([^\s,]+)/g)) targets.add(target!)
  }
  for (const { rules } of chains.values()) for (const { meaning } of rules) enter(meaning)
  for (const { elements } of sets.values()) for (const value of new Set(elements.values())) enter(value)
  return targets
}

const lost: Readonly<Record<string, string>> = {
  services: 'connections to it are not taken',
  'node-ports': 'connections to its node port are not taken',
  'refused-services': 'connections are not turned away, though there is no endpoint for them',
  'refused-node-ports': 'connections are not turned away, though there is no endpoint for them',
  'cluster-ips': 'other ports of its address are not refused',
  'cluster-ports': 'what should be masqueraded is not',
  guards: 'its source ranges are open to everybody',
  hairpins: 'an endpoint that reaches itself is not masqueraded',
}

function whyMissing(set: string): string {
  if (/^(node-port-)?endpoints-\d+$/.test(set)) return 'one of its endpoints is not reached'
  return lost[set] ?? 'it is not there'
}
