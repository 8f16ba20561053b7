/** Compares rules of iptables with those that should be there. */
import { kubeletChain } from '../render/iptables-frame.ts'
import { ownChain } from '../render/iptables-names.ts'
import type { Finding } from './finding.ts'
import { Owners, referencesOf } from './iptables-owners.ts'
import { type Around, oldName, unknownHash, whyExtra, whyMissing, whyWrong } from './iptables-reasons.ts'
import { Rule, roleOf } from './iptables-rule.ts'
import { leadsTo, readSaved } from './iptables-saved.ts'
import { compareRules, type RuleDifference } from './rule-comparison.ts'
import { ServiceNames } from './service-names.ts'

type Chains = ReadonlyMap<string, readonly string[]>

/** From so many endpoints on kube-proxy removes chains late. */
const manyEndpoints = 1000

/**
 * Compares what iptables-save wrote with rules as `renderIptables` gives them; of one family. Rules in chains that are neither kube-proxy's
 * nor ours are no differences, nor are those that kubelet has. Where only one of the two counts packets (nfacct), counting is no difference.
 * Where the expected rules have none that lead from the kernel's chains, those of the kernel are left alone. `names` tells services
 * where comments are gone.
 */
export function diffIptables(expected: string, saved: string, names?: ServiceNames): Finding[] {
  const [wanted, there] = [readSaved(expected), readSaved(saved)]
  const counting = [expected, saved].every(text => text.includes('--nfacct-name'))
  const none: Chains = new Map()
  return [...wanted].flatMap(([table, chains]) =>
    new TableComparison({ table, wanted: chains, there: there.get(table) ?? none, counting, names }).run(),
  )
}

interface Sides {
  readonly table: string
  readonly wanted: Chains
  readonly there: Chains
  readonly counting: boolean
  readonly names: ServiceNames | undefined
}

class TableComparison {
  readonly #sides: Sides
  readonly #owners: Owners
  readonly #around: Around
  readonly #findings: Finding[] = []
  /** Where rules lead that are missing, and with them perhaps the chain. */
  readonly #lost = new Set<string>()
  readonly #missingChains: string[] = []

