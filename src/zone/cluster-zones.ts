/**
 * Projection 1: the zones that a cluster's objects make, one store of compiled names for each origin, kept current with each
 * commit of the cluster state. Names that are in no store are made when they are asked for.
 */
import type { Changes, ClusterView, Projection } from '../cluster/contract.ts'
import type { EndpointSlice, Key, Pod, Service } from '../cluster/objects.ts'
import { Below } from '../table/layout.ts'
import type { Answer } from '../wire/answer.ts'
import { isWithin, keyOfName, labelsOf, MAX_NAME, type NameKey, nameOf, parentOf } from '../wire/name.ts'
import { Class, Type } from '../wire/types.ts'
import { isReverse, REVERSE_ZONES } from './address.ts'
import { absent, asked, compileNode, denied, type External, type Node, onlyType, sameNode, structure } from './node.ts'
import { OriginZone } from './origin-zone.ts'
import { type RareNameOptions, rareItems } from './rare-names.ts'
import { answerOf } from './rdata.ts'
import { ReverseNames } from './reverse.ts'
import { NOTHING, namespaceOf, Selection, type SelectionOptions, type Shown } from './selection.ts'
import { type Item, rareEndpointItems, type ServiceName, sameItems, samePorts, serviceNames } from './service-names.ts'
import { MemoryStore, type ZoneStore } from './store.ts'

export interface ZoneOptions extends RareNameOptions, SelectionOptions {
  /** In the order of the Corefile; PTR records point into the first that is no reverse zone. */
  readonly origins: readonly NameKey[]
  readonly ttl: number
  /** Whether `dns.<origin>`, above `ns.dns.<origin>`, exists: not where its NXDOMAIN falls through to another plugin. */
  readonly dnsNode: (origin: NameKey) => boolean
  /** Makes the place for the names of one origin; ordinary memory where absent. */
  readonly store?: ((origin: NameKey) => ZoneStore) | undefined
  /** Seconds since the epoch, for the serial. */
  readonly now: () => number
}

const TXT_VERSION_TTL = 28_800

/** `ns.dns` answers A and AAAA with addresses that only the server knows. */
export const NAME_SERVER = ['ns', 'dns'] as const

/** Labels of a service's own name: `web.shop.svc`. */
const OWN_NAME = 3

export class ClusterZones implements Projection {
  readonly zones: readonly OriginZone[]
  /** Those that are no reverse zones. */
  readonly #forward: readonly OriginZone[]
  readonly #options: ZoneOptions
  readonly #selection: Selection
  readonly #reverse: ReverseNames
  /** What the names in the stores were made of, by service. */
  readonly #shown = new Map<Key, Shown>()

  constructor(options: ZoneOptions) {
    const { origins, ttl, store = () => new MemoryStore() } = options
    this.#options = options
    this.#selection = new Selection(options)
    this.zones = origins.map(origin => {
      // Names of endpoints' addresses are made when asked.
      const below = isReverse(origin) ? Below.ALL : Below.CLOSED
      return new OriginZone({ origin, ttl, below, serial: options.now(), store: store(origin) })
    })
    this.#forward = this.zones.filter(({ origin }) => !isReverse(origin))
    const primary = this.#forward[0] ?? this.zones[0]!
    this.#reverse = new ReverseNames(this.zones, primary.originName, this.#selection, options)
  }

  rebuild(view: ClusterView): void {
    this.#selection.look(view)
    this.#shown.clear()
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
    this.#publish()
  }

