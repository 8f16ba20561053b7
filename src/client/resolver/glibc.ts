/**
 * The walk of glibc: resolv/res_query.c, what it makes of the answers to a name and which name comes next. How one name is asked for stands
 * in `glibc-exchange.ts`.
 */
import type { Random } from '../../observe/clock.ts'
import { Rcode } from '../../wire/types.ts'
import { type Answers, GlibcExchange, type NoAnswers } from './glibc-exchange.ts'
import { numericHost } from './numeric-host.ts'
import type { ResolverConfig } from './resolver-config.ts'
import {
  type AddressType,
  dotsOf,
  Journal,
  type Outcome,
  queryName,
  type Reply,
  type Stretch,
  type Verdict,
  type Walk,
} from './walk.ts'

const outcomes: Readonly<Record<Exclude<Verdict, 'found'>, Outcome>> = {
  nodata: 'EAI_NODATA',
  nxdomain: 'EAI_NONAME',
  again: 'EAI_AGAIN',
  failed: 'EAI_NONAME',
}

/** Chance decides which server is the first with `rotate`. */
export function* glibcWalk(config: ResolverConfig, name: string, types: readonly AddressType[], random: Random): Walk {
  const journal = new Journal()
  const numeric = numericHost(name)
  if (numeric !== undefined) return journal.result('found', [numeric])
  if (!isHostName(name)) return journal.result('EAI_NONAME')
  const search = new Search(config, journal, types, random)
  const verdict = yield* search.run(name)
  if (verdict === 'again' && types.join() === 'A' && !search.unanswered) return journal.result('EAI_NODATA')
  if (verdict !== 'found') return journal.result(outcomes[verdict])
  // An alias that leads to no address is found, and the search over.
  return search.addresses.length === 0 ? journal.result('EAI_NONAME') : journal.result('found', search.addresses)
}

/** What the library takes for the name of a host. */
function isHostName(name: string): boolean {
  return /^[\w.][\w.-]*$/.test(name) && queryName(name) !== undefined
}

class Search {
  addresses: readonly string[] = []
  readonly #config: ResolverConfig
  readonly #journal: Journal
  readonly #types: readonly AddressType[]
  /** With `no-aaaa`, whoever wants nothing else: the library asks for A, and shows an answer without its records. */
  readonly #blind: boolean
  readonly #exchange: GlibcExchange
  /** Of the last name: why nothing came back, where nothing did. */
  #failure: NoAnswers | undefined

  constructor(config: ResolverConfig, journal: Journal, types: readonly AddressType[], random: Random) {
    this.#config = config
    this.#journal = journal
    this.#types = config.noAaaa ? ['A'] : types
    this.#blind = config.noAaaa && !types.includes('A')
    this.#exchange = new GlibcExchange(this.#blind ? { ...config, edns: false } : config, journal, random)
  }

  /** Whether the last name was a server's silence or absence; only then is a program that wants A alone told to try again. */
  get unanswered(): boolean {
    return this.#failure === 'refused' || this.#failure === 'timeout'
  }

  *run(name: string): Stretch<Verdict> {
    const dots = dotsOf(name)
    const absolute = name.endsWith('.')
    let first: Verdict | undefined
    if (dots >= this.#config.ndots || absolute) {
      first = yield* this.#ask(name, undefined)
      if (first === 'found' || absolute) return first
    }
    const seen = new Set<Verdict>()
    let last: Verdict = first ?? 'nxdomain'
    let rootListed = false
    for (const entry of this.#config.search) {
      const domain = entry.replace(/^\./, '')
      rootListed ||= domain === ''
      last = yield* this.#ask(domain === '' ? name : `${name}.${domain}`, entry)
      if (last === 'found' || this.#failure === 'refused') return last
      const servfail = last === 'again' && this.#exchange.lastRcode === Rcode.SERVFAIL
      if (last !== 'nodata' && last !== 'nxdomain' && !servfail) break
      seen.add(last)
    }
    const tld = dots > 0 || this.#config.search.length === 0 || !this.#config.noTldQuery
    if (tld && first === undefined && !rootListed) {
      last = yield* this.#ask(name, undefined)
      if (last === 'found') return last
    }
    // What the name as it stands came to first; then what says most of the names that were searched.
    return first ?? (['nodata', 'again'] as const).find(verdict => seen.has(verdict)) ?? last
  }

  *#ask(text: string, search: string | undefined): Stretch<Verdict> {
    const name = queryName(text)
    this.#failure = undefined
    const verdict = name === undefined ? 'failed' : yield* this.#verdict(name)
    this.#journal.close(name ?? text, search, verdict)
    return verdict
  }

  *#verdict(name: string): Stretch<Verdict> {
    const answers = yield* this.#exchange.ask(name, this.#types)
    if (typeof answers === 'string') {
      this.#failure = answers
      return 'again'
    }
    const [first, second] = this.#blind ? answers.map(withoutRecords) : answers
    this.addresses = [first, second].flatMap(reply => reply?.addresses ?? [])
    return verdictOf([first, second])
  }
}

/** One answer that says something is enough; otherwise the first that is an error decides. */
function verdictOf([one, two]: Answers): Verdict {
  const [first, second] = [one ?? two!, two ?? one!]
  const says = ({ rcode, answers }: typeof first) => rcode === Rcode.NOERROR && answers > 0
  if (says(first) || says(second)) return 'found'
  switch (first.rcode === Rcode.NOERROR ? second.rcode : first.rcode) {
    case Rcode.NOERROR:
      return 'nodata'
    case Rcode.NXDOMAIN:
      return 'nxdomain'
    case Rcode.SERVFAIL:
      return 'again'
    default:
      return 'failed'
  }
}

function withoutRecords(reply: Reply | undefined): Reply | undefined {
  return reply && { ...reply, answers: 0, addresses: [] }
}
