/**
 * The compiled names below one origin, and what a question for one of them gets. Knows octets and rules, not services: those
 * are compiled by `cluster-zones.ts`.
 */
import type { Answer } from '../wire/answer.ts'
import { type NameKey, nameFromKey } from '../wire/name.ts'
import { encode } from '../wire/record.ts'
import { Rcode, Type } from '../wire/types.ts'
import { type External, type Node, sameNode } from './node.ts'
import { AUTHORITATIVE, answerOf, soaRecord } from './rdata.ts'

export class OriginZone {
  readonly origin: NameKey
  readonly originName: Uint8Array
  readonly #nodes = new Map<string, Node>()
  readonly #ttl: number
  #serial: number
  /** The negative answers by name length, NODATA and NXDOMAIN apart; emptied when the serial moves. */
  readonly #negative = new Map<number, Answer>()

  constructor(origin: NameKey, ttl: number, serial: number) {
    this.origin = origin
    this.originName = nameFromKey(origin)
    this.#ttl = ttl
    this.#serial = serial
  }

  get serial(): number {
    return this.#serial
  }

  set serial(serial: number) {
    this.#serial = serial
    this.#negative.clear()
  }

  node(key: string): Node | undefined {
    return this.#nodes.get(key)
  }

  /** Sets or, with undefined, removes what a name answers; true when that is a change. */
  put(key: string, node: Node | undefined): boolean {
    const before = this.#nodes.get(key)
    if (node === undefined) return this.#nodes.delete(key)
    this.#nodes.set(key, node)
    return before === undefined || !sameNode(before, node)
  }

  keys(): Iterable<string> {
    return this.#nodes.keys()
  }

  clear(): void {
    this.#nodes.clear()
    this.#negative.clear()
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

  /** What a node answers to a type: its answer, NODATA or NXDOMAIN, or names that have yet to be followed. */
  answer(node: Node, type: number, nameLength: number): Answer | External {
    const found = node.external && (type === Type.A || type === Type.AAAA) ? node.external : stored(node, type)
    if (found) return found
    const denied = node.denied === 'all' || node.denied?.includes(type) === true
    return denied ? this.nxdomain(nameLength) : this.nodata(nameLength)
  }
}

function stored(node: Node, type: number): Answer | undefined {
  switch (type) {
    case Type.A:
      return node.a
    case Type.AAAA:
      return node.aaaa
    case Type.SRV:
      return node.srv
    case Type.CNAME:
      return node.cname
    case Type.TXT:
      return node.txt
    default:
      return undefined
  }
}