  update(view: ClusterView, changes: Changes): void {
    this.#selection.look(view)
    let changed = false
    const services = new Set(changes.services)
    for (const namespace of changes.namespaces) changed = this.#updateNamespace(namespace) || changed
    if (changes.namespaces.size > 0) {
      for (const key of this.#shown.keys()) if (changes.namespaces.has(namespaceOf(key))) services.add(key)
    }
    for (const key of services) changed = this.#updateService(key) || changed
    if (changed || this.#podNamesChange(changes.pods)) this.#publish()
  }

  /** Gives the memory of its names back; it is not asked any more. */
  close(): void {
    for (const zone of this.zones) zone.close()
  }

  /**
   * The answer to a name within `zone`, or names that have yet to be followed. Types that a zone answers without looking at
   * names (SOA, NS of the apex) are the caller's business.
   */
  find(zone: OriginZone, key: NameKey, type: number): Answer | External {
    const known = zone.find(key, type)
    if (known) return known
    if (isReverse(key)) return (type === Type.PTR && this.#reverse.find(key)) || zone.nxdomain(key.length)
    const labels = labelsOf(key.slice(0, key.length - zone.origin.length))
    const items = isReverse(zone.origin) ? undefined : rareItems(labels, this.#selection, this.#options)
    if (items === undefined) return zone.nxdomain(key.length)
    return zone.answer(this.#compile(items, Below.CLOSED, labels, zone, key.length), type, key.length)
  }

  /** The services that have this address among their ready endpoints. */
  servicesAt(address: string): Service[] {
    return this.#reverse.servicesAt(address).flatMap(key => this.#selection.service(key) ?? [])
  }

  /** The slices of a service that count. */
  slices(key: Key): readonly EndpointSlice[] {
    return this.#selection.slices(key)
  }

  #putFixedNames(zone: OriginZone): void {
    const put = (labels: readonly string[], node: Node) => zone.put(keyOfName(nameOf(labels, zone.originName)!), node)
    put(['svc'], structure(Below.CLOSED))
    put(['pod'], structure(Below.CLOSED))
    put(NAME_SERVER, structure(Below.CLOSED, denied(Type.PTR), asked(Type.A), asked(Type.AAAA)))
    if (!isReverse(zone.origin) && this.#options.dnsNode(zone.origin)) put(['dns'], structure(Below.CLOSED))
    const version = { owner: 0, type: Type.TXT, class: Class.IN, ttl: TXT_VERSION_TTL, rdata: Buffer.from('\x051.1.0') }
    const name = nameOf(['dns-version'], zone.originName)!
    // Only its TXT record exists, as CoreDNS has it.
    put(['dns-version'], onlyType(Type.TXT, answerOf([version], [], name.length)))
    // A zone above the reverse zones holds the names of addresses too, and what is between (`arpa`) must not deny them.
    for (const reverse of REVERSE_ZONES) {
      if (reverse === zone.origin || !isWithin(reverse, zone.origin)) continue
      zone.put(reverse, absent(Below.ALL))
      for (let between = parentOf(reverse); between !== zone.origin; between = parentOf(between)) {
        zone.put(between, absent(Below.CLOSED))
      }
    }
  }

  #updateNamespace(name: string): boolean {
    const exists = this.#selection.exposes(name)
    let changed = false
    const put = (branch: string, below: number) => {
      for (const zone of this.#forward) {
        const wire = nameOf([name, branch], zone.originName)
        if (wire) changed = zone.put(keyOfName(wire), exists ? structure(below) : undefined) || changed
      }
    }
    put('svc', Below.CLOSED)
    if (this.#options.pods !== 'disabled') put('pod', Below.ALL)
    return changed
  }

  #updateService(key: Key): boolean {
    const before = this.#shown.get(key) ?? NOTHING
    const after = this.#selection.of(key)
    if (after.service || after.slices.length > 0) this.#shown.set(key, after)
    else this.#shown.delete(key)
    let changed = this.#updateNames(this.#names(before), this.#names(after))
    changed ||= this.#options.zonal && topologyOf(before) !== topologyOf(after)
    changed ||= this.#rareEndpointsChange(key, before, after)
    return this.#reverse.update(key, before, after) || changed
  }

  /** By what stands in front of the origin, as keys have it. */
  #names({ service, slices, exposed }: Shown): Map<string, ServiceName> {
    const names = new Map<string, ServiceName>()
    if (!service || !exposed) return names
    for (const name of serviceNames(service, slices, this.#options)) {
      const relative = wireLabels(name.labels)
      if (relative !== undefined) names.set(relative, name)
    }
    return names
  }

  #updateNames(before: Map<string, ServiceName>, after: Map<string, ServiceName>): boolean {
    let changed = false
    for (const [relative, name] of after) {
      const known = before.get(relative)
      // One endpoint of a thousand changes at a time: what stands behind the other names is the same.
      const same = known?.below === name.below && sameItems(known.items, name.items)
      if (!same) changed = this.#putName(relative, name) || changed
      else if (name.labels.length === OWN_NAME) changed ||= !samePorts(known.items, name.items)
    }
    for (const relative of before.keys()) {
      if (!after.has(relative)) changed = this.#putName(relative, undefined) || changed
    }
    return changed
  }

  #putName(relative: string, name: ServiceName | undefined): boolean {
    let changed = false
    for (const zone of this.#forward) {
      const key = (relative + zone.origin) as NameKey
      if (key.length > MAX_NAME) continue
      changed = zone.put(key, name && this.#nodeOf(name, zone, key)) || changed
    }
    return changed
  }

  #nodeOf({ labels, items, below }: ServiceName, zone: OriginZone, key: NameKey): Node {
    return items.length > 0 ? this.#compile(items, below, labels, zone, key.length) : absent(below)
  }

  /** Whether a name of an endpoint answers something else than before, of those that are made when they are asked for. */
  #rareEndpointsChange(key: Key, before: Shown, after: Shown): boolean {
    const items = ({ service, slices, exposed }: Shown) =>
      service && exposed ? rareEndpointItems(service, slices, this.#options) : new Map<string, readonly Item[]>()
    const old = items(before)
    const fresh = items(after)
    // What differs in one zone differs in all.
    const zone = this.#forward[0]
    if (zone === undefined || old.size !== fresh.size) return zone !== undefined
    const labels = [after.service?.name ?? '', namespaceOf(key), 'svc']
    const node = (items: readonly Item[]) => this.#compile(items, Below.CLOSED, labels, zone, MAX_NAME)
    for (const [label, now] of fresh) {
      const known = old.get(label)
      if (known === undefined || !(sameItems(known, now) || sameNode(node(known), node(now)))) return true
    }
    return false
  }

  #compile(
    items: readonly Item[],
    below: number,
    labels: readonly string[],
    zone: OriginZone,
    nameLength: number,
  ): Node {
    const place = { base: labels.slice(-OWN_NAME), origin: zone.originName, nameLength, ttl: this.#options.ttl }
    return compileNode(items, below, place)
  }

  /** Whether some address in some namespace belongs to more or fewer pods than before: their names are made when asked. */
  #podNamesChange(pods: Changes['pods']): boolean {
    if (this.#options.pods !== 'verified') return false
    const difference = new Map<string, number>()
    const note = (pod: Pod | undefined, by: number) => {
      if (pod === undefined || !this.#selection.counts(pod) || !this.#selection.exposes(pod.namespace)) return
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

  #publish(): void {
    const now = this.#options.now()
    for (const zone of this.zones) zone.publish(now)
  }
}

/** Labels in front of other labels, as a key has them; undefined where they are none: not all sources check what they are told. */
function wireLabels(labels: readonly string[]): string | undefined {
  let text = ''
  for (const label of labels) {
    if (!LABEL.test(label)) return undefined
    text += String.fromCharCode(label.length) + label.toLowerCase()
  }
  return text
}

const LABEL = /^[\0-\xff]{1,63}$/

/** The topology zones of a headless service's ready endpoints: zonal names are made when asked. */
function topologyOf({ service, slices, exposed }: Shown): string | undefined {
  if (!exposed || !service?.headless) return undefined
  const endpoints = slices.flatMap(slice => slice.endpoints).filter(({ ready }) => ready)
  const places = endpoints.flatMap(({ zone, addresses }) => addresses.map(host => `${zone.toLowerCase()} ${host}`))
  return [...new Set(places)].join('\n')
}
