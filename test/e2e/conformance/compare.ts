/**
 * What differs between two replies to one question, by meaning: compression and the order of records do not count, letter case does.
 * Which differences are allowed is left to differences.ts.
 */
import type { Reply } from '../asker.ts'
import {
  decode,
  type Flag,
  flagBits,
  type Message,
  type ResourceRecord,
  type SectionName,
  sectionNames,
  typeName,
  types,
} from '../message.ts'

export type Kind =
  | 'silence'
  | 'malformed'
  | 'opcode'
  | 'rcode'
  | `flag-${Flag}`
  | 'question'
  | 'edns'
  | SectionName
  | 'ttl'
  /** Letter case of an owner name that the question holds, whole or as its end. */
  | 'case'
  /** Letter case of any other name: those in record data, and owners that data leads to. */
  | 'data-case'
  | 'truncation'
  | 'oversize'
  | 'trailing'
  | 'cname-order'

export interface Difference {
  readonly kind: Kind
  readonly detail: string
}

export interface CompareOptions {
  /** Most bytes that the client takes, where that is limited. */
  readonly limit?: number | undefined
  /** Seconds by which TTLs may differ. */
  readonly ttlSlack?: number
  /** The whole answer, against which records of truncated replies are checked. */
  readonly whole?: Message | undefined
}

/** Lists all differences; none means that a client cannot tell the replies apart. */
export function compare(a: Reply, b: Reply, options: CompareOptions = {}): Difference[] {
  const [left, right] = [readReply(a), readReply(b)]
  if (typeof left === 'string' || typeof right === 'string') {
    if (left === right) return []
    const silent = typeof a === 'string' || typeof b === 'string'
    return [{ kind: silent ? 'silence' : 'malformed', detail: both(summary(left), summary(right)) }]
  }
  return compareMessages(left, right, options)
}

export function readReply(reply: Reply): Message | string {
  return typeof reply === 'string' ? reply : decode(reply)
}

/** True when both replies were cut, so that the whole answer is needed to judge them. */
export function bothTruncated(a: Reply, b: Reply): boolean {
  return [a, b].every(
    reply => typeof reply !== 'string' && reply.length >= 4 && (reply.readUInt16BE(2) & flagBits.TC) !== 0,
  )
}

function compareMessages(a: Message, b: Message, { limit = 65535, ttlSlack = 0, whole }: CompareOptions): Difference[] {
  const found: Difference[] = []
  const check = (kind: Kind, left: string | number, right: string | number): void => {
    if (left !== right) found.push({ kind, detail: both(left, right) })
  }
  check('opcode', a.opcode, b.opcode)
  check('rcode', a.rcode, b.rcode)
  for (const flag of Object.keys(flagBits) as Flag[]) {
    check(`flag-${flag}`, Number((a.flags & flagBits[flag]) !== 0), Number((b.flags & flagBits[flag]) !== 0))
  }
  check('question', a.questions.join(), b.questions.join())
  check('edns', JSON.stringify(a.edns), JSON.stringify(b.edns))
  check('trailing', a.trailing, b.trailing)
  if (b.size > limit && a.size <= limit) found.push({ kind: 'oversize', detail: both(a.size, b.size) })
  const cut = [a, b].map(message => (message.flags & flagBits.TC) !== 0)
  if (cut[0] && cut[1]) return [...found, ...compareCut(a, b, whole)]
  // One cut and one whole is told by flag-TC alone.
  if (cut[0] || cut[1]) return found
  const asked = (a.questions[0] ?? '').split(' ')[0]!.toLowerCase()
  for (const section of sectionNames) {
    found.push(...compareSections(section, a.sections[section], b.sections[section], asked, ttlSlack))
  }
  check('cname-order', cnameOrder(a.sections.answer), cnameOrder(b.sections.answer))
  return found
}

