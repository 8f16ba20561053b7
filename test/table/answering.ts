/**
 * A table with an answerer beside a model of both in ordinary memory, which looks names up in maps and has `wire/finish.ts` write:
 * for tests that compare the two.
 */

import { roundRobin } from '../../src/plugins/loadbalance/round-robin.ts'
import { Answerer } from '../../src/table/answerer.ts'
import type { CacheQuestion, Cut, Directory, ZoneEntry } from '../../src/table/contract.ts'
import { Counted, MAX_COUNTERS, Transport } from '../../src/table/counters.ts'
import { Below, Verdict } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { AnswerTable } from '../../src/table/table.ts'
import type { Answer } from '../../src/wire/answer.ts'
import { authorityHas, lowestTtl, withTtl } from '../../src/wire/edit.ts'
import { finish } from '../../src/wire/finish.ts'
import { isWithin, keyFromText, labelsOf, type NameKey, parentOf, ROOT } from '../../src/wire/name.ts'
import { type Peer, Query, questionMessage, readQuery } from '../../src/wire/query.ts'
import { encode } from '../../src/wire/record.ts'
import { Rotation, rotationOf } from '../../src/wire/rotation.ts'
import { isSampled } from '../../src/wire/sample.ts'
import { Bit, Class, Rcode, Type } from '../../src/wire/types.ts'
import { udp } from '../wire/peers.ts'
import { chance } from '../wire/random.ts'

/** What a model or an answerer says where there is no reply. */
export type Outcome = Buffer | 'drop' | 'ask'

export const peers: { readonly [transport in Transport]: Peer } = [
  udp,
  { ...udp, address: '2001:db8::1' },
  { ...udp, protocol: 'tcp' },
  { ...udp, protocol: 'tcp', address: '2001:db8::1' },
]

/** A cut that answers everything from nothing: what a test does not say. */
export const plainCut: Cut = {
  suffix: ROOT,
  ask: false,
  front: -1,
  zone: -1,
  cache: -1,
  closed: true,
  positives: true,
  negatives: true,
  sampled: false,
  rotate: false,
  size: 0,
  counter: -1,
}

/** A zone's negative answer: a SOA that is the question's end. */
export function soaAnswer(origin: NameKey, serial: number, length: number): Answer {
  const name = Buffer.from(origin, 'latin1')
  const numbers = Buffer.alloc(20)
  numbers.writeUInt32BE(serial)
  const soa = {
    owner: length - origin.length,
    type: Type.SOA,
    class: Class.IN,
    ttl: 30,
    rdata: Buffer.concat([Buffer.from('\x02ns'), name, Buffer.from('\x0ahostmaster'), name, numbers]),
  }
  return encode({ answers: [], authorities: [soa], additionals: [] }, length, { bits: Bit.AA })
}

const GUARD = 0xa5
const SLOT_AT = 4096
const OCTETS = SLOT_AT + 65_535 + 4096
const guards = Buffer.alloc(OCTETS, GUARD)

interface ModelZone {
  readonly entries: Map<NameKey, ZoneEntry>
  negative: ((length: number) => Answer) | undefined
}

interface Told {
  readonly query: Query
  readonly answer: Answer
}

interface Kept {
  readonly answer: Answer
  readonly name: Uint8Array
  readonly ttl: number
  readonly storedMs: number
}

export class Answering {
  nowMs = 1_000_000
  readonly counters = new Uint32Array(Counted.WORDS * MAX_COUNTERS)
  readonly table = new AnswerTable({ now: () => this.nowMs })
  readonly octets = new Uint8Array(OCTETS)
  readonly answerer: Answerer
  readonly directory = this.table.openDirectory()
  /** What the model takes its chance from, and what the answerer does: equal while both are used the same way. */
  #chances = [chance(7), chance(7)] as const
  readonly #zones = new Map<number, ModelZone>()
  readonly #spaces = new Map<number, ReturnType<AnswerTable['zoneSpace']>>()
  readonly #caches = new Map<number, Map<string, Kept>>()
  readonly #cacheSpaces = new Map<number, ReturnType<AnswerTable['cacheSpace']>>()
  #cuts: Directory = []

  constructor() {
    this.answerer = new Answerer({
      reader: new TableReader(this.table.memory, this.table.openReader()),
      octets: this.octets,
      counters: this.counters,
      random: () => this.#chances[0].below(2 ** 32) / 2 ** 32,
    })
  }

