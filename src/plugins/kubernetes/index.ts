/**
 * Answers a cluster's names from the zones compiled of its objects. While the cluster is not yet known in full, its names get
 * SERVFAIL, never another server's answer.
 */
import type { ClusterView } from '../../cluster/contract.ts'
import { messageOf, PortolanError } from '../../errors.ts'
import { sleep } from '../../observe/clock.ts'
import type { Next, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { type Answer, ExtendedError, failure, REFUSED } from '../../wire/answer.ts'
import { isWithin, isWithinAny, keyOfName, type NameKey, nameOf } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { Rcode, Type } from '../../wire/types.ts'
import { ClusterZones, NAME_SERVER } from '../../zone/cluster-zones.ts'
import type { External } from '../../zone/node.ts'
import type { OriginZone } from '../../zone/origin-zone.ts'
import { followed } from './external.ts'
import { type ClusterFollower, clusterFollower } from './follower.ts'
import { localAddresses, NameServers } from './name-server.ts'
import { type KubernetesOptions, readKubernetes } from './options.ts'
import { ProgrammingLatency } from './programming-latency.ts'

export const definition: PluginDefinition = {
  name: 'kubernetes',
  setup: (directive, context) => {
    const options = readKubernetes(directive, context)
    return new Kubernetes(options, clusterFollower(options, context), context)
  },
}

const NAME = 'kubernetes'

interface ServedOrigin {
  readonly zone: OriginZone
  /** `ns.dns.<origin>`. */
  readonly nameServer: NameKey
  /** Whether some of its names go on to the next plugin when they do not exist. */
  readonly falls: boolean
}

export class Kubernetes implements Plugin {
  readonly name = NAME
  readonly #options: KubernetesOptions
  readonly #follower: ClusterFollower
  readonly #context: SetupContext
  readonly #zones: ClusterZones
  readonly #latency: ProgrammingLatency
  /** Longest origin first. */
  readonly #origins: readonly ServedOrigin[]
  #nameServers: NameServers | undefined
  #unfollow: (() => void) | undefined
  #stopped = false

  constructor(options: KubernetesOptions, follower: ClusterFollower, context: SetupContext) {
    this.#options = options
    this.#follower = follower
    this.#context = context
    this.#latency = new ProgrammingLatency(context.clock, context.metrics)
    const falls = (origin: NameKey) =>
      options.fallthrough.some(zone => isWithin(origin, zone) || isWithin(zone, origin))
    this.#zones = new ClusterZones({
      ...options,
      labels: options.labels?.selector,
      namespaceLabels: options.namespaceLabels?.selector,
      dnsNode: origin => !falls(origin),
      now: () => Math.floor(context.clock.now() / 1000),
    })
    this.#origins = this.#zones.zones
      .map(zone => ({
        zone,
        nameServer: keyOfName(nameOf(NAME_SERVER, zone.originName)!),
        falls: falls(zone.origin),
      }))
      .sort((a, b) => b.zone.origin.length - a.zone.origin.length)
  }

  /** The cluster as far as it is known. */
  get cluster(): ClusterView {
    return this.#follower.state
  }

  get options(): KubernetesOptions {
    return this.#options
  }

  ready(): boolean {
    return this.#unfollow !== undefined
  }

  async start(): Promise<void> {
    const { block, clock, log } = this.#context
    // With `bind` CoreDNS finds no address of its own (it reads them as networks), and its zones have no name server.
    const local = block.listen.length === 0 ? localAddresses() : []
    this.#nameServers = new NameServers(this.cluster, this.#zones, local, this.#options.ttl, this.#options)
    const following = this.#follower.follow()
    const synced = this.#follower.synced.then(() => this.#project())
    if (this.#follower.state.synced) return synced
    const patience = new AbortController()
    const late = sleep(clock, this.#options.startupTimeoutMs, patience.signal).then(
      () => log.warning('starting although the cluster is not yet known in full: its names get SERVFAIL until it is'),
      () => undefined,
    )
    const known = Promise.all([following, synced])
    try {
      await Promise.race([known, late])
    } finally {
      patience.abort()
    }
    // It can still fail, but for the abort of a stop: a token file that is found to be missing only now.
    known.catch(error => this.#stopped || log.error(messageOf(error)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unfollow?.()
  }

  /** Projected only now: page by page would compile each service twice, once without its endpoints. */
  #project(): void {
    if (this.#stopped || this.#unfollow !== undefined) return
    const { state } = this.#follower
    const unfollow = [state.follow(this.#zones), state.follow(this.#latency)]
    this.#unfollow = () => {
      for (const leave of unfollow) leave()
    }
  }

  current(query: Query): boolean {
    const origin = this.#originOf(query.key)
    if (origin === undefined) return false
    if (!origin.falls || this.#unfollow === undefined) return true
    return !this.#fallsThrough(query.key, this.#answer(origin, query))
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    const origin = this.#originOf(query.key)
    if (origin === undefined) return next(query)
    if (this.#unfollow === undefined) return unsynced
    if (query.type === Type.AXFR || query.type === Type.IXFR) return refused
    const found = this.#answer(origin, query)
    if ('targets' in found) {
      const { ttl } = this.#options
      const ask = this.#context.server.ask
      return followed(query, found, { zones: this.#zones, zone: origin.zone, ttl, ask }).then(reply)
    }
    return origin.falls && this.#fallsThrough(query.key, found) ? next(query) : reply(found)
  }

  #originOf(key: NameKey): ServedOrigin | undefined {
    // No closure for each packet.
    for (const origin of this.#origins) if (isWithin(key, origin.zone.origin)) return origin
    return undefined
  }

  #answer({ zone, nameServer }: ServedOrigin, { key, type }: Query): Answer | External {
    switch (type) {
      case Type.SOA:
        // Below the apex always NODATA, whether the name exists or not.
        return key === zone.origin ? zone.soa() : zone.nodata(key.length)
      case Type.NS:
        if (key === zone.origin) return this.#nameServers?.records(zone) ?? zone.nodata(key.length)
        break
      case Type.A:
      case Type.AAAA:
        if (key === nameServer) return this.#nameServers?.addresses(type, key.length) ?? zone.nodata(key.length)
        break
    }
    return this.#zones.find(zone, key, type)
  }

  #fallsThrough(key: NameKey, found: Answer | External): boolean {
    return 'rcode' in found && found.rcode === Rcode.NXDOMAIN && isWithinAny(key, this.#options.fallthrough)
  }
}

function reply(answer: Answer): Reply {
  return { answer, plugin: NAME, current: true }
}

const refused: Reply = { answer: REFUSED, plugin: NAME, current: true }

const unsynced: Reply = {
  answer: failure(ExtendedError.NOT_READY),
  plugin: NAME,
  current: true,
  error: new PortolanError('PORTOLAN_UNSYNCED', 'the cluster is not yet known in full'),
}
