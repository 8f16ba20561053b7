/** What one name of a zone answers, compiled. */
import type { Answer } from '../wire/answer.ts'
import { nameFromText, nameOf } from '../wire/name.ts'
import type { Record } from '../wire/record.ts'
import { Type } from '../wire/types.ts'
import { addressAnswer, addressRecord, answerOf, nameRecord, type SrvTarget, srvRecord } from './rdata.ts'
import type { Item } from './service-names.ts'

/** The answers of a name that exists. A type without one is NODATA, whatever type that is, but for those in `denied`. */
export interface Node {
  readonly a?: Answer | undefined
  readonly aaaa?: Answer | undefined
  readonly srv?: Answer | undefined
  readonly txt?: Answer | undefined
  readonly cname?: Answer | undefined
  /** Names to be followed for A and AAAA, and the addresses that stand beside them. */
  readonly external?: External | undefined
  /** Types that are NXDOMAIN although the name exists; `all` but the ones that have an answer. */
  readonly denied?: readonly number[] | 'all'
}

export interface External {
  readonly addresses: readonly Uint8Array[]
  readonly targets: readonly Uint8Array[]
}

/** A name that exists only because others stand below it; CoreDNS denies it for TXT. */
export const STRUCTURE: Node = { denied: [Type.TXT] }

/** Compiles what stands behind a name of `nameLength` octets, below an origin. */
export function compileNode(items: readonly Item[], origin: Uint8Array, nameLength: number, ttl: number): Node {
  const addresses = distinctAddresses(items)
  const targets = items.filter(item => item.octets === undefined)
  if (targets.length > 0)
    return externalNode(addresses, items, ttl, nameLength, srvAnswer(items, origin, nameLength, ttl))
  return {
    a: addressAnswer(
      addresses.filter(octets => octets.length === 4),
      ttl,
      nameLength,
    ),
    aaaa: addressAnswer(
      addresses.filter(octets => octets.length === 16),
      ttl,
      nameLength,
    ),
    srv: srvAnswer(items, origin, nameLength, ttl),
  }
}

function externalNode(
  addresses: readonly Uint8Array[],
  items: readonly Item[],
  ttl: number,
  nameLength: number,
  srv: Answer | undefined,
): Node {
  const names = new Set(items.filter(item => item.octets === undefined).map(item => item.host))
  const targets = [...names].map(nameFromText).filter(name => name !== undefined)
  // CoreDNS looks at the first of all only: a name makes a CNAME record, an address none.
  const first = items[0]?.octets === undefined ? targets[0] : undefined
  return {
    external: { addresses, targets },
    cname: first && answerOf([nameRecord(0, Type.CNAME, first, ttl)], [], nameLength),
    srv,
  }
}

/** Each address once, in order; CoreDNS compares their text. */
function distinctAddresses(items: readonly Item[]): Uint8Array[] {
  const distinct = new Map<string, Uint8Array>()
  for (const { host, octets } of items) if (octets !== undefined && !distinct.has(host)) distinct.set(host, octets)
  return [...distinct.values()]
}

/**
 * One SRV record for each target and port, with the addresses of the targets. The weight is 100 shared among all items, before
 * doubles are left out, and at least 1.
 */
function srvAnswer(items: readonly Item[], origin: Uint8Array, nameLength: number, ttl: number): Answer | undefined {
  const addressed = items.filter(item => item.octets !== undefined)
  const weight = Math.max(1, Math.floor(100 / addressed.length))
  const records = new Map<string, SrvTarget>()
  const glue = new Map<string, Record>()
  for (const { host, octets, port, target } of addressed) {
    const name = port === -1 ? undefined : nameOf(target, origin)
    if (name === undefined || octets === undefined) continue
    const label = target.join('.')
    if (!records.has(`${label}/${port}`)) records.set(`${label}/${port}`, { weight, port, target: name })
    if (!glue.has(`${label}/${host}`)) glue.set(`${label}/${host}`, addressRecord(name, octets, ttl))
  }
  if (records.size === 0) return undefined
  return answerOf(
    [...records.values()].map(record => srvRecord(record, ttl)),
    [...glue.values()],
    nameLength,
  )
}

/** Whether two nodes answer the same, byte for byte. */
export function sameNode(one: Node, other: Node): boolean {
  return (
    sameAnswer(one.a, other.a) &&
    sameAnswer(one.aaaa, other.aaaa) &&
    sameAnswer(one.srv, other.srv) &&
    sameAnswer(one.txt, other.txt) &&
    sameAnswer(one.cname, other.cname) &&
    sameExternal(one.external, other.external)
  )
}

export function sameAnswer(one: Answer | undefined, other: Answer | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.answers === other.answers && one.rcode === other.rcode && Buffer.compare(one.body, other.body) === 0
}

function sameExternal(one: External | undefined, other: External | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  const octets = ({ addresses, targets }: External) => Buffer.concat([...addresses, ...targets])
  return octets(one).equals(octets(other))
}