function compareSections(
  section: SectionName,
  a: readonly ResourceRecord[],
  b: readonly ResourceRecord[],
  asked: string,
  ttlSlack: number,
): Difference[] {
  const [onlyA, onlyB] = [without(a, b), without(b, a)]
  if (onlyA.length > 0 || onlyB.length > 0) {
    return [{ kind: section, detail: `only A: ${listed(onlyA)} | only B: ${listed(onlyB)}` }]
  }
  const found = new Map<Kind, Difference>()
  const note = (kind: Kind, left: ResourceRecord, right: ResourceRecord): void => {
    if (!found.has(kind)) found.set(kind, { kind, detail: `${section}: ${both(shown(left), shown(right))}` })
  }
  const order = (records: readonly ResourceRecord[]): ResourceRecord[] =>
    records.toSorted((x, y) => compareText(meaning(x), meaning(y)) || x.ttl - y.ttl)
  const ledByData = ({ owner }: ResourceRecord): boolean => section === 'additional' || !isTailOf(owner, asked)
  const ordered = order(b)
  order(a).forEach((left, n) => {
    const right = ordered[n]!
    if (Math.abs(left.ttl - right.ttl) > ttlSlack) note('ttl', left, right)
    if (timeless(left) !== timeless(right)) note('data-case', left, right)
    if (left.owner !== right.owner) note(ledByData(left) ? 'data-case' : 'case', left, right)
  })
  return [...found.values()]
}

// Which records survive is the server's choice: about as many have to, and each has to be one of the whole answer.
function compareCut(a: Message, b: Message, whole: Message | undefined): Difference[] {
  const found: Difference[] = []
  const counts = [a.sections.answer.length, b.sections.answer.length] as const
  if (Math.abs(counts[0] - counts[1]) > 1 + Math.max(...counts) * 0.15) {
    found.push({ kind: 'truncation', detail: `answers ${both(...counts)}` })
  }
  const foreign = whole === undefined ? [] : without(b.sections.answer, whole.sections.answer)
  if (foreign.length > 0) found.push({ kind: 'truncation', detail: `only B, not in the whole: ${listed(foreign)}` })
  return found
}

/** The records of `a` that `b` lacks, as multisets. */
function without(a: readonly ResourceRecord[], b: readonly ResourceRecord[]): ResourceRecord[] {
  const left = new Map<string, number>()
  for (const record of b) left.set(meaning(record), (left.get(meaning(record)) ?? 0) + 1)
  return a.filter(record => {
    const count = left.get(meaning(record)) ?? 0
    left.set(meaning(record), count - 1)
    return count <= 0
  })
}

// All but TTL and letter case.
function meaning(record: ResourceRecord): string {
  return `${record.owner.toLowerCase()} ${record.type} ${record.class} ${timeless(record).toLowerCase()}`
}

// The serial of a kubernetes zone's SOA is a clock.
function timeless({ type, data }: ResourceRecord): string {
  return type === types.SOA ? data.replace(/^(ns1?\.dns\.\S+ \S+) \d+/i, '$1 serial') : data
}

// A client that reads answers in order follows a chain only if each alias stands before what it leads to.
function cnameOrder(answers: readonly ResourceRecord[]): string {
  const passed = new Set<string>()
  for (const { owner, type, data } of answers) {
    if (type === types.CNAME && passed.has(data.toLowerCase())) return 'out of order'
    passed.add(owner.toLowerCase())
  }
  return 'in order'
}

function isTailOf(owner: string, asked: string): boolean {
  const lower = owner.toLowerCase()
  return lower === asked || asked.endsWith(`.${lower}`) || lower === '.'
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function summary(reply: Message | string): string {
  return typeof reply === 'string' ? reply : `a reply with rcode ${reply.rcode}`
}

function both(a: string | number, b: string | number): string {
  return `A ${a} | B ${b}`
}

function listed(records: readonly ResourceRecord[]): string {
  const more = records.length > 3 ? ` and ${records.length - 3} more` : ''
  return records.length === 0 ? 'none' : records.slice(0, 3).map(shown).join('; ') + more
}

function shown({ owner, ttl, type, data }: ResourceRecord): string {
  return `${owner} ${ttl} ${typeName(type)} ${data.slice(0, 120)}`
}
