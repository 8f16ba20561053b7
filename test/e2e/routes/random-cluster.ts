/** A cluster of services that chance makes and changes; the same seed gives the same ones. */
import type { Chance } from '../../wire/random.ts'
import type { ApiClient, ApiObject } from '../api-client.ts'
import {
  type EndpointPlan,
  nodes,
  type PortPlan,
  type ServicePlan,
  serviceObject,
  sliceObjects,
  zones,
} from './plan.ts'

const SERVICES = 40

export class RandomCluster {
  readonly #client: ApiClient
  readonly #chance: Chance
  /** By the number that their names, external addresses and node ports have. */
  readonly #plans = new Map<number, ServicePlan>()
  /** The API server takes its time until an address can be had again. */
  #fresh = 500

  constructor(client: ApiClient, chance: Chance) {
    this.#client = client
    this.#chance = chance
  }

  /** Changes a few services: makes, removes or replaces them, or their endpoints alone. Resolves when the API server has it all. */
  async change(): Promise<void> {
    for (let changes = 3 + this.#chance.below(10); changes > 0; changes--) await this.#changeOne()
  }

  async #changeOne(): Promise<void> {
    const { below } = this.#chance
    const number = below(SERVICES)
    const plan = this.#plans.get(number)
    const what = below(8)
    if (plan !== undefined && what < 3) {
      await this.#removeSlices(plan)
      await this.#put(number, { ...plan, slices: this.#slices() }, sliceObjects)
    } else {
      if (plan !== undefined) await this.#remove(number, plan)
      if (plan === undefined || what < 6) await this.#put(number, this.#plan(number), whole)
    }
  }

  async #put(place: number, plan: ServicePlan, parts: (plan: ServicePlan) => readonly ApiObject[]): Promise<void> {
    this.#plans.set(place, plan)
    for (const object of parts(plan)) await this.#client.create(object)
  }

  async #remove(place: number, plan: ServicePlan): Promise<void> {
    this.#plans.delete(place)
    await this.#client.remove(serviceObject(plan))
    await this.#removeSlices(plan)
  }

  async #removeSlices(plan: ServicePlan): Promise<void> {
    for (const slice of sliceObjects(plan)) await this.#client.remove(slice)
  }

  #plan(number: number): ServicePlan {
    const { below, pick } = this.#chance
    const type = pick(['ClusterIP', 'ClusterIP', 'NodePort', 'LoadBalancer'])
    const externalIPs = pick([[], [`192.0.2.${number}`], [`192.0.2.${number}`, `fd00:e::${number}`]])
    const outside = type !== 'ClusterIP' || externalIPs.length > 0
    const local = outside && below(2) === 0
    const sticky = below(4) === 0
    return {
      name: `service-${number}`,
      number: this.#fresh++,
      families: pick([[4], [4], [6], [4, 6], [6, 4]]),
      ports: this.#ports(number, type !== 'ClusterIP'),
      spec: {
        type,
        externalIPs,
        internalTrafficPolicy: pick(['Cluster', 'Cluster', 'Local']),
        ...(outside && { externalTrafficPolicy: local ? 'Local' : 'Cluster' }),
        ...(type === 'LoadBalancer' && local && { healthCheckNodePort: 32_000 + number }),
        ...(type === 'LoadBalancer' && { loadBalancerSourceRanges: this.#ranges() }),
        ...(sticky && {
          sessionAffinity: 'ClientIP',
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 + below(1000) } },
        }),
      },
      ...(type === 'LoadBalancer' && { ingress: this.#ingress(number) }),
      slices: this.#slices(),
    }
  }

  #ports(number: number, nodePorts: boolean): PortPlan[] {
    const { below, pick } = this.#chance
    const count = 1 + below(3)
    return Array.from({ length: count }, (_, i) => ({
      ...(count > 1 && { name: `port-${i}` }),
      port: 80 + i,
      protocol: pick(['TCP', 'TCP', 'UDP', 'SCTP']),
      ...(nodePorts && { nodePort: 30_000 + 3 * number + i }),
    }))
  }

  #ranges(): string[] {
    const { below, pick } = this.#chance
    const some = ['198.51.100.0/24', '192.168.77.0/24', 'fd00:c::/32', '0.0.0.0/0', 'fd00:77::/64']
    return Array.from(new Set(Array.from({ length: below(3) }, () => pick(some))))
  }

  #ingress(number: number): Readonly<Record<string, unknown>>[] {
    const { pick } = this.#chance
    return pick([
      [],
      [{ ip: `203.0.113.${number}` }],
      [{ ip: `203.0.113.${number}` }, { ip: `fd00:b::${number}` }],
      [{ ip: `203.0.113.${number}`, ipMode: 'Proxy' }, { hostname: 'lb.example.com' }],
    ])
  }

  #slices(): EndpointPlan[][] {
    const { below } = this.#chance
    const hints = below(4)
    // Where slices contradict each other about a pod, kube-proxy believes any of them.
    const pods = new Map<number, EndpointPlan>()
    const endpoint = () => {
      const drawn = this.#endpoint(hints)
      const known = pods.get(drawn.pod) ?? drawn
      pods.set(known.pod, known)
      return known
    }
    return Array.from({ length: below(3) }, () => Array.from({ length: below(5) }, endpoint))
  }

  #endpoint(hints: number): EndpointPlan {
    const { below, pick } = this.#chance
    const on = pick<EndpointPlan['on']>(['own', 'other', undefined])
    const state = below(8)
    return {
      pod: 1 + below(20),
      ...(on && { on }),
      ...(state === 0 && { ready: false }),
      ...(state < 3 && state > 0 && { ready: false, serving: below(3) > 0, terminating: true }),
      ...((hints === 1 || hints === 2) && below(8) > 0 && { forZones: [pick(Object.values(zones))] }),
      ...(hints === 2 && below(8) > 0 && { forNodes: [pick(Object.values(nodes))] }),
    }
  }
}

function whole(plan: ServicePlan): ApiObject[] {
  return [serviceObject(plan), ...sliceObjects(plan)]
}
