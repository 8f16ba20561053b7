/**
 * The compiled names below one origin, and what a question for one of them gets. Knows octets and rules, not services: those
 * are compiled by `cluster-zones.ts`.
 */
import type { TypeEntry } from '../table/contract.ts'
import { Verdict } from '../table/layout.ts'
import type { Answer } from '../wire/answer.ts'
import { MAX_NAME, type NameKey, nameFromKey } from '../wire/name.ts'
import { encode } from '../wire/record.ts'
import { HEADER, Rcode, Type } from '../wire/types.ts'
import { answered, asked, type External, type Node, sameNode, structure } from './node.ts'
import { AUTHORITATIVE, answerOf, soaRecord } from './rdata.ts'
import type { ZoneStore } from './store.ts'

export interface OriginZoneOptions {
  readonly origin: NameKey
  readonly store: ZoneStore
  readonly ttl: number
  readonly serial: number
  /** How names behave that stand right below the origin and do not exist: bits of `Below`. */
  readonly below: number
}

export class OriginZone {
  readonly origin: NameKey
  readonly originName: Uint8Array
  readonly #store: ZoneStore
  readonly #ttl: number
  readonly #below: number
  /** The nodes that are more than their entry in the store, which leaves the rest to be asked for. */
  readonly #whole = new Map<NameKey, Node>()
  #serial: number
  /** The negative answers by name length, NODATA and NXDOMAIN apart; emptied when the serial moves. */
  readonly #negative = new Map<number, Answer>()

  constructor({ origin, store, ttl, serial, below }: OriginZoneOptions) {
    this.origin = origin
    this.originName = nameFromKey(origin)
    this.#store = store
    this.#ttl = ttl
    this.#serial = serial
    this.#below = below
  }

  get serial(): number {
    return this.#serial
  }

  /** Sets or, with undefined, removes what a name answers; true when that is a change. */
  put(key: NameKey, node: Node | undefined): boolean {
    const before = this.#whole.get(key)
    if (node && isMore(node)) this.#whole.set(key, node)
    else if (before) this.#whole.delete(key)
    const changed = this.#store.put(key, node && { ...node.entry, types: node.entry.types.map(fitting) })
    return changed || (before !== undefined && node !== undefined && !sameNode(before, node))
  }

  /**
   * Ends a stretch of changes, under a new serial. It comes last, so that who sees it sees the names that it stands for; and at the
   * apex right before the negative answers, whose SOA record is a copy of that one.
   */
  publish(serial: number): void {
    this.#serial = serial
    this.#negative.clear()
    // Who the name servers are depends on the server's own addresses.
    this.put(this.origin, structure(this.#below, answered(Type.SOA, this.soa()), asked(Type.NS)))
    this.#store.setNegative(length => this.nodata(length))
    this.#store.commit()
  }

  keys(): Iterable<NameKey> {
    return this.#store.keys()
  }

  clear(): void {
    this.#store.clear()
    this.#whole.clear()
    this.#negative.clear()
  }

  /** Gives the memory of its names back; it is not asked any more. */
  close(): void {
    this.#store.close()
  }

  soa(): Answer {
    return answerOf([soaRecord(0, this.originName, this.#serial, this.#ttl)], [], this.origin.length)
  }

  nodata(nameLength: number): Answer {
    return this.#negativeAnswer(Rcode.NOERROR, nameLength)
  }

  nxdomain(nameLength: number): Answer {
    return this.#negativeAnswer(Rcode.NXDOMAIN, nameLength)
  }

  #negativeAnswer(rcode: number, nameLength: number): Answer {
    const index = nameLength * 16 + rcode
    const known = this.#negative.get(index)
    if (known) return known
    const soa = soaRecord(nameLength - this.origin.length, this.originName, this.#serial, this.#ttl)
    const header = { ...AUTHORITATIVE, rcode }
    const made = encode({ answers: [], authorities: [soa], additionals: [] }, nameLength, header)
    this.#negative.set(index, made)
    return made
  }

  /** What a compiled name answers to a type, or names that have yet to be followed; undefined where nothing is compiled. */
  find(key: NameKey, type: number): Answer | External | undefined {
    const whole = this.#whole.get(key)
    if (whole) return this.answer(whole, type, key.length)
    const entry = this.#store.get(key)
    return entry && this.answer({ entry }, type, key.length)
  }

  /** What a node answers to a type, whether it stands in the zone or not. */
  answer({ entry, external }: Node, type: number, nameLength: number): Answer | External {
    if (external && (type === Type.A || type === Type.AAAA)) return external
    const known = entry.types.find(known => known.type === type)
    if (known?.verdict === Verdict.ANSWER) return known.answer
    return (known?.verdict ?? entry.other) === Verdict.NXDOMAIN ? this.nxdomain(nameLength) : this.nodata(nameLength)
  }
}

function isMore({ entry, external }: Node): boolean {
  return external !== undefined || entry.types.some(isLarge)
}

/** What of an answer may be cut off depends on who asks: the store takes none that no message has room for. */
function fitting(type: TypeEntry): TypeEntry {
  return isLarge(type) ? asked(type.type) : type
}

function isLarge(type: TypeEntry): boolean {
  return type.verdict === Verdict.ANSWER && type.answer.body.length > MAX_BODY
}

/** Octets that any message has room for behind the question, whatever its name. */
const MAX_BODY = 65_535 - HEADER - MAX_NAME - 4
