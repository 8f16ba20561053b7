/** Services that chance makes: every field that rules depend on, in combinations that nobody would think of. */
import type { Chance } from '../../wire/random.ts'
import { type EndpointPlan, nodes, type PortPlan, type ServicePlan, zones } from './plan.ts'

const PODS = 20
const otherProxy = { 'service.kubernetes.io/service-proxy-name': 'other' }
const headless = { 'service.kubernetes.io/headless': '' }

export class RandomPlans {
  readonly #chance: Chance
  /** The API server takes its time until an address can be had again. */
  #fresh = 500

  constructor(chance: Chance) {
    this.#chance = chance
  }

  /** A service with addresses that none had before; `place` makes its name, and what it has from outside the cluster. */
  plan(place: number): ServicePlan {
    const { below, pick } = this.#chance
    const families = pick<readonly (4 | 6)[]>([[4], [4], [6], [4, 6], [6, 4]])
    const kind = below(14)
    const bare =
      kind === 0 ? { clusterIP: 'None' } : kind === 1 ? { type: 'ExternalName', externalName: 'www.test' } : undefined
    const number = this.#fresh++
    const ports = this.#ports(place, false)
    if (bare !== undefined) return { name: `service-${place}`, number, families, ports, ...this.#endpoints(), bare }
    return { name: `service-${place}`, number, families, ...this.#outward(place), ...this.#endpoints() }
  }

  /** The same service with the same addresses, and whatever else may be edited. */
  edited(place: number, plan: ServicePlan): ServicePlan {
    if (plan.bare !== undefined) return this.withOtherEndpoints(plan)
    const { name, number, families, slices, targets } = plan
    return { name, number, families: families!, slices: slices!, targets: targets!, ...this.#outward(place) }
  }

  withOtherEndpoints(plan: ServicePlan): ServicePlan {
    return { ...plan, ...this.#endpoints() }
  }

  #outward(place: number): Pick<ServicePlan, 'ports' | 'spec' | 'ingress' | 'labels'> {
    const { below, pick } = this.#chance
    const type = pick(['ClusterIP', 'ClusterIP', 'NodePort', 'LoadBalancer'])
    const externalIPs = pick([[], [`192.0.2.${place}`], [`192.0.2.${place}`, `fd00:e::${place}`]])
    const outside = type !== 'ClusterIP' || externalIPs.length > 0
    const local = outside && below(2) === 0
    const balanced = type === 'LoadBalancer'
    const nodePorts = type === 'NodePort' || (balanced && below(4) > 0)
    const labels = pick([undefined, undefined, undefined, undefined, undefined, { app: 'web' }, otherProxy, headless])
    return {
      ports: this.#ports(place, nodePorts),
      spec: {
        type,
        externalIPs,
        ...(below(2) === 0 && { selector: { app: 'web' } }),
        ...(below(8) === 0 && { publishNotReadyAddresses: true }),
        internalTrafficPolicy: pick(['Cluster', 'Cluster', 'Local']),
        ...(outside && { externalTrafficPolicy: local ? 'Local' : 'Cluster' }),
        ...(balanced && !nodePorts && { allocateLoadBalancerNodePorts: false }),
        ...(balanced && local && { healthCheckNodePort: 32_000 + place }),
        ...(balanced && { loadBalancerSourceRanges: this.#ranges() }),
        ...pick([
          {},
          {},
          { trafficDistribution: 'PreferClose' },
          { trafficDistribution: 'PreferSameNode' },
          { trafficDistribution: 'PreferSameZone' },
        ]),
        ...this.#affinity(),
      },
      ingress: balanced ? this.#ingress(place) : [],
      ...(labels && { labels }),
    }
  }

  #affinity(): Readonly<Record<string, unknown>> {
    const { below } = this.#chance
    const sticky = below(4)
    if (sticky > 1) return {}
    const timeout = { sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 + below(86_400) } } }
    return { sessionAffinity: 'ClientIP', ...(sticky === 0 && timeout) }
  }

  #ports(place: number, nodePorts: boolean): PortPlan[] {
    const { below, pick } = this.#chance
    const count = 1 + below(3)
    return Array.from({ length: count }, (_, i) => ({
      ...(count > 1 && { name: `port-${i}` }),
      port: 80 + i,
      protocol: pick(['TCP', 'TCP', 'UDP', 'SCTP']),
      ...(nodePorts && { nodePort: 30_000 + 3 * place + i }),
    }))
  }

  #ranges(): string[] {
    const { below, pick } = this.#chance
    const some = [
      '198.51.100.0/24',
      '192.168.77.0/24',
      'fd00:c::/32',
      '0.0.0.0/0',
      '::/0',
      'fd00:77::/64',
      '10.0.0.0/8',
      '198.51.100.7/32',
    ]
    return Array.from(new Set(Array.from({ length: below(4) }, () => pick(some))))
  }

  #ingress(place: number): Readonly<Record<string, unknown>>[] {
    const { pick } = this.#chance
    return pick([
      [],
      [{ hostname: 'lb.example.com' }],
      [{ ip: `203.0.113.${place}` }],
      [{ ip: `203.0.113.${place}`, ipMode: 'VIP' }, { ip: `fd00:b::${place}` }],
      [{ ip: `203.0.113.${place}`, ipMode: 'Proxy' }, { hostname: 'lb.example.com' }],
      [{ ip: `203.0.113.${place}` }, { ip: `203.0.113.${100 + place}` }, { ip: `fd00:b::${place}`, ipMode: 'Proxy' }],
    ])
  }

  #endpoints(): Pick<ServicePlan, 'slices' | 'targets'> {
    const { below, pick } = this.#chance
    const hints = below(4)
    const pods = new Map<number, Contradiction>()
    const slices = Array.from({ length: below(4) }, () =>
      Array.from({ length: below(5) }, () => this.#endpoint(hints, pods)),
    )
    return { slices, targets: slices.map(() => pick([8080, 8080, 8080, 9090, undefined])) }
  }

  /**
   * Slices may say different things of one pod. Of those that do not place it on the node kube-proxy believes any, so they say the same;
   * one that does is believed in any case.
   */
  #endpoint(hints: number, pods: Map<number, Contradiction>): EndpointPlan {
    const drawn = this.#draw(hints)
    const said = pods.get(drawn.pod) ?? {}
    const side = drawn.on === 'own' ? 'here' : 'elsewhere'
    const known = said[side] ?? drawn
    pods.set(drawn.pod, { ...said, [side]: known })
    return known
  }

  #draw(hints: number): EndpointPlan {
    const { below, pick } = this.#chance
    const on = pick<EndpointPlan['on']>(['own', 'other', undefined])
    const state = below(8)
    return {
      pod: 1 + below(PODS),
      ...(on && { on }),
      ...(state === 0 && { ready: false }),
      ...((state === 1 || state === 2) && { ready: false, serving: below(3) > 0, terminating: true }),
      ...(state === 3 && { ready: true, serving: true }),
      ...((hints === 1 || hints === 2) && below(8) > 0 && { forZones: this.#zones() }),
      ...((hints === 2 || hints === 3) && below(8) > 0 && { forNodes: [pick(Object.values(nodes))] }),
    }
  }

  #zones(): string[] {
    const { below, pick } = this.#chance
    return below(6) === 0 ? Object.values(zones) : [pick(Object.values(zones))]
  }
}

/** What is said of one pod. */
interface Contradiction {
  readonly here?: EndpointPlan
  readonly elsewhere?: EndpointPlan
}
