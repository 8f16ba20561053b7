/**
 * The zone's name servers: the services that this server stands behind or, where it is no endpoint of any, its own addresses
 * under `ns.dns.<zone>`.
 */
import { networkInterfaces } from 'node:os'
import { addressOctets } from '../../wire/address.ts'
import type { Answer } from '../../wire/answer.ts'
import { nameOf } from '../../wire/name.ts'
import type { Record } from '../../wire/record.ts'
import { Type } from '../../wire/types.ts'
import { type ClusterZones, NAME_SERVER } from '../../zone/cluster-zones.ts'
import type { OriginZone } from '../../zone/origin-zone.ts'
import { addressAnswer, addressRecord, answerOf, nameRecord } from '../../zone/rdata.ts'
import { endpointLabel, type NamingOptions } from '../../zone/service-names.ts'

/** An address, and the name under which the zone has it. */
interface NamedAddress {
  readonly labels: readonly string[]
  readonly octets: Uint8Array
}

/** The machine's own addresses but loopback's. */
export function localAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return all.filter(({ internal }) => !internal).map(({ address }) => address)
}

export class NameServers {
  readonly #zones: ClusterZones
  readonly #local: readonly string[]
  readonly #ttl: number
  readonly #naming: Pick<NamingOptions, 'endpointPodNames'>

  /** `local`: the addresses this server answers on. */
  constructor(
    zones: ClusterZones,
    local: readonly string[],
    ttl: number,
    naming: Pick<NamingOptions, 'endpointPodNames'>,
  ) {
    this.#zones = zones
    this.#local = local
    this.#ttl = ttl
    this.#naming = naming
  }

  /** NS records of the apex with their addresses; undefined where there are none. */
  records(zone: OriginZone): Answer | undefined {
    const answers = new Map<string, Record>()
    const additionals: Record[] = []
    for (const { labels, octets } of this.#addresses()) {
      const name = nameOf(labels, zone.originName)
      if (name === undefined) continue
      answers.set(labels.join('.'), nameRecord(0, Type.NS, name, this.#ttl))
      additionals.push(addressRecord(name, octets, this.#ttl))
    }
    if (answers.size === 0) return undefined
    return answerOf([...answers.values()], additionals, zone.origin.length)
  }

  /** The addresses of `ns.dns.<zone>` in one family; undefined where there are none. */
  addresses(type: number, nameLength: number): Answer | undefined {
    const size = type === Type.A ? 4 : 16
    const octets = this.#addresses().map(address => address.octets)
    return addressAnswer(
      octets.filter(({ length }) => length === size),
      this.#ttl,
      nameLength,
    )
  }

  #addresses(): NamedAddress[] {
    const services = [...new Set(this.#local.flatMap(address => this.#zones.servicesAt(address)))]
    if (services.length === 0) {
      return this.#local.flatMap(address => named(NAME_SERVER, address))
    }
    return services.flatMap(service => {
      const labels = [service.name, service.namespace, 'svc']
      if (!service.headless) return service.clusterIPs.flatMap(address => named(labels, address))
      const endpoints = this.#zones.slices(`${service.namespace}/${service.name}`).flatMap(slice => slice.endpoints)
      return endpoints
        .filter(({ ready }) => ready)
        .flatMap(endpoint =>
          endpoint.addresses.flatMap(address =>
            named([...endpointLabel(endpoint, address, this.#naming).split('.'), ...labels], address),
          ),
        )
    })
  }
}

function named(labels: readonly string[], address: string): NamedAddress[] {
  const octets = addressOctets(address)
  return octets === undefined ? [] : [{ labels, octets }]
}
