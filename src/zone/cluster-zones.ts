/**
 * Projection 1: the zones that a cluster's objects make, one table of compiled names for each origin and one for reverse names,
 * kept current with each commit of the cluster state.
 */
import type { Changes, ClusterView, Projection } from '../cluster/contract.ts'
import type { Selector } from '../cluster/labels.ts'
import type { EndpointSlice, Key, Pod, Service } from '../cluster/objects.ts'
import type { Answer } from '../wire/answer.ts'
import { keyOfName, labelsOf, MAX_NAME, type NameKey, nameFromKey, nameOf } from '../wire/name.ts'
import { Class, Type } from '../wire/types.ts'
import { isReverse } from './address.ts'
import { compileNode, type External, type Node, STRUCTURE } from './node.ts'
import { OriginZone } from './origin-zone.ts'
import { type PodMode, podItems } from './pod-names.ts'
import { answerOf } from './rdata.ts'
import { ReverseTable } from './reverse.ts'
import { type Item, portItems, sameItems, serviceNames, zonalItems } from './service-names.ts'

export interface ZoneOptions {
  /** In the order of the Corefile; PTR records point into the first that is no reverse zone. */
  readonly origins: readonly NameKey[]
  readonly ttl: number
  readonly pods: PodMode
  readonly endpointPodNames: boolean
  readonly ignoreEmptyService: boolean
  readonly noEndpoints: boolean
  readonly zonal: boolean
  /** Empty: all. */
  readonly namespaces: ReadonlySet<string>
  /** Which Services, EndpointSlices and Pods there are. */
  readonly labels?: Selector | undefined
  readonly namespaceLabels?: Selector | undefined
  /** Whether `dns.<origin>`, above `ns.dns.<origin>`, exists: not where its NXDOMAIN falls through to another plugin. */
  readonly dnsNode: (origin: NameKey) => boolean
  /** Seconds since the epoch, for the serial. */
  readonly now: () => number
}

const TXT_VERSION_TTL = 28_800
const NO_SLICES: readonly EndpointSlice[] = []

/** `ns.dns` answers A and AAAA with addresses that only the server knows. */
export const NAME_SERVER = ['ns', 'dns'] as const

export class ClusterZones implements Projection {
  readonly zones: readonly OriginZone[]
  readonly #options: ZoneOptions
  readonly #reverse: ReverseTable
  #view: ClusterView | undefined
  /** The names of each service, without origin, as they stand in the tables, and what stands behind them. */
  readonly #names = new Map<Key, ReadonlyMap<string, readonly Item[]>>()
  readonly #byNamespace = new Map<string, Set<Key>>()
  /** With `zonal`, the topology zones of each headless service's endpoints: zonal names are made when asked. */
  readonly #topology = new Map<Key, string>()

  constructor(options: ZoneOptions) {
    this.#options = options
    this.zones = options.origins.map(origin => new OriginZone(origin, options.ttl, options.now()))
    const primary = options.origins.find(origin => !isReverse(origin)) ?? options.origins[0]!
    this.#reverse = new ReverseTable(nameFromKey(primary), options.ttl, options)
  }

  rebuild(view: ClusterView): void {
    this.#view = view
    this.#names.clear()
    this.#byNamespace.clear()
    this.#topology.clear()
    this.#reverse.clear()
    for (const zone of this.zones) {
      zone.clear()
      this.#putFixedNames(zone)
    }
    for (const namespace of view.list('Namespace')) this.#updateNamespace(namespace.name)
    const services = new Set<Key>()
    for (const { namespace, name } of view.list('Service')) services.add(`${namespace}/${name}`)
    for (const slice of view.list('EndpointSlice')) services.add(`${slice.namespace}/${slice.serviceName}`)
    for (const key of services) this.#updateService(key)
    this.#moveSerial()
  }

