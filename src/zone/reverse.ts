/**
 * The reverse names of a cluster: for a cluster address the one service that has it, otherwise every endpoint with that address
 * (in any slice, also of services that do not exist).
 */
import type { EndpointSlice, Key, Service } from '../cluster/objects.ts'
import { addressOctets, reverseName } from '../wire/address.ts'
import type { Answer } from '../wire/answer.ts'
import { type NameKey, nameOf } from '../wire/name.ts'
import { Type } from '../wire/types.ts'
import { sameAnswer } from './node.ts'
import { answerOf, nameRecord } from './rdata.ts'
import { endpointLabel, type NamingOptions } from './service-names.ts'

/** What one service says about one address. */
interface Claim {
  readonly service: Key
  readonly isCluster: boolean
  readonly targets: readonly Uint8Array[]
}

interface Entry {
  /** Ordered by service, so that the answer does not depend on the order of changes. */
  claims: readonly Claim[]
  answer: Answer
}

export class ReverseTable {
  readonly #entries = new Map<NameKey, Entry>()
  /** The reverse names that a service has claims on. */
  readonly #claimed = new Map<Key, readonly NameKey[]>()
  /** The zone that the targets lie in. */
  readonly #origin: Uint8Array
  readonly #ttl: number
  readonly #options: NamingOptions

  constructor(origin: Uint8Array, ttl: number, options: NamingOptions) {
    this.#origin = origin
    this.#ttl = ttl
    this.#options = options
  }

  find(key: NameKey): Answer | undefined {
    return this.#entries.get(key)?.answer
  }

  clear(): void {
    this.#entries.clear()
    this.#claimed.clear()
  }

  /** Replaces what a service says; true when an answer changed. Undefined and no slices: nothing. */
  update(key: Key, service: Service | undefined, slices: readonly EndpointSlice[]): boolean {
    const claims = this.#claims(key, service, slices)
    const before = this.#claimed.get(key) ?? []
    let changed = false
    for (const name of before) if (!claims.has(name)) changed = this.#put(name, key, undefined) || changed
    for (const [name, claim] of claims) changed = this.#put(name, key, claim) || changed
    if (claims.size === 0) this.#claimed.delete(key)
    else this.#claimed.set(key, [...claims.keys()])
    return changed
  }

  #claims(key: Key, service: Service | undefined, slices: readonly EndpointSlice[]): Map<NameKey, Claim> {
    const claims = new Map<NameKey, Claim>()
    for (const slice of slices) {
      for (const endpoint of slice.endpoints) {
        if (!endpoint.ready) continue
        for (const address of endpoint.addresses) {
          const octets = addressOctets(address)
          const labels = endpointLabel(endpoint, address, this.#options).split('.')
          const target = nameOf([...labels, slice.serviceName, slice.namespace, 'svc'], this.#origin)
          // A slice without the service-name label has no name to give.
          if (octets === undefined || target === undefined) continue
          const name = reverseName(octets)
          const targets = claims.get(name)?.targets ?? []
          const known = targets.some(other => Buffer.compare(other, target) === 0)
          claims.set(name, { service: key, isCluster: false, targets: known ? targets : [...targets, target] })
        }
      }
    }
    for (const address of service?.clusterIPs ?? []) {
      const octets = addressOctets(address)
      const target = nameOf([service!.name, service!.namespace, 'svc'], this.#origin)
      if (octets === undefined || target === undefined) continue
      claims.set(reverseName(octets), { service: key, isCluster: true, targets: [target] })
    }
    return claims
  }

  #put(name: NameKey, key: Key, claim: Claim | undefined): boolean {
    const entry = this.#entries.get(name)
    const others = entry?.claims.filter(other => other.service !== key) ?? []
    const claims = claim === undefined ? others : [...others, claim]
    if (claims.length === 0) return this.#entries.delete(name)
    if (claims.length > 1) claims.sort((a, b) => (a.service < b.service ? -1 : 1))
    const cluster = claims.find(({ isCluster }) => isCluster)
    const targets = cluster ? cluster.targets : claims.flatMap(({ targets }) => targets)
    const records = targets.map(target => nameRecord(0, Type.PTR, target, this.#ttl))
    const answer = answerOf(records, [], name.length)
    if (entry && sameAnswer(entry.answer, answer)) {
      entry.claims = claims
      return false
    }
    this.#entries.set(name, { claims, answer })
    return true
  }
}
