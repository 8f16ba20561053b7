/** Which service port the chains and rules of iptables belong to. */
import { ownChain } from '../render/iptables-names.ts'
import type { Rule } from './iptables-rule.ts'
import { leadsTo } from './iptables-saved.ts'
import type { ServiceNames } from './service-names.ts'

type Chains = ReadonlyMap<string, readonly string[]>

interface Reference {
  readonly chain: string
  readonly rule: string
}

/** Of one table: as it should be, and as it is. */
export class Owners {
  readonly #wanted: Chains
  readonly #there: Chains
  readonly #names: ServiceNames
  readonly #known = new Map<string, string | undefined>()
  #references: readonly ReadonlyMap<string, Reference>[] | undefined

  constructor(wanted: Chains, there: Chains, names: ServiceNames) {
    this.#wanted = wanted
    this.#there = there
    this.#names = names
  }

  /** Undefined for a rule that has to do with no service, or with one that nobody knows. */
  ofRule(chain: string, rule: Rule): string | undefined {
    return serviceIn(rule.text) ?? (ownChain.test(chain) ? this.ofChain(chain) : undefined) ?? this.#ofTarget(rule)
  }

  /** By its hash, else by the comments in it, else by what leads to it, else by the hash of the endpoint that it leads to. */
  ofChain(chain: string): string | undefined {
    if (!ownChain.test(chain)) return undefined
    if (!this.#known.has(chain)) {
      // What leads to itself is left without a name.
      this.#known.set(chain, undefined)
      this.#known.set(chain, this.#find(chain))
    }
    return this.#known.get(chain)
  }

  /** The endpoint that a chain leads to; undefined where it leads to none. */
  endpointOf(chain: string): string | undefined {
    for (const rule of [...(this.#there.get(chain) ?? []), ...(this.#wanted.get(chain) ?? [])]) {
      const [, address] = / --to-destination (\S+)/.exec(rule) ?? []
      if (address !== undefined) return address
    }
    return undefined
  }

  #ofTarget({ target, place, address }: Rule): string | undefined {
    const owner = this.ofChain(target)
    if (owner !== undefined || place === undefined) return owner
    const [protocol = '', port = ''] = place.split(' ')
    const ips = address === undefined ? ['0.0.0.0', '::'] : [address.replace(/\/\d+$/, '')]
    return ips.map(ip => this.#names.ofPlace(ip, protocol, port)).find(name => name !== undefined)
  }

  #find(chain: string): string | undefined {
    const own = this.#names.ofChain(chain)?.service ?? this.#ofComments(chain) ?? this.#ofReferences(chain)
    const address = own === undefined ? this.endpointOf(chain) : undefined
    return address === undefined ? own : this.#names.ofEndpoint(chain, address)?.service
  }

  #ofComments(chain: string): string | undefined {
    for (const rule of [...(this.#wanted.get(chain) ?? []), ...(this.#there.get(chain) ?? [])]) {
      const service = serviceIn(rule)
      if (service !== undefined) return service
    }
    return undefined
  }

  #ofReferences(chain: string): string | undefined {
    this.#references ??= [this.#wanted, this.#there].map(referencesOf)
    for (const references of this.#references) {
      const reference = references.get(chain)
      if (reference === undefined) continue
      const service = serviceIn(reference.rule) ?? this.ofChain(reference.chain)
      if (service !== undefined) return service
    }
    return undefined
  }
}

/** The first rule that leads to each chain. */
export function referencesOf(chains: Chains): ReadonlyMap<string, Reference> {
  const references = new Map<string, Reference>()
  for (const [chain, rules] of chains) {
    for (const rule of rules) {
      const target = leadsTo(rule)
      if (target !== undefined && !references.has(target)) references.set(target, { chain, rule })
    }
  }
  return references
}

/** `namespace/name`, with a port behind a colon if it has a name. */
const service = /(?:^|\s)([a-z0-9][a-z0-9.-]*\/[a-z0-9][a-z0-9.-]*(?::[a-z0-9-]*)?)(?=\s|$)/

/** The service port that the comment of a rule names. */
export function serviceIn(rule: string): string | undefined {
  const comment = /--comment (?:"([^"]*)"|(\S+))/.exec(rule)
  return service.exec(comment?.[1] ?? comment?.[2] ?? '')?.[1]
}
