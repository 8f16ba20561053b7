/** Which service port the chains, maps and elements of nftables belong to. */
import type { NftTable } from './nftables-table.ts'
import type { ServiceNames } from './service-names.ts'

/** `service-H5W2QM7A-shop/web/tcp/http` is how kube-proxy names chains; behind `__` is an endpoint. */
const kubeProxyName =
  /^(?:service|local|external|firewall|endpoint|affinity)-[A-Z2-7]{8}-([^/]+)\/([^/]+)\/[a-z]+\/([^/_]*)/

export class NftOwners {
  readonly #names: ServiceNames
  readonly #tables: readonly NftTable[]
  #users: ReadonlyMap<string, string> | undefined

  /** `tables` are the one that should be there, and the one that is. */
  constructor(tables: readonly NftTable[], names: ServiceNames) {
    this.#names = names
    this.#tables = tables
  }

  /** By its name, else by the comments of its rules. */
  ofChain(chain: string): string | undefined {
    const named = kubeProxyPort(chain) ?? this.#names.ofNftables(chain)
    if (named !== undefined) return named
    for (const { chains } of this.#tables) {
      for (const { comment } of chains.get(chain)?.rules ?? []) if (comment.includes('/')) return comment
    }
    return undefined
  }

  /** Of a set of one service alone: the one whose chains use it. */
  ofSet(name: string): string | undefined {
    const own = kubeProxyPort(name)
    if (own !== undefined || !name.startsWith('clients-')) return own
    this.#users ??= usersOf(this.#tables)
    const chain = this.#users.get(name)
    return chain === undefined ? undefined : this.ofChain(chain)
  }

  /** By the address in its key, else by the chain that it leads to. */
  ofElement(key: string, value: string): string | undefined {
    const parts = key.split(' . ')
    const [first = '', second = '', third] = parts
    const names = this.#names
    if (/^(tcp|udp|sctp)$/.test(first))
      return names.ofPlace('0.0.0.0', first, second) ?? names.ofPlace('::', first, second) ?? this.#ofTarget(value)
    if (third !== undefined) return names.ofPlace(first, second, third) ?? this.#ofTarget(value)
    return names.ofAddress(first)
  }

  #ofTarget(value: string): string | undefined {
    const target = /^goto (\S+)$/.exec(value)?.[1]
    return target === undefined ? undefined : this.ofChain(target)
  }
}

function kubeProxyPort(name: string): string | undefined {
  const [, namespace, service, port] = kubeProxyName.exec(name) ?? []
  if (namespace === undefined) return undefined
  return port === '' ? `${namespace}/${service}` : `${namespace}/${service}:${port}`
}

/** The first chain that uses each set. */
function usersOf(tables: readonly NftTable[]): ReadonlyMap<string, string> {
  const users = new Map<string, string>()
  for (const { chains } of tables) {
    for (const [chain, { rules }] of chains) {
      for (const { meaning } of rules) {
        for (const [, set] of meaning.matchAll(/@(\S+)/g)) if (!users.has(set!)) users.set(set!, chain)
      }
    }
  }
  return users
}