  constructor(sides: Sides) {
    const { wanted, there, names } = sides
    this.#sides = sides
    this.#owners = new Owners(wanted, there, names ?? new ServiceNames([]))
    this.#around = {
      endpointOf: chain => this.#owners.endpointOf(chain),
      exists: service => names?.has(service) !== false,
      isOld: chain => names?.ofChain(chain)?.old === true,
    }
  }

  run(): Finding[] {
    for (const [chain, rules] of this.#sides.wanted) this.#compare(chain, rules)
    for (const chain of this.#missingChains) {
      const reported = this.#lost.has(chain)
      if (!reported) this.#add('missing', chain, `:${chain}`, this.#owners.ofChain(chain), 'the chain is missing')
    }
    this.#findOrphans()
    return this.#findings
  }

  #compare(chain: string, wanted: readonly string[]): void {
    const { there, counting } = this.#sides
    const inKernel = !chain.startsWith('KUBE-')
    if (inKernel && wanted.length === 0) return
    const found = there.get(chain) ?? (inKernel ? [] : undefined)
    if (found === undefined) {
      this.#missingChains.push(chain)
      for (const rule of wanted) this.#lose(leadsTo(rule))
    } else if (found.length === 0 && wanted.length > 1 && ownChain.test(chain)) {
      for (const rule of wanted) this.#lose(leadsTo(rule))
      const why = `the chain is empty, and should have ${wanted.length} rules`
      this.#add('missing', chain, `:${chain}`, this.#owners.ofChain(chain), why)
    } else {
      const own = inKernel ? found.filter(rule => this.#isOurs(leadsTo(rule))) : this.#counted(chain, found)
      const [rules, ownRules] = [this.#counted(chain, wanted), own].map(texts =>
        texts.map(text => new Rule(text, counting)),
      )
      const difference = compareRules(rules!, ownRules!, rule => roleOf(chain, rule))
      if (difference !== undefined) this.#report(chain, difference)
    }
  }

  /** Rules that are there to count only are left out where nothing is counted. */
  #counted(chain: string, rules: readonly string[]): readonly string[] {
    if (chain !== 'KUBE-NODEPORTS' || this.#sides.counting) return rules
    return rules.filter(rule => !rule.includes('--nfacct-name'))
  }

  #isOurs(chain: string | undefined): boolean {
    return chain !== undefined && (ownChain.test(chain) || this.#sides.wanted.has(chain))
  }

  #lose(chain: string | undefined): void {
    if (chain !== undefined) this.#lost.add(chain)
  }

  #report(chain: string, { missing, extra, wrong, misplaced, commented }: RuleDifference<Rule>): void {
    const owner = (rule: Rule) => this.#owners.ofRule(chain, rule)
    for (const rule of missing) {
      this.#lose(leadsTo(rule.text))
      this.#add('missing', chain, rule.text, owner(rule), whyMissing(chain, rule, this.#around))
    }
    for (const [found, wanted] of wrong) {
      this.#lose(wanted.target)
      this.#addWrong(chain, found, wanted)
    }
    for (const rule of extra) {
      // Kubelet may have rules of its own there.
      if (chain === kubeletChain) continue
      const { kind, why } = whyExtra(chain, rule, owner(rule), this.#around)
      this.#add(kind, chain, rule.text, owner(rule), why)
    }
    for (const rule of misplaced) this.#addMisplaced(chain, rule)
    const [first] = commented
    if (first !== undefined) {
      const [found, wanted] = first
      const why = `${commented.length} rules have other comments; this one should have "${wanted.comment}"`
      this.#add('comments', chain, found.text, owner(wanted), why, 'note')
    }
  }

  #addWrong(chain: string, found: Rule, wanted: Rule): void {
    const service = this.#owners.ofRule(chain, wanted)
    const why = this.#around.isOld(found.target) ? oldName : whyWrong(found, wanted)
    const { table } = this.#sides
    this.#findings.push({
      kind: 'wrong',
      level: 'fault',
      table,
      chain,
      rule: found.text,
      wanted: wanted.text,
      service,
      why,
    })
  }

  #addMisplaced(chain: string, rule: Rule): void {
    // Whoever puts back a rule that leads to a chain of ours puts it first, and these chains do not depend on each other.
    const level = chain.startsWith('KUBE-') ? 'fault' : 'note'
    const why = 'rules that should be met after it are met before it, or the other way round'
    this.#add('misplaced', chain, rule.text, this.#owners.ofRule(chain, rule), why, level)
  }

  /** Chains that should not be there. Those that some rule leads to are found with that rule. */
  #findOrphans(): void {
    const { there, wanted } = this.#sides
    const extra = [...there.keys()].filter(chain => ownChain.test(chain) && !wanted.has(chain))
    if (extra.length === 0) return
    const references = referencesOf(there)
    const many = [...there.keys()].filter(chain => chain.startsWith('KUBE-SEP-')).length > manyEndpoints
    for (const chain of extra) {
      if (references.has(chain)) continue
      const rules = there.get(chain)!
      const service = this.#owners.ofChain(chain)
      const to = this.#owners.endpointOf(chain)
      const where = to === undefined ? `it has ${rules.length} rules` : `it leads to ${to}`
      const whose = this.#around.isOld(chain) ? `; ${oldName}` : service === undefined ? `; ${unknownHash(chain)}` : ''
      const late = many ? '; kube-proxy removes it late, since there are many endpoints' : ''
      const why = `no rule leads to it; ${where}${whose}${late}`
      this.#add('orphan chain', chain, `:${chain}`, service, why, many ? 'note' : 'fault')
    }
  }

  #add(
    kind: Finding['kind'],
    chain: string,
    rule: string,
    service: string | undefined,
    why: string,
    level: Finding['level'] = 'fault',
  ): void {
    this.#findings.push({ kind, level, table: this.#sides.table, chain, rule, service, why })
  }
}
