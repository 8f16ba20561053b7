/**
 * Tells which service port a chain or an address belongs to where no comment says so: the hashes that chains are named by are computed
 * again for all services that there are.
 */
import { chainNames, endpointChain } from '../render/iptables-names.ts'
import { tailOf } from '../render/nftables-destination.ts'
import { type Destination, nameOf } from '../route.ts'

export interface Named {
  /** How kube-proxy names the service port. */
  readonly service: string
  /** Whether the hash is that of an old kube-proxy, which wrote a colon behind the names of services with an unnamed port. */
  readonly old: boolean
}

/** The chains of one destination end in the same hash, whatever they are for. */
const byHash = /^KUBE-(?:SVC|SVL|EXT|FW|XLB)-([A-Z2-7]{16})$/

/** So many chains of endpoints are searched for among all services: each takes as many hashes as there are services. */
const SEARCHES = 20

/** Computes hashes when it is asked first: where rules are as they should be, nobody asks. */
export class ServiceNames {
  readonly #destinations: readonly Destination[]
  #tails: ReadonlyMap<string, Named> | undefined
  #places: ReadonlyMap<string, string> | undefined
  #addresses: ReadonlyMap<string, string> | undefined
  #nftables: ReadonlyMap<string, string> | undefined
  #all: ReadonlySet<string> | undefined
  #searches = SEARCHES

  constructor(destinations: Iterable<Destination>) {
    this.#destinations = [...destinations]
  }

  has(service: string): boolean {
    return (this.#all ??= new Set(this.#destinations.map(nameOf))).has(service)
  }

  /** The service port of a chain of iptables; undefined where no service has that hash. */
  ofChain(chain: string): Named | undefined {
    const tail = byHash.exec(chain)?.[1]
    return tail === undefined ? undefined : (this.#tails ??= tailsOf(this.#destinations)).get(tail)
  }

  /** The same of an endpoint's chain, which leads to this address. */
  ofEndpoint(chain: string, address: string): Named | undefined {
    if (this.#searches-- <= 0) return undefined
    for (const destination of this.#destinations) {
      for (const old of destination.portName === '' ? [false, true] : [false]) {
        if (endpointChain(old ? asBefore(destination) : destination, address) === chain)
          return { service: nameOf(destination), old }
      }
    }
    return undefined
  }

  /** The service port at an address; that of a node port is `0.0.0.0` or `::`. */
  ofPlace(ip: string, protocol: string, port: string): string | undefined {
    this.#places ??= placesOf(this.#destinations)
    return this.#places.get(`${ip} ${protocol.toUpperCase()} ${port}`)
  }

  /** One of the service ports of an address: of a service's, or of an endpoint's. */
  ofAddress(ip: string): string | undefined {
    return (this.#addresses ??= addressesOf(this.#destinations)).get(ip)
  }

  /** The service port of a chain in our table of nftables. */
  ofNftables(chain: string): string | undefined {
    const tail = /-([0-9a-f]{16})(?:-\d+)?$/.exec(chain)?.[1]
    if (tail === undefined) return undefined
    this.#nftables ??= new Map(this.#destinations.map(destination => [tailOf(destination), nameOf(destination)]))
    return this.#nftables.get(tail)
  }
}

/** The first service port of each address; an endpoint's where no service has it itself. */
function addressesOf(destinations: readonly Destination[]): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>()
  const enter = ({ ip }: { readonly ip: string }, service: string) => {
    if (!addresses.has(ip)) addresses.set(ip, service)
  }
  for (const destination of destinations) for (const at of destination.addresses) enter(at, nameOf(destination))
  for (const destination of destinations) for (const at of destination.backends) enter(at, nameOf(destination))
  return addresses
}

function tailsOf(destinations: readonly Destination[]): ReadonlyMap<string, Named> {
  const tails = new Map<string, Named>()
  const enter = (destination: Destination, named: Named) => {
    tails.set(byHash.exec(chainNames(destination).cluster)![1]!, named)
  }
  for (const destination of destinations) {
    const service = nameOf(destination)
    enter(destination, { service, old: false })
    if (destination.portName === '') enter(asBefore(destination), { service, old: true })
  }
  return tails
}

function placesOf(destinations: readonly Destination[]): ReadonlyMap<string, string> {
  const places = new Map<string, string>()
  for (const destination of destinations) {
    for (const { ip, port } of destination.addresses) {
      const place = `${ip} ${destination.protocol} ${port}`
      // Of two that claim one address the first has it.
      if (!places.has(place)) places.set(place, nameOf(destination))
    }
  }
  return places
}

function asBefore(destination: Destination): Destination {
  return { ...destination, service: `${destination.service}:` }
}
