/** What one name of a zone answers, compiled. */
import type { TypeEntry, ZoneEntry } from '../table/contract.ts'
import { Below, Verdict } from '../table/layout.ts'
import { addressOctets } from '../wire/address.ts'
import type { Answer } from '../wire/answer.ts'
import { nameFromText, nameOf } from '../wire/name.ts'
import { Type } from '../wire/types.ts'
import { addressAnswer, answerOf, nameRecord, type SrvTarget, srvAnswer } from './rdata.ts'
import type { Item } from './service-names.ts'
import { sameEntry } from './store.ts'

export interface Node {
  readonly entry: ZoneEntry
  /** What A and AAAA lead to, where the entry does not know: names to be followed. */
  readonly external?: External | undefined
}

/** Names to be followed for A and AAAA, and the addresses that stand beside them. */
export interface External {
  readonly addresses: readonly Uint8Array[]
  readonly targets: readonly Uint8Array[]
}

/** A name that exists only because others stand below it; CoreDNS denies it for TXT. */
export function structure(below: number, ...types: readonly TypeEntry[]): Node {
  return { entry: { other: Verdict.NODATA, below, types: [...types, denied(Type.TXT)] } }
}

/** A name that has records of one type, and is denied for all others: so are CoreDNS's reverse names, and `dns-version`. */
export function onlyType(type: number, answer: Answer): Node {
  return { entry: { other: Verdict.NXDOMAIN, below: Below.CLOSED, types: [answered(type, answer), NO_SOA] } }
}

/** A name that does not exist, although names below it do. */
export function absent(below: number): Node {
  return { entry: { other: Verdict.NXDOMAIN, below, types: [NO_SOA] } }
}

/** Below the apex there is no SOA record, and that is all that is said, even where there is no name (as in CoreDNS). */
const NO_SOA: TypeEntry = { type: Type.SOA, verdict: Verdict.NODATA }

export function answered(type: number, answer: Answer): TypeEntry {
  return { type, verdict: Verdict.ANSWER, answer }
}

/** A type whose answer is made when it is asked for. */
export function asked(type: number): TypeEntry {
  return { type, verdict: Verdict.ASK }
}

export function denied(type: number): TypeEntry {
  return { type, verdict: Verdict.NXDOMAIN }
}

/** Where a name stands: what its answers depend on besides what stands behind it. */
export interface Place {
  /** The labels of the service's (or pod's) own name, relative to the origin. */
  readonly base: readonly string[]
  readonly origin: Uint8Array
  /** Octets of the whole name. */
  readonly nameLength: number
  readonly ttl: number
}

/** Compiles what stands behind a name that exists. */
export function compileNode(items: readonly Item[], below: number, place: Place): Node {
  const { nameLength, ttl } = place
  const addresses = addressesOf(items)
  const srv = srvOf(items, addresses, place)
  const targets = new Set(items.filter(({ host }) => !addresses.has(host)).map(({ host }) => host))
  const external = targets.size > 0 ? externalOf(addresses, targets) : undefined
  const types: TypeEntry[] = []
  const add = (type: number, answer: Answer | undefined) => answer && types.push(answered(type, answer))
  if (external) {
    // CoreDNS looks at the first of all only: a name makes a CNAME record, an address none.
    const first = targets.has(items[0]!.host) ? external.targets[0] : undefined
    types.push(asked(Type.A), asked(Type.AAAA))
    add(Type.CNAME, first && answerOf([nameRecord(0, Type.CNAME, first, ttl)], [], nameLength))
  } else {
    const family = (size: number) => [...addresses.values()].filter(octets => octets.length === size)
    add(Type.A, addressAnswer(family(4), ttl, nameLength))
    add(Type.AAAA, addressAnswer(family(16), ttl, nameLength))
  }
  add(Type.SRV, srv)
  return { entry: { other: Verdict.NODATA, below, types }, external }
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

function externalOf(addresses: ReadonlyMap<string, Uint8Array>, hosts: ReadonlySet<string>): External {
  const targets = [...hosts].map(nameFromText).filter(name => name !== undefined)
  return { addresses: [...addresses.values()], targets }
}

/**
 * One SRV record for each target and port, with the addresses of the targets. The weight is 100 shared among all addressed items,
 * before doubles are left out, and at least 1.
 */
function srvOf(
  items: readonly Item[],
  addresses: ReadonlyMap<string, Uint8Array>,
  { base, origin, nameLength, ttl }: Place,
): Answer | undefined {
  const common = nameOf(base, origin)
  if (common === undefined) return undefined
  const targets = new Map<string, Target | undefined>()
  const ports: { port: number; target: SrvTarget }[] = []
  const glue: { octets: Uint8Array; target: SrvTarget }[] = []
  let addressed = 0
  for (const { host, port, endpoint } of items) {
    const octets = addresses.get(host)
    if (octets === undefined) continue
    addressed++
    if (port === -1) continue
    if (!targets.has(endpoint)) targets.set(endpoint, targetOf(endpoint, common))
    const target = targets.get(endpoint)
    if (target === undefined) continue
    if (!target.ports.has(port)) ports.push({ port, target })
    if (!target.hosts.has(host)) glue.push({ octets, target })
    target.ports.add(port)
    target.hosts.add(host)
  }
  const weight = Math.max(1, Math.floor(100 / addressed))
  return ports.length > 0 ? srvAnswer({ weight, ports, glue }, ttl, nameLength) : undefined
}

interface Target extends SrvTarget {
  readonly ports: Set<number>
  readonly hosts: Set<string>
}

/** Undefined where the name would be too long. */
function targetOf(endpoint: string, common: Uint8Array): Target | undefined {
  const name = endpoint === '' ? common : nameOf(endpoint.split('.'), common)
  return name && { name, own: name.length - common.length, at: 0, ports: new Set(), hosts: new Set() }
}

/** Whether two nodes say the same, byte for byte. */
export function sameNode(one: Node, other: Node): boolean {
  return sameEntry(one.entry, other.entry) && sameExternal(one.external, other.external)
}

function sameExternal(one: External | undefined, other: External | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  const octets = ({ addresses, targets }: External) => Buffer.concat([...addresses, ...targets])
  return octets(one).equals(octets(other))
}