  close(): void {
    for (const space of [...this.#spaces.values(), ...this.#cacheSpaces.values()]) space.close()
  }

  addZone(negative?: (length: number) => Answer): number {
    const space = this.table.zoneSpace()
    if (negative) space.setNegative(negative)
    this.#spaces.set(space.id, space)
    this.#zones.set(space.id, { entries: new Map(), negative })
    return space.id
  }

  addCache(): number {
    const space = this.table.cacheSpace()
    this.#cacheSpaces.set(space.id, space)
    this.#caches.set(space.id, new Map())
    return space.id
  }

  put(zone: number, key: NameKey, entry: ZoneEntry): void {
    this.#spaces.get(zone)!.put(key, entry)
    this.#zones.get(zone)!.entries.set(key, entry)
  }

  has(zone: number, key: NameKey): boolean {
    return this.#zones.get(zone)!.entries.has(key)
  }

  /** Keeps an answer that has `ttl` on all records. */
  keep(cache: number, question: CacheQuestion, answer: Answer, ttl: number): void {
    const taken = this.#cacheSpaces.get(cache)!.put(question, answer, { ttl, ageMs: 0 })
    if (taken)
      this.#caches.get(cache)!.set(cacheKey(question), { answer, name: question.name, ttl, storedMs: this.nowMs })
  }

  /** Cuts in any order; one for the root is added if there is none. */
  set cuts(cuts: Directory) {
    const all = cuts.some(({ suffix }) => suffix === ROOT) ? cuts : [...cuts, { ...plainCut, ask: true }]
    this.#cuts = all.toSorted((a, b) => b.suffix.length - a.suffix.length)
    this.table.setDirectory(this.directory, this.#cuts)
    this.table.commit()
  }

  /** What the answerer makes of a packet and what the model does, with the same chance. */
  both(
    packet: Uint8Array,
    transport: Transport = Transport.UDP4,
    capacity = 65_535,
  ): { got: Outcome; wanted: Outcome } {
    this.#chances = [chance(7), chance(7)]
    return { got: this.answer(packet, transport, capacity), wanted: this.expected(packet, transport) }
  }

  /**
   * What the answerer makes of the packet in a slot of `capacity` octets. Throws where it wrote outside the slot, or into a
   * request that it did not answer.
   */
  answer(packet: Uint8Array, transport: Transport = Transport.UDP4, capacity = 65_535, elapsed = 0): Outcome {
    const { octets } = this
    octets.fill(GUARD)
    octets.set(packet, SLOT_AT)
    this.answerer.begin(this.nowMs)
    const length = this.answerer.answer(this.directory, SLOT_AT, packet.length, capacity, transport)
    this.answerer.end(elapsed)
    const touched = length > 0 ? Math.max(length, packet.length) : 0
    const slot = octets.subarray(SLOT_AT, SLOT_AT + touched)
    if (length > capacity) throw new Error(`a reply of ${length} octets in a slot of ${capacity}`)
    if (length <= 0 && Buffer.compare(octets.subarray(SLOT_AT, SLOT_AT + packet.length), packet) !== 0) {
      throw new Error('wrote into a request that it does not answer')
    }
    const behind = SLOT_AT + (touched || packet.length)
    if (!isGuard(octets.subarray(0, SLOT_AT)) || !isGuard(octets.subarray(behind))) throw new Error('wrote outside')
    return length > 0 ? Buffer.from(slot.subarray(0, length)) : length === 0 ? 'drop' : 'ask'
  }

  /** What the reply ought to be, or that there is none. */
  expected(packet: Uint8Array, transport: Transport = Transport.UDP4): Outcome {
    const told = this.told(packet, transport)
    if (typeof told === 'string') return told
    const out = Buffer.alloc(65_535)
    return out.subarray(0, finish(told.query, told.answer, out))
  }

  /** What the model answers, and to which query: the one in the packet, with the size that its reply is cut to. */
  told(packet: Uint8Array, transport: Transport): Told | 'drop' | 'ask' {
    const query = readQuery(Buffer.from(packet), peers[transport])
    if (!(query instanceof Query)) return query.rcode === undefined ? 'drop' : 'ask'
    if (query.class !== Class.IN || query.opcode !== 0 || (query.edns && query.edns.version !== 0)) return 'ask'
    const cut = this.#cuts.find(({ suffix }) => isWithin(query.key, suffix as NameKey))!
    const found = cut.ask ? undefined : this.#find(query, cut)
    if (found === undefined || (cut.rotate && rotationOf(found) === Rotation.REBUILD)) return 'ask'
    const { edns } = query
    const lower = edns !== undefined && cut.size > 0 && edns.size > cut.size
    return {
      query: lower ? query.with({ edns: { ...edns, size: cut.size } }) : query,
      answer: cut.rotate ? roundRobin(found, query, () => this.#chances[1].below(2 ** 32) / 2 ** 32) : found,
    }
  }

  #find(query: Query, cut: Cut): Answer | undefined {
    if (this.#zones.get(cut.front)?.entries.has(query.key)) return undefined
    const zone = this.#zones.get(cut.zone)
    const verdict = zone ? verdictOf(zone.entries, query.key, query.type) : Verdict.NXDOMAIN
    if (typeof verdict !== 'number') return allowed(bounded(verdict, cut), cut)
    if (verdict === Verdict.ASK) return undefined
    if (zone && verdict === Verdict.NXDOMAIN && cut.sampled && isSampled(query.id)) return undefined
    if (zone && (verdict === Verdict.NODATA || cut.closed)) {
      const negative = zone.negative?.(query.key.length)
      const rcode = verdict === Verdict.NODATA ? Rcode.NOERROR : Rcode.NXDOMAIN
      return negative && allowed(bounded({ ...negative, rcode }, cut), cut)
    }
    return this.#kept(query, cut)
  }

  #kept(query: Query, cut: Cut): Answer | undefined {
    const { key, type, dnssecOk, bits } = query
    const checkingDisabled = (bits & Bit.CD) !== 0
    const kept = this.#caches.get(cut.cache)?.get(cacheKey({ key, type, dnssecOk, checkingDisabled }))
    if (kept === undefined || Buffer.compare(kept.name, query.name) !== 0) return undefined
    const left = kept.ttl - Math.floor((this.nowMs - kept.storedMs) / 1000)
    if (left <= 0) return undefined
    const aged = withTtl(kept.answer, left)
    const wanted = dnssecOk || (bits & Bit.AD) !== 0
    return allowed(wanted ? aged : { ...aged, bits: aged.bits & ~Bit.AD }, cut)
  }
}

function cacheKey({ key, type, dnssecOk, checkingDisabled }: Omit<CacheQuestion, 'name'>): string {
  return `${key} ${type} ${dnssecOk} ${checkingDisabled}`
}

function verdictOf(entries: Map<NameKey, ZoneEntry>, key: NameKey, type: number): Answer | Verdict {
  const verdict = found(entries, key, type)
  return verdict === Verdict.NXDOMAIN && type === Type.SOA ? Verdict.NODATA : verdict
}

function found(entries: Map<NameKey, ZoneEntry>, key: NameKey, type: number): Answer | Verdict {
  const entry = entries.get(key)
  if (entry) {
    const own = entry.types.find(candidate => candidate.type === type)
    return own === undefined ? entry.other : own.verdict === Verdict.ANSWER ? own.answer : own.verdict
  }
  let encloser: NameKey = key
  do {
    if (encloser === ROOT) return Verdict.ASK
    encloser = parentOf(encloser)
  } while (!entries.has(encloser))
  const between = labelsOf(key).length - labelsOf(encloser).length
  return entries.get(encloser)!.below & belowBits(key, between) ? Verdict.ASK : Verdict.NXDOMAIN
}

function isDenial({ rcode, answers }: Answer, hasSoa: boolean): boolean {
  return answers === 0 && (rcode === Rcode.NXDOMAIN || (rcode === Rcode.NOERROR && hasSoa))
}

function bounded(answer: Answer, cut: Cut): Answer {
  const bounds = isDenial(answer, authorityHas(answer, Type.SOA)) ? cut.negativeTtl : cut.positiveTtl
  if (bounds === undefined || answer.body.length === 0) return answer
  const ttl = lowestTtl(answer, 2 ** 32 - 1)
  const told = Math.min(Math.max(ttl, bounds[0]), bounds[1])
  return told === ttl ? answer : withTtl(answer, told)
}

function allowed(answer: Answer, cut: Cut): Answer | undefined {
  const denial = isDenial(answer, authorityHas(answer, Type.SOA))
  if (!denial && answer.rcode !== Rcode.NOERROR) return undefined
  return (denial ? cut.negatives : cut.positives) ? answer : undefined
}

/** The request for a name in wire form; `edns.options` are pairs of a code and the size of its data. */
export function requestFor(name: Uint8Array, type: number, asked: Asked = {}): Buffer {
  const { bits = Bit.RD, edns, id = 0xbeef } = asked
  const question = Buffer.from(questionMessage(bits, name, type, Class.IN))
  question.writeUInt16BE(id)
  if (edns === undefined) return question
  question[11] = 1
  const { size = 1232, flags = 0, options = [] } = edns
  const opt = Buffer.from([0, 0, Type.OPT, size >> 8, size & 255, 0, 0, flags >> 8, flags & 255, 0, 0])
  const data: Buffer[] = []
  for (let i = 0; i < options.length; i += 2) {
    const option = Buffer.alloc(4 + options[i + 1]!, 0x77)
    option.writeUInt16BE(options[i]!)
    option.writeUInt16BE(options[i + 1]!, 2)
    data.push(option)
  }
  opt.writeUInt16BE(Buffer.concat(data).length, 9)
  return Buffer.concat([question, opt, ...data])
}

export interface Asked {
  readonly id?: number
  readonly bits?: number
  readonly edns?: { readonly size?: number; readonly flags?: number; readonly options?: readonly number[] }
}

function isGuard(octets: Uint8Array): boolean {
  return Buffer.compare(octets, guards.subarray(0, octets.length)) === 0
}

export function keyOf(text: string): NameKey {
  const key = keyFromText(text)
  if (key === undefined) throw new Error(`${text} is no name`)
  return key
}

/** The bits of `below` that ask for a name so many labels below its closest encloser. */
export function belowBits(key: NameKey, labels: number): number {
  if (labels !== 2) return labels === 1 ? Below.ONE_LABEL : Below.MORE_LABELS
  const isPort = labelsOf(key)
    .slice(0, 2)
    .every(label => /^_./.test(label))
  return isPort ? Below.TWO_LABELS : Below.TWO_LABELS | Below.ODD_PORTS
}
