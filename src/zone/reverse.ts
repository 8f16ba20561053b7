/**
 * The reverse names of a cluster: for a cluster address the one service that has it, otherwise every endpoint with that address
 * (in any slice, also of services that do not exist). The former are compiled; of the latter, which hardly anybody asks for, only
 * who has the address is kept, and the answer is made when it is asked for.
 */
import type { EndpointSlice, Key } from '../cluster/objects.ts'
import { narrowed } from '../cluster/packed-slice.ts'
import type { Answer } from '../wire/answer.ts'
import { isWithin, type NameKey, nameOf } from '../wire/name.ts'
import { Type } from '../wire/types.ts'
import { type AddressKey, addressKey, addressOfReverse, reverseNameOf, spellings } from './address.ts'
import { onlyType } from './node.ts'
import type { OriginZone } from './origin-zone.ts'
import { answerOf, nameRecord } from './rdata.ts'
import { namespaceOf, type Selection, type Shown } from './selection.ts'
import { endpointLabel, type NamingOptions } from './service-names.ts'

export interface ReverseOptions extends NamingOptions {
  readonly ttl: number
}

export class ReverseNames {
  /** The services that have an address as their own, and those that have it among their ready endpoints. */
  readonly #clusters = new KeyIndex()
  readonly #endpoints = new KeyIndex()
  /** Longest origin first. */
  readonly #zones: readonly OriginZone[]
  /** The zone that the targets lie in. */
  readonly #target: Uint8Array
  readonly #selection: Selection
  readonly #options: ReverseOptions

  constructor(zones: readonly OriginZone[], target: Uint8Array, selection: Selection, options: ReverseOptions) {
    this.#zones = zones.toSorted((a, b) => b.origin.length - a.origin.length)
    this.#target = target
    this.#selection = selection
    this.#options = options
  }

  clear(): void {
    this.#clusters.clear()
    this.#endpoints.clear()
  }

  /** The services that have this address among their ready endpoints, whether or not they exist. */
  servicesAt(address: string): readonly Key[] {
    const place = addressKey(address)
    return place === undefined ? [] : this.#endpoints.get(place)
  }

  /** The PTR records of an address that is no cluster address. */
  find(name: NameKey): Answer | undefined {
    const address = addressOfReverse(name)
    if (address === undefined) return undefined
    const keys = this.#endpoints.get(address)
    if (keys.length === 0) return undefined
    const search = spellings(address)
    const targets = keys.flatMap(key => {
      const { slices, reversed } = this.#selection.of(key)
      const labels = reversed ? this.#labels(slices.map(slice => narrowed(slice, search))).get(address) : undefined
      return labels?.flatMap(label => this.#targetOf(key, label)) ?? []
    })
    return targets.length > 0 ? this.#answer(targets, name) : undefined
  }

  /** Takes note of a service's change; true when that changes an answer. */
  update(key: Key, before: Shown, after: Shown): boolean {
    const changed = this.#updateClusters(key, before, after)
    return this.#updateEndpoints(key, before, after) || changed
  }

  #updateClusters(key: Key, before: Shown, after: Shown): boolean {
    const old = clusterAddresses(before)
    const fresh = clusterAddresses(after)
    let changed = false
    for (const address of old) {
      if (fresh.has(address)) continue
      this.#clusters.delete(address, key)
      changed = this.#compile(address) || changed
    }
    for (const address of fresh) {
      if (old.has(address)) continue
      this.#clusters.add(address, key)
      changed = this.#compile(address) || changed
    }
    return changed
  }

  #compile(address: AddressKey): boolean {
    const name = reverseNameOf(address)
    // Two services with one address are a mistake: which of them it is must not depend on the order of changes.
    const [key] = this.#clusters.get(address)
    const targets = key === undefined ? [] : this.#targetOf(key, '')
    const node = targets.length > 0 ? onlyType(Type.PTR, this.#answer(targets, name)) : undefined
    return this.#zoneOf(name)?.put(name, node) ?? false
  }

  #updateEndpoints(key: Key, before: Shown, after: Shown): boolean {
    if (before.slices === after.slices && before.reversed === after.reversed) return false
    const fresh = this.#labels(after.slices)
    const old = this.#labels(before.slices)
    for (const address of old.keys()) if (!fresh.has(address)) this.#endpoints.delete(address, key)
    for (const address of fresh.keys()) if (!old.has(address)) this.#endpoints.add(address, key)

    const said = before.reversed ? old : NO_LABELS
    const says = after.reversed ? fresh : NO_LABELS
    for (const [address, labels] of says) {
      if (said.get(address)?.join() !== labels.join() && this.#isEndpoint(address)) return true
    }
    for (const address of said.keys()) if (!says.has(address) && this.#isEndpoint(address)) return true
    return false
  }

  /** Whether the names of endpoints are what an address has: not where it is a cluster address too. */
  #isEndpoint(address: AddressKey): boolean {
    return this.#clusters.get(address).length === 0 && this.#zoneOf(reverseNameOf(address)) !== undefined
  }

  /** The labels that ready endpoints with an address have, in front of the service's own name. */
  #labels(slices: readonly EndpointSlice[]): Map<AddressKey, string[]> {
    const labels = new Map<AddressKey, string[]>()
    for (const slice of slices) {
      for (const endpoint of slice.endpoints) {
        if (!endpoint.ready) continue
        for (const address of endpoint.addresses) {
          const place = addressKey(address)
          if (place === undefined) continue
          const label = endpointLabel(endpoint, address, this.#options)
          const known = labels.get(place)
          if (known === undefined) labels.set(place, [label])
          else if (!known.includes(label)) known.push(label)
        }
      }
    }
    return labels
  }

  #zoneOf(name: NameKey): OriginZone | undefined {
    return this.#zones.find(({ origin }) => isWithin(name, origin))
  }

  /** None where the name would be too long. */
  #targetOf(key: Key, endpoint: string): Uint8Array[] {
    const namespace = namespaceOf(key)
    const base = [key.slice(namespace.length + 1), namespace, 'svc']
    const name = nameOf(endpoint === '' ? base : [...endpoint.split('.'), ...base], this.#target)
    return name === undefined ? [] : [name]
  }

  #answer(targets: readonly Uint8Array[], { length }: NameKey): Answer {
    const records = targets.map(target => nameRecord(0, Type.PTR, target, this.#options.ttl))
    return answerOf(records, [], length)
  }
}

const NO_LABELS: ReadonlyMap<AddressKey, readonly string[]> = new Map()

function clusterAddresses({ service, reversed }: Shown): Set<AddressKey> {
  const addresses = reversed ? (service?.clusterIPs ?? []) : []
  return new Set(addresses.map(addressKey).filter(address => address !== undefined))
}

/** Which services have an address, by their keys in order. There may be 100,000 addresses, and nearly all are in one service. */
class KeyIndex {
  readonly #keys = new Map<AddressKey, Key | readonly Key[]>()

  get(address: AddressKey): readonly Key[] {
    const keys = this.#keys.get(address) ?? []
    return typeof keys === 'string' ? [keys] : keys
  }

  add(address: AddressKey, key: Key): void {
    const keys = this.get(address)
    if (!keys.includes(key)) this.#keys.set(address, keys.length === 0 ? key : [...keys, key].sort())
  }

  delete(address: AddressKey, key: Key): void {
    const rest = this.get(address).filter(other => other !== key)
    if (rest.length > 1) this.#keys.set(address, rest)
    else if (rest.length === 1) this.#keys.set(address, rest[0]!)
    else this.#keys.delete(address)
  }

  clear(): void {
    this.#keys.clear()
  }
}
