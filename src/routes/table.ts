/**
 * The routing table: every virtual address of the cluster and what it leads to. A projection, so it follows the cluster's state.
 * Which endpoints a node uses is left to `usable.ts`, what a node does with them to the renderers.
 */
import type { Changes, ClusterView, Projection } from '../cluster/contract.ts'
import type { Key, Protocol } from '../cluster/objects.ts'
import { same } from '../cluster/same.ts'
import { canonicalAddress } from '../wire/address.ts'
import { compileService } from './compile.ts'
import type { Destination, Route, Routeless } from './route.ts'

export interface Routes {
  /** Moves when a route, or the reason why a service has none, differs from before. */
  readonly revision: number
  /**
   * The route of a virtual address, in any spelling; node ports are at `0.0.0.0` and `::`. Where services claim one address, the one
   * whose key is first has it.
   */
  find(vip: string, protocol: Protocol, port: number): Route | undefined
  /** All routes, ordered by service, family and port; also those whose address another service has. */
  all(): Iterable<Route>
  /** What all addresses lead to, in the same order. An object stays the same one for as long as its content does. */
  destinations(): Iterable<Destination>
  /** What a service's addresses lead to, or why it has no routes; undefined where there is no such service. */
  service(key: Key): readonly Destination[] | Routeless | undefined
  /** The services without routes, ordered. */
  routeless(): Iterable<readonly [Key, Routeless]>
}

export class RouteTable implements Routes, Projection {
  #services = new Map<Key, readonly Destination[] | Routeless>()
  /** By address; more than one where services claim it, in order. */
  #routes = new Map<string, readonly Route[]>()
  #order: readonly Key[] | undefined
  #revision = 0

  get revision(): number {
    return this.#revision
  }

  find(vip: string, protocol: Protocol, port: number): Route | undefined {
    return this.#routes.get(placeOf({ ip: canonicalAddress(vip), protocol, port }))?.[0]
  }

  *all(): Iterable<Route> {
    for (const destination of this.destinations()) yield* routesOf(destination)
  }

  *destinations(): Iterable<Destination> {
    for (const key of this.#ordered()) {
      const found = this.#services.get(key)!
      if (isRouted(found)) yield* found
    }
  }

  service(key: Key): readonly Destination[] | Routeless | undefined {
    return this.#services.get(key)
  }

  *routeless(): Iterable<readonly [Key, Routeless]> {
    for (const key of this.#ordered()) {
      const found = this.#services.get(key)!
      if (!isRouted(found)) yield [key, found]
    }
  }

  rebuild(view: ClusterView): void {
    const known = new Set(this.#services.keys())
    for (const { namespace, name } of view.list('Service')) known.add(`${namespace}/${name}`)
    this.#update(view, known)
  }

  update(view: ClusterView, { services }: Pick<Changes, 'services'>): void {
    this.#update(view, services)
  }

  #update(view: ClusterView, keys: Iterable<Key>): void {
    let changed = false
    for (const key of keys) {
      const service = view.service(key)
      const before = this.#services.get(key)
      const compiled = service && compileService(service, view.slices(key))
      if (same(before, compiled)) continue
      changed = true
      this.#replace(key, before, compiled && kept(before, compiled))
    }
    if (changed) this.#revision++
  }

  #replace(key: Key, before: Compiled | undefined, after: Compiled | undefined): void {
    if ((before === undefined) !== (after === undefined)) this.#order = undefined
    if (after === undefined) this.#services.delete(key)
    else this.#services.set(key, after)
    for (const destination of before !== undefined && isRouted(before) ? before : []) this.#withdraw(destination)
    for (const destination of after !== undefined && isRouted(after) ? after : []) this.#enter(destination)
  }

  #enter(destination: Destination): void {
    for (const route of routesOf(destination)) {
      const place = placeOf(route)
      const others = this.#routes.get(place) ?? []
      // Of one service the order is that of its ports, in which they arrive here.
      const at = others.findIndex(other => other.destination.service > destination.service)
      this.#routes.set(place, at < 0 ? [...others, route] : others.toSpliced(at, 0, route))
    }
  }

  #withdraw(destination: Destination): void {
    for (const address of routesOf(destination)) {
      const place = placeOf(address)
      const others = (this.#routes.get(place) ?? []).filter(route => route.destination !== destination)
      if (others.length > 0) this.#routes.set(place, others)
      else this.#routes.delete(place)
    }
  }

  #ordered(): readonly Key[] {
    return (this.#order ??= [...this.#services.keys()].sort())
  }
}

type Compiled = readonly Destination[] | Routeless

export function isRouted(compiled: Compiled): compiled is readonly Destination[] {
  return Array.isArray(compiled)
}

/** The new content, with the old objects where they are equal: whoever follows the table sees what changed. */
function kept(before: Compiled | undefined, after: Compiled): Compiled {
  if (before === undefined || !isRouted(before) || !isRouted(after)) return after
  return after.map(destination => before.find(other => same(other, destination)) ?? destination)
}

function routesOf(destination: Destination): Route[] {
  const { protocol } = destination
  return destination.addresses.map(({ kind, ip, port }) => ({ kind, ip, port, protocol, destination }))
}

function placeOf({ ip, protocol, port }: { ip: string; protocol: Protocol; port: number }): string {
  return `${ip} ${protocol} ${port}`
}
