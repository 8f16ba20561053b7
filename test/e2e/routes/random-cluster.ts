/** A cluster of services that chance makes and changes; the same seed gives the same ones. */
import { isDeepStrictEqual } from 'node:util'
import type { ClusterView } from '../../../src/cluster/contract.ts'
import type { ClusterState } from '../../../src/cluster/state.ts'
import type { Chance } from '../../wire/random.ts'
import type { ApiClient, ApiObject } from '../api-client.ts'
import { nodeIPs, ownNodeObject, type ServicePlan, serviceObject, sliceObjects, zones } from './plan.ts'
import { RandomPlans } from './random-plans.ts'

const SERVICES = 40
/** Each so many clusters the node moves to another zone, has other addresses, or the cluster has more endpoints than kube-proxy comments on. */
const [ZONE_EVERY, ADDRESSES_EVERY, LARGE_EVERY] = [7, 31, 43]
/** For how many clusters it stays large. */
const LARGE_FOR = 3
/** Told by a service that has nothing else to tell: it changes last, so who has its change has all of them. */
const marker = { name: 'marker', number: 400 } as const
const large = { name: 'large', number: 401, endpoints: 1100, perSlice: 100 } as const

/** One cluster as it was made. */
export interface Made {
  /** What is special about it; empty, or begins with a comma. */
  readonly what: string
  /** What changed that kube-proxy does not, or not wholly, take while it runs. */
  readonly change: 'addresses' | 'size' | undefined
  /** Whether it has more endpoints than kube-proxy takes the usual care of. */
  readonly large: boolean
  /** Whether who follows has seen all of it. */
  arrived(state: ClusterState): boolean
}

export class RandomCluster {
  readonly #client: ApiClient
  readonly #chance: Chance
  readonly #random: RandomPlans
  /** What the API server holds, by the place that a service has among all. */
  readonly #objects = new Map<number, readonly ApiObject[]>()
  readonly #plans = new Map<number, ServicePlan>()
  #node = ownNodeObject()

  constructor(client: ApiClient, chance: Chance) {
    this.#client = client
    this.#chance = chance
    this.#random = new RandomPlans(chance)
  }

