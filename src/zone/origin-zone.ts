/**
 * The compiled names below one origin, and what a question for one of them gets. Knows octets and rules, not services: those
 * are compiled by `cluster-zones.ts`.
 */
import type { ZoneEntry } from '../table/contract.ts'
import { Verdict } from '../table/layout.ts'
import type { Answer } from '../wire/answer.ts'
import { type NameKey, nameFromKey } from '../wire/name.ts'
import { encode } from '../wire/record.ts'
import { Rcode, Type } from '../wire/types.ts'
import { answered, asked, type External, type Node, sameExternal, structure } from './node.ts'
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
  /** What entries do not hold. */
  readonly #externals = new Map<NameKey, External>()
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
    const external = this.#externals.get(key)
    if (node?.external) this.#externals.set(key, node.external)
    else if (external) this.#externals.delete(key)
    return this.#store.put(key, node?.entry) || !sameExternal(external, node?.external)
  }

  /** Ends a stretch of changes, under a new serial: names first, so that who sees the serial sees what it stands for. */
  publish(serial: number): void {
    this.#serial = serial
    this.#negative.clear()
    this.#store.setNegative(length => this.nodata(length))
    // Who the name servers are depends on the server's own addresses.
    this.put(this.origin, structure(this.#below, answered(Type.SOA, this.soa()), asked(Type.NS)))
    this.#store.commit()
  }

  keys(): Iterable<NameKey> {
    return this.#store.keys()
  }

  clear(): void {
    this.#store.clear()
    this.#externals.clear()
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
    const entry = this.#store.get(key)
    return entry && this.#answer(entry, this.#externals.get(key), type, key.length)
  }

  /** What a node that is in no table answers. */
  answer({ entry, external }: Node, type: number, nameLength: number): Answer | External {
    return this.#answer(entry, external, type, nameLength)
  }

  #answer(entry: ZoneEntry, external: External | undefined, type: number, nameLength: number): Answer | External {
    if (external && (type === Type.A || type === Type.AAAA)) return external
    for (const known of entry.types) {
      if (known.type !== type) continue
      if (known.verdict === Verdict.ANSWER) return known.answer
      return known.verdict === Verdict.NXDOMAIN ? this.nxdomain(nameLength) : this.nodata(nameLength)
    }
    return entry.other === Verdict.NXDOMAIN ? this.nxdomain(nameLength) : this.nodata(nameLength)
  }
}
