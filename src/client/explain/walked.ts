/** The way of a name from the program that asks for it to its addresses, or to where it ends. */
import { isIP } from 'node:net'
import type { ClusterView } from '../../cluster/contract.ts'
import type { Random } from '../../observe/clock.ts'
import { type Family, familyOf } from '../../wire/address.ts'
import { Rcode } from '../../wire/types.ts'
import { rehearsalOf, walkOf } from '../resolver/rehearsal.ts'
import type { Libc, ResolverConfig } from '../resolver/resolver-config.ts'
import type { AddressType, Outcome, Query } from '../resolver/walk.ts'
import { type Meaning, meaningOf } from './meaning.ts'
import { type Answered, type Names, outcomeText, type RecordFacts, replyOf } from './names.ts'

/** One name of the walk. */
export interface StepFacts {
  readonly name: string
  /** The entry of the search list behind it; undefined for the name as it stands. */
  readonly search: string | undefined
  readonly questions: readonly QuestionFacts[]
}

export interface QuestionFacts {
  readonly type: AddressType
  readonly server: string
  /** `NOERROR`, `NODATA`, another response code, or `not asked`. */
  readonly outcome: string
  readonly records: readonly RecordFacts[]
  /** Who made the answer; empty where nobody was asked. */
  readonly plugin: string
  /** The objects of the cluster that it is made of. */
  readonly objects: readonly string[]
  /** Why there is no address; undefined where there is one. */
  readonly why: string | undefined
}

export interface Walked {
  readonly steps: readonly StepFacts[]
  /** `unknown` where a server would have to be asked that is not the cluster's. */
  readonly outcome: Outcome | 'unknown'
  readonly addresses: readonly string[]
  /** Why the outcome is not known: part of a sentence. */
  readonly unknown: string | undefined
}

export interface Walker {
  readonly view: ClusterView
  readonly names: Names
  readonly config: ResolverConfig
  readonly libc: Libc
  /** The addresses at which the cluster's DNS server is reached. */
  readonly servers: ReadonlySet<string>
  /** The client's own addresses. */
  readonly ips: readonly string[]
  readonly random: Random
  /** Whether the name is meant for the cluster: then what other servers would be asked for does not exist there. */
  readonly meant: boolean
}

const types: readonly AddressType[] = ['A', 'AAAA']

export async function walkedBy(walker: Walker, name: string): Promise<Walked> {
  const { config, libc, random } = walker
  const steps = new Map<string, StepFacts & { questions: QuestionFacts[] }>()
  const answers = new Map<string, Answered | string>()
  const rehearsal = rehearsalOf(walkOf(libc, config, name, types, random))
  let step = rehearsal.next()
  while (!step.done) {
    const query = step.value
    const key = `${query.server} ${query.name} ${query.type}`
    const known = answers.get(key)
    const answered = known ?? (await ask(walker, query))
    if (known === undefined) {
      answers.set(key, answered)
      const facts = steps.get(query.name) ?? { name: query.name, search: searched(query.name, name), questions: [] }
      facts.questions.push(questionFacts(walker, query, answered))
      steps.set(query.name, facts)
    }
    if (typeof answered !== 'string' && answered.unasked && walker.meant) {
      step = rehearsal.next(replyOf({ ...answered, rcode: Rcode.NXDOMAIN }, query.type))
      continue
    }
    const unknown = typeof answered === 'string' ? answered : unknownOf(walker, answered, query)
    if (typeof answered === 'string' || unknown !== undefined)
      return { steps: [...steps.values()], outcome: 'unknown', addresses: [], unknown }
    step = rehearsal.next(replyOf(answered, query.type))
  }
  const { outcome, addresses } = step.value
  return { steps: [...steps.values()], outcome, addresses, unknown: undefined }
}

/** Why nobody here can know the answer; undefined where it is known. */
function unknownOf({ names }: Walker, { unasked, error, records }: Answered, { type }: Query): string | undefined {
  if (unasked) return error
  const last = records.at(-1)
  if (names.asksOthers || last?.type !== 'CNAME' || records.some(record => record.type === type)) return undefined
  if (isIP(last.data) !== 0 || names.zones.some(zone => last.data.endsWith(`.${zone}`))) return undefined
  return `it is an alias of ${last.data}, which other servers know`
}

function searched(name: string, asked: string): string | undefined {
  const beginning = `${asked.replace(/\.$/, '')}.`
  return name.startsWith(beginning) ? name.slice(beginning.length) : undefined
}

/** The answer, or why nobody was asked. */
async function ask({ names, servers, ips }: Walker, { name, type, server }: Query): Promise<Answered | string> {
  if (!servers.has(server)) return `${server} is not the cluster's DNS server, and is not asked from here`
  const family: Family = familyOf(server)
  return names.ask(name, type, ips.find(ip => familyOf(ip) === family) ?? ips[0] ?? '0.0.0.0')
}

function questionFacts(walker: Walker, query: Query, answered: Answered | string): QuestionFacts {
  const { name, type, server } = query
  if (typeof answered === 'string')
    return { type, server, outcome: 'not asked', records: [], plugin: '', objects: [], why: answered }
  const { view, names } = walker
  const { records, plugin, error, unasked } = answered
  // Whatever else answers does not do so because of the cluster's objects.
  const meaning: Meaning | undefined = plugin === 'kubernetes' ? meaningOf(view, names.zones, name, type) : undefined
  const has = records.some(record => record.type === type)
  const outcome = outcomeText(answered)
  const taken = walker.meant && unasked ? '; a name of the cluster, so taken as NXDOMAIN' : ''
  const why = has ? undefined : error === undefined ? meaning?.lack : `${error}${taken}`
  return { type, server, outcome, records, plugin, objects: meaning?.objects ?? [], why }
}