  /** Changes a few services: makes, removes or edits them, or their endpoints alone. Resolves when the API server has it all. */
  async changeServices(): Promise<void> {
    const { below } = this.#chance
    const turned = new Map<number, ServicePlan | undefined>()
    for (let changes = 3 + below(10); changes > 0; changes--) {
      const place = below(SERVICES)
      turned.set(place, this.#turn(place, turned.has(place) ? turned.get(place) : this.#plans.get(place)))
    }
    // Services know nothing of each other, so they change at once.
    await Promise.all(Array.from(turned, ([place, plan]) => this.#become(place, plan)))
  }

  /** The same, and now and then the node and the size of the cluster too. `round` counts from 1. */
  async change(round: number): Promise<Made> {
    await this.changeServices()
    const wasLarge = this.#isLarge()
    await this.#changeSize(round)
    const what = [this.#isLarge() ? 'large' : '', await this.#changeNode(round)].filter(Boolean)
    await this.#become(marker.number, markerPlan(round))
    return {
      what: what.map(text => `, ${text}`).join(''),
      change: round % ADDRESSES_EVERY === 0 ? 'addresses' : this.#isLarge() === wasLarge ? undefined : 'size',
      large: this.#isLarge(),
      arrived: state => sees(state, round) && isDeepStrictEqual(nodeSeen(state), nodeWanted(this.#node)),
    }
  }

  /** What shall be where this plan, or none, is now. */
  #turn(place: number, plan: ServicePlan | undefined): ServicePlan | undefined {
    const what = this.#chance.below(10)
    if (plan === undefined) return this.#random.plan(place)
    if (what < 4) return this.#random.withOtherEndpoints(plan)
    if (what < 6) return this.#random.edited(place, plan)
    return what < 8 ? this.#random.plan(place) : undefined
  }

  /** Has the API server hold what a plan says. */
  async #become(place: number, plan: ServicePlan | undefined): Promise<void> {
    const before = this.#objects.get(place) ?? []
    const after = plan === undefined ? [] : [serviceObject(plan), ...sliceObjects(plan)]
    // Cluster addresses cannot be edited.
    const keeps = plan?.number === this.#plans.get(place)?.number
    const found = (objects: readonly ApiObject[], wanted: ApiObject) =>
      objects.find(object => object.kind === wanted.kind && object.metadata.name === wanted.metadata.name)
    const stays = (object: ApiObject) => keeps || object.kind === 'EndpointSlice'
    for (const object of before) if (!found(after, object) || !stays(object)) await this.#client.remove(object)
    for (const object of after) {
      const earlier = stays(object) ? found(before, object) : undefined
      if (earlier === undefined) await this.#client.create(object)
      else if (!isDeepStrictEqual(earlier, object)) await this.#client.replace(object)
    }
    if (plan === undefined) {
      this.#plans.delete(place)
      this.#objects.delete(place)
    } else {
      this.#plans.set(place, plan)
      this.#objects.set(place, after)
    }
  }

  async #changeSize(round: number): Promise<void> {
    const since = round % LARGE_EVERY
    if (since === 0) await this.#become(large.number, largePlan())
    else if (since === LARGE_FOR && this.#isLarge()) await this.#become(large.number, undefined)
  }

  #isLarge(): boolean {
    return this.#plans.has(large.number)
  }

  async #changeNode(round: number): Promise<string> {
    const [moves, readdressed] = [round % ZONE_EVERY === 0, round % ADDRESSES_EVERY === 0]
    if (!moves && !readdressed) return ''
    const zone = moves ? this.#chance.pick(Object.values(zones)) : nodeWanted(this.#node).zone
    const addresses = readdressed ? this.#chance.pick(addressSets) : nodeWanted(this.#node).internalIPs
    this.#node = ownNodeObject(zone, addresses)
    const { metadata, status } = this.#node
    await this.#client.merge(this.#node, { metadata: { labels: metadata.labels } })
    await this.#client.writeStatus({ ...this.#node, status })
    return `node in ${zone} at ${addresses.join()}`
  }
}

/** All of them are addresses that the node has; the first of each family is its primary one. */
const addressSets: readonly (readonly string[])[] = [
  nodeIPs,
  ['192.168.77.11', nodeIPs[1]],
  [nodeIPs[0], 'fd00:77::11', nodeIPs[1]],
]

/** Whether the marker of this round was seen. */
export function sees(state: ClusterView, round: number): boolean {
  const key = `routes/${marker.name}`
  const served = state.service(key)?.ports.some(({ port }) => port === portOf(round))
  const sliced = state.slices(key).some(({ ports }) => ports.some(({ port }) => port === 8080 + (round % 1000)))
  return Boolean(served && sliced)
}

function portOf(round: number): number {
  return 1000 + (round % 1000)
}

/** What tells who follows that nothing came before: it is to be changed last, a little with each round. */
export function markerPlan(round: number): ServicePlan {
  return { ...marker, ports: [{ port: portOf(round) }], slices: [[{ pod: 1 }]], targets: [8080 + (round % 1000)] }
}

function largePlan(): ServicePlan {
  const { name, number, endpoints, perSlice } = large
  const slices = Array.from({ length: endpoints / perSlice }, (_, i) =>
    Array.from({ length: perSlice }, (_, j) => ({ pod: 1 + i * perSlice + j })),
  )
  return { name, number, slices }
}

interface Seen {
  readonly zone: string
  readonly internalIPs: readonly string[]
}

function nodeSeen(state: ClusterState): Seen | undefined {
  const [node] = state.list('Node')
  return node && { zone: node.zone, internalIPs: node.internalIPs }
}

function nodeWanted({ metadata, status }: ApiObject): Seen {
  const { addresses } = status as { addresses: { address: string }[] }
  return {
    zone: metadata.labels!['topology.kubernetes.io/zone']!,
    internalIPs: addresses.map(({ address }) => address),
  }
}
