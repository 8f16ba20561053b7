/**
 * What a node has in kube-proxy's mode ipvs (1.34, `pkg/proxy/ipvs/proxier.go`): virtual servers with their real ones, entries of
 * sets, and the addresses that it takes to itself. Facts; the texts are made of them elsewhere.
 */
import type { Protocol } from '../../cluster/objects.ts'
import { hostPort } from '../../corefile/addresses.ts'
import { holds } from '../../wire/range.ts'
import type { Backend, Destination, VirtualAddress } from '../route.ts'
import { loopback, type Setting } from '../setting.ts'
import { type Usable, usable } from '../usable.ts'
import { type SetName, setNames } from './ipvs-sets.ts'

export interface VirtualServer {
  readonly ip: string
  readonly port: number
  readonly protocol: Protocol
  /** 0 for no affinity. */
  readonly affinitySeconds: number
  readonly backends: readonly Backend[]
}

/** A load balancer's address that the node itself may not use. */
export interface Denied {
  readonly ip: string
  readonly port: number
  readonly protocol: Protocol
}

export class IpvsNode {
  readonly #setting: Setting
  /** By protocol, address and port. */
  readonly #servers = new Map<string, VirtualServer>()
  readonly sets: Readonly<Record<SetName, Set<string>>>
  readonly denied: Denied[] = []

  constructor(destinations: Iterable<Destination>, setting: Setting) {
    this.#setting = setting
    this.sets = Object.fromEntries(setNames.map(name => [name, new Set()])) as unknown as Record<SetName, Set<string>>
    for (const destination of destinations) this.#add(destination)
  }

  get servers(): Iterable<VirtualServer> {
    return this.#servers.values()
  }

  #add(destination: Destination): void {
    const { place, ownIPs } = this.#setting
    const found = usable(destination, place)
    const { protocol, backends, addresses } = destination
    for (const { ip, port, nodeName } of backends) {
      if (place.node !== '' && nodeName === place.node) this.sets['LOOP-BACK'].add(`${entry(ip, port, protocol)},${ip}`)
    }
    for (const address of addresses) {
      if (address.kind === 'NodePort') this.#addNodePort(destination, address.port, found)
      else {
        this.#serve(destination, address, found)
        this.#enter(destination, address)
        const isOwn = address.kind !== 'ClusterIP' && ownIPs.includes(address.ip)
        if (!isOwn) this.sets['IPVS-IPS'].add(address.ip)
      }
    }
    if (destination.healthCheckNodePort > 0)
      this.sets['HEALTH-CHECK-NODE-PORT'].add(`${destination.healthCheckNodePort}`)
  }

  /** The first service has an address that several claim. */
  #serve(destination: Destination, { kind, ip, port }: VirtualAddress, found: Usable): void {
    const { protocol, affinitySeconds, internalPolicy, externalPolicy } = destination
    const key = `${protocol} ${hostPort(ip, port)}`
    if (this.#servers.has(key)) return
    const policy = kind === 'ClusterIP' ? internalPolicy : externalPolicy
    // Without an endpoint on the node it is as with the policy Cluster, so that the node's pods get through.
    const backends = policy === 'Local' && found.local.length > 0 ? found.local : found.cluster
    this.#servers.set(key, { ip, port, protocol, affinitySeconds, backends })
  }

  #enter(destination: Destination, { kind, ip, port }: VirtualAddress): void {
    const { protocol, externalPolicy } = destination
    const text = entry(ip, port, protocol)
    const isLocal = externalPolicy === 'Local'
    if (kind === 'ClusterIP') this.sets['CLUSTER-IP'].add(text)
    if (kind === 'ExternalIP') this.sets[isLocal ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP'].add(text)
    if (kind !== 'LoadBalancer') return
    this.sets['LOAD-BALANCER'].add(text)
    if (isLocal) this.sets['LOAD-BALANCER-LOCAL'].add(text)
    if (destination.sourceRanges.length > 0) this.#guard(destination.sourceRanges, { ip, port, protocol })
  }

  #guard(ranges: readonly string[], { ip, port, protocol }: Denied): void {
    const text = entry(ip, port, protocol)
    this.sets['LOAD-BALANCER-FW'].add(text)
    for (const range of ranges) this.sets['LOAD-BALANCER-SOURCE-CIDR'].add(`${text},${range}`)
    // What the node itself sends to the address comes from the address, which is on its dummy device.
    if (ranges.some(range => holds(range, this.#setting.nodeIP)))
      this.sets['LOAD-BALANCER-SOURCE-IP'].add(`${text},${ip}`)
    else this.denied.push({ ip, port, protocol })
  }

  /** A virtual server at each of the node's addresses; its loopback address is none of them. */
  #addNodePort(destination: Destination, port: number, found: Usable): void {
    const { family, nodePortIPs, ownIPs } = this.#setting
    const ips = (nodePortIPs ?? ownIPs).filter(ip => ip !== loopback[family])
    if (ips.length === 0) return
    for (const ip of ips) this.#serve(destination, { kind: 'NodePort', ip, port }, found)
    const { protocol, externalPolicy } = destination
    const entries = protocol === 'SCTP' ? ips.map(ip => entry(ip, port, protocol)) : [`${port}`]
    const tail = protocol === 'SCTP' ? 'SCTP-HASH' : protocol
    for (const text of entries) {
      this.sets[`NODE-PORT-${tail}`].add(text)
      if (externalPolicy === 'Local') this.sets[`NODE-PORT-LOCAL-${tail}`].add(text)
    }
  }
}

/** As the types that begin with `hash:ip,port` write it, IPv6 too. */
function entry(ip: string, port: number, protocol: Protocol): string {
  return `${ip},${protocol.toLowerCase()}:${port}`
}
