/** What one name of a zone answers, compiled. */
import { addressOctets } from '../wire/address.ts'
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

/** Where a name stands: what its answers depend on besides what stands behind it. */
export interface Place {
  /** The labels of the service's (or pod's) own name, relative to the origin. */
  readonly base: readonly string[]
  readonly origin: Uint8Array
  /** Octets of the whole name. */
  readonly nameLength: number
  readonly ttl: number
}

/** Compiles what stands behind a name. */
export function compileNode(items: readonly Item[], place: Place): Node {
  const { nameLength, ttl } = place
  const addresses = addressesOf(items)
  const srv = srvAnswer(items, addresses, place)
  const targets = new Set(items.filter(({ host }) => !addresses.has(host)).map(({ host }) => host))
  if (targets.size > 0) return { ...externalNode(items, addresses, targets, place), srv }
  const family = (size: number) => [...addresses.values()].filter(octets => octets.length === size)
  return { a: addressAnswer(family(4), ttl, nameLength), aaaa: addressAnswer(family(16), ttl, nameLength), srv }
}

/** The octets of each host that is an address, once, in order; CoreDNS compares their text. */
function addressesOf(items: readonly Item[]): Map<string, Uint8Array> {
  const addresses = new Map<string, Uint8Array>()
  for (const { host } of items) {
    const octets = addresses.has(host) ? undefined : addressOctets(host)
    if (octets) addresses.set(host, octets)
  }
  return addresses
}

function externalNode(
  items: readonly Item[],
  addresses: ReadonlyMap<string, Uint8Array>,
  hosts: ReadonlySet<string>,
  { nameLength, ttl }: Place,
): Node {
  const targets = [...hosts].map(nameFromText).filter(name => name !== undefined)
  // CoreDNS looks at the first of all only: a name makes a CNAME record, an address none.
  const first = hosts.has(items[0]!.host) ? targets[0] : undefined
  return {
    external: { addresses: [...addresses.values()], targets },
    cname: first && answerOf([nameRecord(0, Type.CNAME, first, ttl)], [], nameLength),
  }
}

/**
 * One SRV record for each target and port, with the addresses of the targets. The weight is 100 shared among all addressed items,
 * before doubles are left out, and at least 1.
 */
function srvAnswer(
  items: readonly Item[],
  addresses: ReadonlyMap<string, Uint8Array>,
  { base, origin, nameLength, ttl }: Place,
): Answer | undefined {
  const addressed = items.filter(({ host }) => addresses.has(host))
  const weight = Math.max(1, Math.floor(100 / addressed.length))
  const records = new Map<string, SrvTarget>()
  const glue = new Map<string, Record>()
  for (const { host, port, endpoint } of addressed) {
    if (port === -1) continue
    const target = nameOf(endpoint === '' ? base : [...endpoint.split('.'), ...base], origin)
    if (target === undefined) continue
    if (!records.has(`${endpoint}/${port}`)) records.set(`${endpoint}/${port}`, { weight, port, target })
    if (!glue.has(`${endpoint}/${host}`)) {
      glue.set(`${endpoint}/${host}`, addressRecord(target, addresses.get(host)!, ttl))
    }
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
