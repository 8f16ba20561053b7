/** The entries of hosts files compiled into answers by name. */
import { reverseName } from '../../wire/address.ts'
import { type Answer, bare } from '../../wire/answer.ts'
import { isWithinAny, type NameKey, nameFromKey, parentOf } from '../../wire/name.ts'
import { encode, type Record } from '../../wire/record.ts'
import { Bit, Class, Rcode, Type } from '../../wire/types.ts'
import type { HostsEntry } from './hosts-file.ts'

/** The answers for one name; NODATA (without SOA, as there is no zone) where it has no address of the family. */
export interface Host {
  readonly a: Answer
  readonly aaaa: Answer
}

export interface TableOptions {
  /** Names outside of these are left out. */
  readonly zones: readonly NameKey[]
  /** Seconds. */
  readonly ttl: number
  /** Whether PTR answers are made. */
  readonly reverse: boolean
}

export const NODATA = bare(Rcode.NOERROR, Bit.AA)

/** More names of one address than fit the largest message. */
const MOST_NAMES = 5000

/** The addresses of each name in one source, wildcards by their own name. */
type Source = Map<NameKey, { readonly a: Uint8Array[]; readonly aaaa: Uint8Array[] }>

export class Table {
  readonly #hosts = new Map<NameKey, Host>()
  readonly #pointers = new Map<NameKey, Answer>()
  /** Addresses and names, as CoreDNS counts them for its metric. */
  readonly size: number

  /** Later sources add to what earlier ones say; a wildcard counts where its own source does not have the name. */
  constructor(sources: readonly (readonly HostsEntry[])[], options: TableOptions) {
    const maps = sources.map(entries => sourceOf(entries, options.zones))
    this.#compileHosts(maps, options.ttl)
    const names = options.reverse ? namesByAddress(sources.flat(), options.zones) : new Map<NameKey, NameKey[]>()
    for (const [address, targets] of names) this.#pointers.set(address, pointers(address, targets, options.ttl))
    const addresses = maps
      .flatMap(map => [...map.values()])
      .reduce((sum, { a, aaaa }) => sum + a.length + aaaa.length, 0)
    this.size = [...names.values()].reduce((sum, targets) => sum + targets.length, addresses)
  }

  /** The name's own entry, or that of a wildcard for its last label. */
  host(key: NameKey): Host | undefined {
    return this.#hosts.get(key) ?? this.#hosts.get(wildcardOf(key))
  }

  /** Every name that has an answer of its own, reverse names among them; wildcards are left out. */
  get names(): NameKey[] {
    return [...this.#hosts.keys(), ...this.#pointers.keys()].filter(key => !isWildcard(key))
  }

  /** The names that have wildcards right below them. */
  get wildcardParents(): NameKey[] {
    return [...this.#hosts.keys()].filter(isWildcard).map(parentOf)
  }

  /** All names of the address that a reverse name stands for. */
  pointers(key: NameKey): Answer | undefined {
    return this.#pointers.get(key)
  }

  #compileHosts(sources: readonly Source[], ttl: number): void {
    // Lists that block names give one address to a hundred thousand of them: these share one answer.
    const shared = new Map<string, Host>()
    for (const key of new Set(sources.flatMap(source => [...source.keys()]))) {
      const a = addressesOf(sources, key, 'a')
      const aaaa = addressesOf(sources, key, 'aaaa')
      const id = [...a, ...aaaa].join(' ')
      const host = shared.get(id) ?? { a: addresses(Type.A, a, ttl), aaaa: addresses(Type.AAAA, aaaa, ttl) }
      shared.set(id, host)
      this.#hosts.set(key, host)
    }
  }
}

function wildcardOf(key: NameKey): NameKey {
  return `\x01*${parentOf(key)}` as NameKey
}

function isWildcard(key: NameKey): boolean {
  return key.startsWith('\x01*')
}

function sourceOf(entries: readonly HostsEntry[], zones: readonly NameKey[]): Source {
  const source: Source = new Map()
  for (const { address, names } of entries) {
    for (const name of names) {
      if (!isWithinAny(name, zones)) continue
      const known = source.get(name) ?? { a: [], aaaa: [] }
      source.set(name, known)
      known[address.length === 4 ? 'a' : 'aaaa'].push(address)
    }
  }
  return source
}

function addressesOf(sources: readonly Source[], key: NameKey, family: 'a' | 'aaaa'): Uint8Array[] {
  return sources.flatMap(source => {
    const own = source.get(key)?.[family] ?? []
    return own.length > 0 ? own : (source.get(wildcardOf(key))?.[family] ?? [])
  })
}

/** Owners point at the start of the question, so that the answer is right for a name of any length. */
function addresses(type: number, octets: readonly Uint8Array[], ttl: number): Answer {
  if (octets.length === 0) return NODATA
  const answers = octets.map((rdata): Record => ({ owner: 0, type, class: Class.IN, ttl, rdata }))
  return encode({ answers, authorities: [], additionals: [] }, 0, { bits: Bit.AA })
}

function namesByAddress(entries: readonly HostsEntry[], zones: readonly NameKey[]): Map<NameKey, NameKey[]> {
  const byAddress = new Map<NameKey, NameKey[]>()
  for (const { address, names } of entries) {
    const served = names.filter(name => !isWildcard(name) && isWithinAny(name, zones))
    if (served.length === 0) continue
    const key = reverseName(address)
    const known = byAddress.get(key)
    if (known) known.push(...served)
    else byAddress.set(key, served)
  }
  return byAddress
}

function pointers(address: NameKey, names: readonly NameKey[], ttl: number): Answer {
  const answers = names
    .slice(0, MOST_NAMES)
    .map((name): Record => ({ owner: 0, type: Type.PTR, class: Class.IN, ttl, rdata: nameFromKey(name) }))
  return encode({ answers, authorities: [], additionals: [] }, address.length, { bits: Bit.AA })
}
