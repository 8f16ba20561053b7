/**
 * What a reply is worth to a cache: which kind it is (RFC 2308), whether it may be kept and for how long. The rules are CoreDNS's.
 */
import type { Answer } from '../../wire/answer.ts'
import { authorityHas, lowestTtl, recordType } from '../../wire/edit.ts'
import { keyOfName, type NameKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { decode, type Record } from '../../wire/record.ts'
import { Bit, Class, HEADER, Rcode, Type } from '../../wire/types.ts'
import type { CacheOptions, Share } from './options.ts'

/** `other` is never kept. */
export type Kind = 'success' | 'delegation' | 'nodata' | 'nxdomain' | 'failure' | 'other'

export interface Verdict {
  readonly kind: Kind
  /** The time to live that all records get, in seconds. */
  readonly ttl: number
  readonly keep: boolean
  /** A complete positive answer to the question. */
  readonly answering: boolean
}

/** The time of answers whose records say nothing about it, in seconds. */
const DEFAULT_TTL = 5

/** Judges `answer`, the reply to `query`; `nowMs` is the time of day, for signatures. */
export function judge(query: Query, answer: Answer, options: CacheOptions, nowMs: number): Verdict {
  const hasSoa = authorityHas(answer, Type.SOA)
  const filled = answer.rcode === Rcode.NOERROR && answer.answers > 0
  const resolved = filled && answersQuestion(query, answer)
  // An alias whose end has no record of the type is NODATA if an SOA bounds it, and otherwise nothing to keep.
  const kind = filled && hasSoa && !resolved ? 'nodata' : kindOf(query, answer, hasSoa, nowMs)
  const loose = (kind === 'nxdomain' && !hasSoa) || (filled && !hasSoa && !resolved)
  const ttl = ttlOf(kind, answer, options)
  const keep = kind !== 'other' && !loose && ttl > 0 && (answer.bits & Bit.TC) === 0
  return { kind, ttl, keep, answering: kind === 'success' && resolved }
}

function kindOf(query: Query, answer: Answer, hasSoa: boolean, nowMs: number): Kind {
  const { rcode } = answer
  if (query.dnssecOk && hasExpiredSignature(query, answer, nowMs)) return 'other'
  if (answer.answers > 0)
    return rcode === Rcode.NOERROR ? 'success' : rcode === Rcode.NXDOMAIN ? 'other' : ofRcode(rcode)
  if (rcode !== Rcode.NOERROR) return ofRcode(rcode)
  return hasSoa ? 'nodata' : authorityHas(answer, Type.NS) ? 'delegation' : 'success'
}

function ofRcode(rcode: number): Kind {
  if (rcode === Rcode.NXDOMAIN) return 'nxdomain'
  return rcode === Rcode.SERVFAIL || rcode === Rcode.NOTIMP ? 'failure' : 'other'
}

function ttlOf(kind: Kind, answer: Answer, { success, denial, failureTtl }: CacheOptions): number {
  if (kind === 'failure') return failureTtl
  if (kind === 'delegation' || kind === 'other') return bounded(DEFAULT_TTL, success)
  const share = kind === 'success' ? success : denial
  return bounded(answer.starts.length === 1 ? DEFAULT_TTL : lowestTtl(answer, share.ttl), share)
}

function bounded(ttl: number, share: Share): number {
  return Math.min(Math.max(ttl, share.minTtl), share.ttl)
}

/** Whether the answer section leads, over aliases, to a record of the type that was asked for (RFC 1034 section 3.6.2). */
function answersQuestion(query: Query, answer: Answer): boolean {
  if (isPlain(query, answer)) return true
  const records = decode(answer, query.name)?.answers.filter(({ class: klass }) => fits(klass, query.class))
  if (records === undefined) return false
  const { type, key } = query
  const ownerOf = ({ owner }: Record) => keyOfName(owner as Uint8Array)
  if (type === Type.ANY) return records.some(record => ownerOf(record) === key)
  const aliases = Map.groupBy(
    records.filter(record => record.type === Type.CNAME),
    ownerOf,
  )
  if (type === Type.CNAME) return targetOf(aliases, key) !== undefined
  const end = endOfAliases(aliases, key)
  return records.some(record => record.type === type && ownerOf(record) === end)
}

/** The usual case, seen without taking the answer apart: no alias, and the first record is what was asked for. */
function isPlain({ type, class: klass }: Query, answer: Answer): boolean {
  for (let i = 0; i < answer.answers; i++) if (recordType(answer, i) === Type.CNAME) return false
  const { body } = answer
  const pointsAtQuestion = body[0] === 0xc0 && body[1] === HEADER
  return pointsAtQuestion && recordType(answer, 0) === type && ((body[4]! << 8) | body[5]!) === klass
}

/** The CNAME records of an answer by owner: a hostile one is nothing else, and must not take its square in steps. */
type Aliases = ReadonlyMap<NameKey, readonly Record[]>

function fits(klass: number, asked: number): boolean {
  return asked === Class.ANY || klass === asked
}

/** The name that aliases lead to from `key`; undefined where they go round or part. */
function endOfAliases(aliases: Aliases, key: NameKey): NameKey | undefined {
  const seen = new Set<NameKey>()
  while (aliases.has(key)) {
    const target = targetOf(aliases, key)
    if (target === undefined || seen.has(key)) return undefined
    seen.add(key)
    key = target
  }
  return key
}

/** The one target of a name's alias; undefined for none (a record may lack its data) and for several (RFC 2181 section 10.1). */
function targetOf(aliases: Aliases, key: NameKey): NameKey | undefined {
  const filled = (aliases.get(key) ?? []).filter(({ rdata }) => rdata.length > 0)
  const [target, ...others] = new Set(filled.map(({ rdata }) => keyOfName(rdata)))
  return others.length === 0 ? target : undefined
}

/** Whether a signature's time has not come or has passed (RFC 4034 section 3.1.5). */
function hasExpiredSignature(query: Query, answer: Answer, nowMs: number): boolean {
  const sections = decode(answer, query.name)
  if (sections === undefined) return false
  // Serial number arithmetic: the times are 32 bits wide and wrap.
  const now = Math.floor(nowMs / 1000)
  const untilTime = (rdata: Uint8Array, at: number) =>
    (new DataView(rdata.buffer, rdata.byteOffset).getUint32(at) - now) | 0
  return [...sections.answers, ...sections.authorities, ...sections.additionals].some(
    ({ type, rdata }) =>
      type === Type.RRSIG && rdata.length >= 16 && (untilTime(rdata, 8) < 0 || untilTime(rdata, 12) > 0),
  )
}