  update(view: ClusterView, changes: Changes): void {
    this.#view = view
    let changed = false
    const services = new Set(changes.services)
    for (const namespace of changes.namespaces) {
      changed = this.#updateNamespace(namespace) || changed
      for (const key of this.#byNamespace.get(namespace) ?? []) services.add(key)
    }
    for (const key of services) changed = this.#updateService(key) || changed
    if (changed || this.#podNamesChange(changes.pods)) this.#moveSerial()
  }

  /**
   * The answer to a name within `zone`, or names that have yet to be followed. Types that a zone answers without looking at
   * names (SOA, NS of the apex) are the caller's business.
   */
  find(zone: OriginZone, key: NameKey, type: number): Answer | External {
    const reverse = type === Type.PTR ? this.#reverse.find(key) : undefined
    if (reverse) return reverse
    const node = zone.node(key) ?? this.#rareNode(zone, key)
    return node ? zone.answer(node, type, key.length) : zone.nxdomain(key.length)
  }

  /** The services that have this address among their ready endpoints. */
  servicesAt(address: string): Service[] {
    const found: Service[] = []
    for (const slice of this.#view?.list('EndpointSlice') ?? []) {
      const here = slice.endpoints.some(endpoint => endpoint.ready && endpoint.addresses.includes(address))
      const service = here ? this.#view?.service(`${slice.namespace}/${slice.serviceName}`) : undefined
      if (service && !found.includes(service)) found.push(service)
    }
    return found
  }

  /** The slices of a service that count. */
  slices(key: Key): readonly EndpointSlice[] {
    const { labels, noEndpoints } = this.#options
    if (noEndpoints || this.#view === undefined) return NO_SLICES
    const slices = this.#view.slices(key)
    return labels ? slices.filter(slice => labels(slice.labels)) : slices
  }

  #service(key: Key): Service | undefined {
    const service = this.#view?.service(key)
    return service && (this.#options.labels?.(service.labels) ?? true) ? service : undefined
  }

  #exposes(namespace: string): boolean {
    const { namespaces, namespaceLabels } = this.#options
    if (namespaces.size > 0 && !namespaces.has(namespace)) return false
    const object = this.#view?.get('Namespace', namespace)
    return object !== undefined && (namespaceLabels?.(object.labels) ?? true)
  }

  #putFixedNames(zone: OriginZone): void {
    const put = (labels: readonly string[], node: Node) => zone.put(keyOfName(nameOf(labels, zone.originName)!), node)
    put([], STRUCTURE)
    put(['svc'], STRUCTURE)
    put(['pod'], STRUCTURE)
    put(NAME_SERVER, { denied: [Type.TXT, Type.PTR] })
    if (!isReverse(zone.origin) && this.#options.dnsNode(zone.origin)) put(['dns'], { denied: [Type.TXT] })
    const version = { owner: 0, type: Type.TXT, class: Class.IN, ttl: TXT_VERSION_TTL, rdata: Buffer.from('\x051.1.0') }
    const name = nameOf(['dns-version'], zone.originName)!
    // Only its TXT record exists, as CoreDNS has it: the name is denied for every other type.
    zone.put(keyOfName(name), { txt: answerOf([version], [], name.length), denied: 'all' })
  }

  #updateNamespace(name: string): boolean {
    const exists = this.#exposes(name)
    let changed = false
    for (const zone of this.zones) {
      if (isReverse(zone.origin)) continue
      for (const branch of this.#options.pods === 'disabled' ? ['svc'] : ['svc', 'pod']) {
        const wire = nameOf([name, branch], zone.originName)
        if (wire) changed = zone.put(keyOfName(wire), exists ? STRUCTURE : undefined) || changed
      }
    }
    return changed
  }

  #updateService(key: Key): boolean {
    const [namespace] = key.split('/') as [string]
    const service = this.#service(key)
    const slices = this.slices(key)
    this.#note(namespace, key, service !== undefined || slices.length > 0)

    const exposed = this.#exposes(namespace)
    const names = service && exposed ? serviceNames(service, slices, this.#options) : []
    const before = this.#names.get(key) ?? new Map<string, readonly Item[]>()
    const after = new Map<string, readonly Item[]>()
    let changed = false
    for (const { labels, items } of names) {
      const relative = labels.map(label => String.fromCharCode(label.length) + label.toLowerCase()).join('')
      const known = before.get(relative)
      // One endpoint of a thousand changes at a time: what stands behind the other names is the same.
      const same = known !== undefined && sameItems(known, items)
      after.set(relative, same ? known : items)
      if (!same) changed = this.#putName(relative, labels, items) || changed
    }
    for (const relative of before.keys()) {
      if (after.has(relative)) continue
      for (const zone of this.zones) changed = zone.put(relative + zone.origin, undefined) || changed
    }
    if (after.size > 0) this.#names.set(key, after)
    else this.#names.delete(key)
    changed = this.#noteTopology(key, exposed && service?.headless ? slices : undefined) || changed

    // Reverse names do not ask whether the namespace exists, unless the Corefile lists namespaces: so has CoreDNS.
    const visible = exposed || this.#options.namespaces.size === 0
    return this.#reverse.update(key, visible ? service : undefined, visible ? slices : NO_SLICES) || changed
  }

  #putName(relative: string, labels: readonly string[], items: readonly Item[]): boolean {
    let changed = false
    for (const zone of this.zones) {
      const nameLength = relative.length + zone.origin.length
      if (isReverse(zone.origin) || nameLength > MAX_NAME) continue
      changed = zone.put(relative + zone.origin, this.#compile(items, labels, zone, nameLength)) || changed
    }
    return changed
  }

  #compile(items: readonly Item[], labels: readonly string[], zone: OriginZone, nameLength: number): Node {
    const place = { base: labels.slice(-3), origin: zone.originName, nameLength, ttl: this.#options.ttl }
    return compileNode(items, place)
  }

  #note(namespace: string, key: Key, exists: boolean): void {
    const keys = this.#byNamespace.get(namespace) ?? new Set()
    if (exists) keys.add(key)
    else keys.delete(key)
    if (keys.size > 0) this.#byNamespace.set(namespace, keys)
    else this.#byNamespace.delete(namespace)
  }

