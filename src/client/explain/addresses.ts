/**
 * Who has which address. Found out once for all addresses of an explanation, and only as far as one asks: a headless service has hundreds, and
 * the cluster a hundred thousand.
 */
import type { ClusterView } from '../../cluster/contract.ts'
import { type EndpointSlice, keyOf, type Service } from '../../cluster/objects.ts'
import { type Routes, RouteTable } from '../../routes/table.ts'
import { canonicalAddress } from '../../wire/address.ts'

export class Addresses {
  readonly #view: ClusterView
  #services: ReadonlyMap<string, readonly Service[]> | undefined
  #slices: ReadonlyMap<string, readonly EndpointSlice[]> | undefined

  constructor(view: ClusterView) {
    this.#view = view
  }

  /** The routes of the services that have the address, or the port on each node, and of no others. */
  routes(ip: string, port: number | undefined): Routes {
    this.#services ??= byAddress(this.#view.list('Service'), virtualIPs)
    const wanted = [...(this.#services.get(ip) ?? []), ...(port === undefined ? [] : this.#withNodePort(port))]
    const table = new RouteTable()
    table.update(this.#view, { services: new Set(wanted.map(keyOf)) })
    return table
  }

  /** The slices that have the address, in the order of the cluster's. */
  slices(ip: string): readonly EndpointSlice[] {
    const addressesOf = ({ endpoints }: EndpointSlice) => endpoints.flatMap(({ addresses }) => addresses)
    this.#slices ??= byAddress(this.#view.list('EndpointSlice'), addressesOf)
    return this.#slices.get(ip) ?? []
  }

  #withNodePort(port: number): Service[] {
    return [...this.#view.list('Service')].filter(({ ports }) => ports.some(({ nodePort }) => nodePort === port))
  }
}

function virtualIPs({ clusterIPs, externalIPs, loadBalancerIPs }: Service): string[] {
  const all = [...clusterIPs, ...externalIPs, ...loadBalancerIPs]
  return [...all, ...all.map(canonicalAddress)]
}

function byAddress<T>(objects: Iterable<T>, addressesOf: (object: T) => readonly string[]): Map<string, T[]> {
  const found = new Map<string, T[]>()
  for (const object of objects) {
    for (const ip of new Set(addressesOf(object))) {
      const known = found.get(ip)
      if (known === undefined) found.set(ip, [object])
      else known.push(object)
    }
  }
  return found
}
