/**
 * Changes to compiled answers, for plugins that edit what others answered: times to live, the order of records, the spelling of
 * owners. Every function returns a new answer, or the same one where nothing changes; an answer's bytes are never written to.
 */
import { type Answer, ownerEnd } from './answer.ts'
import { decode, encode, hasNames, type Record, type Sections } from './record.ts'
import { HEADER, Type } from './types.ts'

/** Where the type of record `index` stands in the body: behind its owner. */
function typeAt({ body, starts }: Answer, index: number): number {
  return ownerEnd(body, starts[index]!)
}

export function recordType(answer: Answer, index: number): number {
  const at = typeAt(answer, index)
  return (answer.body[at]! << 8) | answer.body[at + 1]!
}

/** Whether a record of the type stands in the authority section. */
export function authorityHas(answer: Answer, type: number): boolean {
  const end = answer.answers + answer.authorities
  for (let i = answer.answers; i < end; i++) if (recordType(answer, i) === type) return true
  return false
}

function readTtl({ body }: Answer, at: number): number {
  return ((body[at]! << 24) | (body[at + 1]! << 16) | (body[at + 2]! << 8) | body[at + 3]!) >>> 0
}

/** The lowest time to live of all records in seconds, or `most` where that is lower still. */
export function lowestTtl(answer: Answer, most: number): number {
  for (let i = answer.starts.length - 2; i >= 0; i--) most = Math.min(most, readTtl(answer, typeAt(answer, i) + 4))
  return most
}

/** The answer with one time to live (seconds) on all records. */
export function withTtl(answer: Answer, ttl: number): Answer {
  let body: Uint8Array | undefined
  for (let i = answer.starts.length - 2; i >= 0; i--) {
    const at = typeAt(answer, i) + 4
    if (readTtl(answer, at) === ttl) continue
    // `slice` would share the octets of a Buffer.
    body ??= new Uint8Array(answer.body)
    body[at] = ttl >>> 24
    body[at + 1] = ttl >>> 16
    body[at + 2] = ttl >>> 8
    body[at + 3] = ttl
  }
  return body === undefined ? answer : { ...answer, body }
}

/**
 * The answer with owners that point at the question spelled out as in `name`, which is the question's name in some letter case:
 * they no longer take the letter case of whoever asks. The same answer where it cannot be taken apart.
 */
export function spelled(answer: Answer, name: Uint8Array): Answer {
  const sections = decode(answer, name)
  return sections === undefined ? answer : encode(sections, name.length, answer)
}

/**
 * The answer with its sections edited as records. Owners come spelled in full, as they are for a question with `name`; those that
 * are the question's name or its end point at the question again. The same answer where it cannot be taken apart.
 */
export function edited(answer: Answer, name: Uint8Array, edit: (sections: Sections) => Sections): Answer {
  const sections = decode(answer, name)
  if (sections === undefined) return answer
  const { answers, authorities, additionals } = edit(sections)
  const pointed = (records: readonly Record[]) => records.map(record => pointing(record, name))
  const records = { answers: pointed(answers), authorities: pointed(authorities), additionals: pointed(additionals) }
  return encode(records, name.length, answer)
}

/**
 * The answer to a question for `target` as one to the same question for `name`, of which `target` is the canonical name: a CNAME stands
 * before the records, where there are some (RFC 1034 section 3.6.2), with the time to live of the first. Undefined where the answer
 * cannot be taken apart.
 */
export function aliased(answer: Answer, target: Uint8Array, name: Uint8Array): Answer | undefined {
  if (isPlain(answer)) return plainAliased(answer, target, name)
  const sections = decode(answer, target)
  if (sections === undefined) return undefined
  const { answers, authorities, additionals } = sections
  const [first] = answers
  const alias = first ? [{ owner: 0, type: Type.CNAME, class: first.class, ttl: first.ttl, rdata: target }] : []
  const pointed = authorities.map(record => pointing(record, name))
  return encode({ answers: [...alias, ...answers], authorities: pointed, additionals }, name.length, answer)
}

/** A pointer to the question's name. */
const QUESTION = 0xc000 | HEADER

/** Whether there are records, all of them answers whose owner is the question's name, and no names in their data. */
function isPlain(answer: Answer): boolean {
  const { body, starts, answers } = answer
  if (answers === 0 || answers !== starts.length - 1) return false
  for (let i = 0; i < answers; i++) {
    const at = starts[i]!
    if (((body[at]! << 8) | body[at + 1]!) !== QUESTION || hasNames((body[at + 2]! << 8) | body[at + 3]!)) return false
  }
  return true
}

/** The same without taking anything apart: most answers are addresses. */
function plainAliased(answer: Answer, target: Uint8Array, name: Uint8Array): Answer {
  const { body, starts } = answer
  // Owner, type, class, time to live and length of the data.
  const fixed = 12
  const size = fixed + target.length
  const longer = new Uint8Array(size + body.length)
  longer.set([QUESTION >> 8, QUESTION & 255, 0, Type.CNAME])
  longer.set(body.subarray(4, 10), 4)
  longer[11] = target.length
  longer.set(target, fixed)
  longer.set(body, size)
  const targetAt = HEADER + name.length + 4 + fixed
  const moved = [0]
  for (const start of starts) moved.push(size + start)
  for (let i = 1; i < moved.length - 1; i++) {
    longer[moved[i]!] = 0xc0 | (targetAt >> 8)
    longer[moved[i]! + 1] = targetAt & 255
  }
  return { ...answer, answers: answer.answers + 1, body: longer, starts: moved, nameLength: name.length }
}

function pointing(record: Record, name: Uint8Array): Record {
  const { owner } = record
  if (typeof owner === 'number' || owner.length > name.length || owner.length === 1) return record
  const start = name.length - owner.length
  let at = 0
  while (at < start) at += name[at]! + 1
  return at === start && Buffer.compare(name.subarray(start), owner) === 0 ? { ...record, owner: start } : record
}

/**
 * Whether the records from index `first` on may change places as bytes: they are addresses, whose owners are spelled out or point
 * to before them all; and as pointers go backwards, no record in front can point at them.
 */
export function isMovable(answer: Answer, first: number): boolean {
  const { body, starts, nameLength } = answer
  // Where the first of them stands in a message; with a longer name than the answer was made for it stands further back still.
  const firstAt = HEADER + nameLength + 4 + starts[first]!
  for (let i = first; i < starts.length - 1; i++) {
    let at = starts[i]!
    while (body[at]! !== 0 && body[at]! < 0xc0) at += body[at]! + 1
    if (body[at]! !== 0 && (((body[at]! & 0x3f) << 8) | body[++at]!) >= firstAt) return false
    const type = (body[at + 1]! << 8) | body[at + 2]!
    if (type !== Type.A && type !== Type.AAAA) return false
  }
  return true
}

/** The answer with record `order[i]` in the place of record `i`; `order` must keep each in its section, and what moves movable. */
export function reordered(answer: Answer, order: ArrayLike<number>): Answer {
  // From the pool: such answers live for one response.
  const body = Buffer.allocUnsafe(answer.body.length)
  let starts: number[] | undefined
  let at = 0
  for (let i = 0; i < answer.starts.length - 1; i++) {
    const end = answer.starts[order[i]! + 1]!
    // Records are short: a loop costs less than a view of each.
    for (let from = answer.starts[order[i]!]!; from < end; from++) body[at++] = answer.body[from]!
    if (at !== answer.starts[i + 1]) starts ??= answer.starts.slice()
    if (starts) starts[i + 1] = at
  }
  return { ...answer, body, starts: starts ?? answer.starts }
}