  #noteTopology(key: Key, slices: readonly EndpointSlice[] | undefined): boolean {
    if (!this.#options.zonal) return false
    const before = this.#topology.get(key)
    if (slices === undefined) return this.#topology.delete(key)
    const endpoints = slices.flatMap(slice => slice.endpoints).filter(({ ready }) => ready)
    const places = endpoints.flatMap(({ zone, addresses }) => addresses.map(host => `${zone.toLowerCase()} ${host}`))
    const after = [...new Set(places)].join('\n')
    this.#topology.set(key, after)
    return after !== before
  }

  #counts({ terminating, phase, labels }: Pod): boolean {
    return !terminating && !ENDED.has(phase) && (this.#options.labels?.(labels) ?? true)
  }

  /** Whether some address in some namespace belongs to more or fewer pods than before: their names are made when asked. */
  #podNamesChange(pods: Changes['pods']): boolean {
    if (this.#options.pods !== 'verified') return false
    const difference = new Map<string, number>()
    const note = (pod: Pod | undefined, by: number) => {
      if (pod === undefined || !this.#counts(pod) || !this.#exposes(pod.namespace)) return
      for (const ip of pod.podIPs) {
        const place = `${pod.namespace}/${ip}`
        difference.set(place, (difference.get(place) ?? 0) + by)
      }
    }
    for (const { before, after } of pods) {
      note(before, -1)
      note(after, 1)
    }
    return [...difference.values()].some(count => count !== 0)
  }

  #moveSerial(): void {
    const now = this.#options.now()
    for (const zone of this.zones) zone.serial = now
  }

  /** Names of which there is no end, or that nobody asks: pods, ports in other spellings, zonal names. */
  #rareNode(zone: OriginZone, key: NameKey): Node | undefined {
    if (isReverse(zone.origin) || isReverse(key)) return undefined
    const labels = labelsOf(key.slice(0, key.length - zone.origin.length))
    const items = labels.at(-1) === 'pod' ? this.#podItems(labels) : this.#serviceItems(labels)
    if (items === undefined) return undefined
    return this.#compile(items, labels, zone, key.length)
  }

  #podItems(labels: readonly string[]): readonly Item[] | undefined {
    const namespace = labels.at(-2)
    if (namespace === undefined || this.#view === undefined || !this.#exposes(namespace)) return undefined
    const items = podItems(labels, this.#options.pods, this.#view, pod => this.#counts(pod))
    return items.length > 0 ? items : undefined
  }

  /** `[...left, service, namespace, 'svc']`. Undefined where there is no such name. */
  #serviceItems(labels: readonly string[]): readonly Item[] | undefined {
    const [name, namespace, branch] = labels.slice(-3)
    if (labels.length < 5 || branch !== 'svc' || !this.#exposes(namespace!)) return undefined
    const key = `${namespace}/${name}`
    const service = this.#service(key)
    if (service === undefined) return undefined
    const slices = this.slices(key)
    if (labels.length === 5) {
      const [port, protocol] = labels.map(label => label.replace(/^_/, '')) as [string, string]
      const items = portItems(service, slices, this.#options, { port, protocol })
      return items.length > 0 ? items : undefined
    }
    if (!this.#options.zonal || labels.at(-4) !== '_zone' || !service.headless) return undefined
    return this.#zonalItems(slices, labels.slice(0, -4))
  }

  /** `[...zone, directive]`: a zone's name may hold dots. */
  #zonalItems(slices: readonly EndpointSlice[], labels: readonly string[]): readonly Item[] | undefined {
    const directive = labels.at(-1)
    if (labels.length < 2 || (directive !== 'pin' && directive !== 'prefer')) return undefined
    const items = zonalItems(slices, this.#options, labels.slice(0, -1).join('.'))
    if (items.length > 0 || directive === 'pin') return items
    return zonalItems(slices, this.#options, undefined)
  }
}

/** Phases of pods that no longer have their address. */
const ENDED = new Set(['Succeeded', 'Failed', 'Unknown'])
