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
  /** Whether it is the service's own address: then no endpoint's name counts. */
  readonly isCluster: boolean
  /** The labels of endpoints, in front of the service's own name; empty for that name itself. */
  readonly endpoints: readonly string[]
}

interface Entry {
  /** Ordered by service, so that the answer does not depend on the order of changes. */
  claims: readonly Claim[]
  answer: Answer
}

export class ReverseTable {
  readonly #entries = new Map<NameKey, Entry>()
  /** What each service claims, by the octets of the address: its text may be spelled in more than one way. */
  readonly #claimed = new Map<Key, ReadonlyMap<string, Claim>>()
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
    const before = this.#claimed.get(key) ?? new Map<string, Claim>()
    const after = this.#claims(key, service, slices)
    let changed = false
    for (const place of before.keys()) {
      if (!after.has(place)) changed = this.#put(place, key, undefined) || changed
    }
    for (const [place, claim] of after) {
      if (!sameClaim(before.get(place), claim)) changed = this.#put(place, key, claim) || changed
    }
    if (after.size === 0) this.#claimed.delete(key)
    else this.#claimed.set(key, after)
    return changed
  }

  #claims(key: Key, service: Service | undefined, slices: readonly EndpointSlice[]): Map<string, Claim> {
    const labels = new Map<string, string[]>()
    for (const slice of slices) {
      for (const endpoint of slice.endpoints) {
        if (!endpoint.ready) continue
        for (const address of endpoint.addresses) {
          const place = octetText(address)
          const label = endpointLabel(endpoint, address, this.#options)
          const known = labels.get(place)
          if (known === undefined) labels.set(place, [label])
          else if (!known.includes(label)) known.push(label)
        }
      }
    }
    const claims = new Map<string, Claim>()
    for (const [place, endpoints] of labels) claims.set(place, { service: key, isCluster: false, endpoints })
    for (const address of service?.clusterIPs ?? []) {
      claims.set(octetText(address), { service: key, isCluster: true, endpoints: [''] })
    }
    // What is no address (a name in a slice of names) has no reverse name.
    claims.delete('')
    return claims
  }

  #put(place: string, key: Key, claim: Claim | undefined): boolean {
    const name = reverseName(Buffer.from(place, 'latin1'))
    const entry = this.#entries.get(name)
    const others = entry?.claims.filter(other => other.service !== key) ?? []
    const claims = claim === undefined ? others : [...others, claim]
    if (claims.length > 1) claims.sort((a, b) => (a.service < b.service ? -1 : 1))
    const answer = this.#answer(claims, name)
    if (answer === undefined) return this.#entries.delete(name)
    if (entry && sameAnswer(entry.answer, answer)) {
      entry.claims = claims
      return false
    }
    this.#entries.set(name, { claims, answer })
    return true
  }

  /** Undefined where no claim has a name to give: that of a slice without the service-name label has none. */
  #answer(claims: readonly Claim[], name: NameKey): Answer | undefined {
    const cluster = claims.find(({ isCluster }) => isCluster)
    const targets = (cluster ? [cluster] : claims).flatMap(claim => this.#targets(claim))
    if (targets.length === 0) return undefined
    const records = targets.map(target => nameRecord(0, Type.PTR, target, this.#ttl))
    return answerOf(records, [], name.length)
  }

  #targets({ service, endpoints }: Claim): Uint8Array[] {
    const [namespace, name] = service.split('/') as [string, string]
    return endpoints.flatMap(endpoint => {
      const labels = endpoint === '' ? [] : endpoint.split('.')
      return nameOf([...labels, name, namespace, 'svc'], this.#origin) ?? []
    })
  }
}

/** One character an octet; empty for what is no address. */
function octetText(address: string): string {
  return Buffer.from(addressOctets(address) ?? []).toString('latin1')
}

function sameClaim(one: Claim | undefined, other: Claim): boolean {
  return (
    one !== undefined &&
    one.isCluster === other.isCluster &&
    one.endpoints.length === other.endpoints.length &&
    one.endpoints.every((label, i) => label === other.endpoints[i])
  )
}
