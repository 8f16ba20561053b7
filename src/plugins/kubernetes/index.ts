/**
 * Answers a cluster's names from the zones compiled of its objects. While the cluster is not yet known in full, its names get
 * SERVFAIL, never another server's answer.
 */
import type { ClusterView, SharedCluster } from '../../cluster/contract.ts'
import { messageOf, PortolanError } from '../../errors.ts'
import { sleep } from '../../observe/clock.ts'
import type { CutDraft } from '../../plugin/cut-draft.ts'
import type { Footprint } from '../../plugin/footprint.ts'
import type { Freshness, Next, Plugin, PluginDefinition, Probed, Reply, SetupContext } from '../../plugin/plugin.ts'
import type { SearchLists } from '../../plugin/search-lists.ts'
import { type Answer, ExtendedError, failure, REFUSED } from '../../wire/answer.ts'
import { isWithin, isWithinAny, keyOfName, type NameKey, nameOf } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { Rcode, Type } from '../../wire/types.ts'
import { NAME_SERVER } from '../../zone/cluster-zones.ts'
import type { External } from '../../zone/node.ts'
import type { OriginZone } from '../../zone/origin-zone.ts'
import { followed } from './external.ts'
import { type ClusterFollower, clusterFollower, probeCluster } from './follower.ts'
import { freshnessOf } from './freshness.ts'
import { localAddresses, NameServers } from './name-server.ts'
import { type KubernetesOptions, readKubernetes } from './options.ts'
import { probedText } from './probed.ts'
import { searchLists, warnOfAutopath } from './search-lists.ts'
import { falls, type ServedZones, servedZones } from './served-zones.ts'
import { workloadAt } from './workload.ts'

export const definition: PluginDefinition = {
  name: 'kubernetes',
  setup: (directive, context) => {
    const options = readKubernetes(directive, context)
    warnOfAutopath(options, context)
    const follower = clusterFollower(options, context)
    return new Kubernetes(options, follower, servedZones(options, follower, context), context)
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
  readonly footprint: Footprint
  readonly searchLists: SearchLists
  readonly #options: KubernetesOptions
  readonly #follower: ClusterFollower
  readonly #context: SetupContext
  readonly #zones: ServedZones
  /** Longest origin first. */
  readonly #origins: readonly ServedOrigin[]
  #nameServers: NameServers | undefined
  /** What was found last: `cache` asks whether there is an answer just before it has the query handled. */
  #last: { readonly query: Query; readonly revision: number; readonly found: Answer | External } | undefined
  #stopped = false

  constructor(options: KubernetesOptions, follower: ClusterFollower, zones: ServedZones, context: SetupContext) {
    this.#options = options
    this.#follower = follower
    this.#context = context
    this.#zones = zones
    this.#origins = zones.compiled.zones
      .map(zone => ({
        zone,
        nameServer: keyOfName(nameOf(NAME_SERVER, zone.originName)!),
        falls: falls(zone.origin, options),
      }))
      .sort((a, b) => b.zone.origin.length - a.zone.origin.length)
    const fallingWithin = options.fallthrough.filter(zone => isWithinAny(zone, options.origins))
    this.footprint = {
      suffixes: () => [...options.origins, ...fallingWithin],
      declare: cut => this.#declare(cut),
    }
    const followsPods = () => follower.status().every(({ kind, following }) => kind !== 'Pod' || following)
    this.searchLists = searchLists(options, follower.state, followsPods)
  }

  /** The cluster as far as it is known. */
  get cluster(): ClusterView {
    return this.#follower.state
  }

  get shares(): SharedCluster {
    return this.#follower
  }

  get options(): KubernetesOptions {
    return this.#options
  }

  workloadAt(address: string): string | undefined {
    return workloadAt(this.cluster, address)
  }

  ready(): boolean {
    return this.#zones.projected
  }

  freshness(): Freshness {
    return freshnessOf(this.#follower.status(), this.#follower.state)
  }

  async probe(): Promise<Probed> {
    const found = await probeCluster(this.#options, this.#context.clock)
    return found ? probedText(found) : { ok: true, lines: [`${this.#options.manifests}, no API server`] }
  }

  async start(): Promise<void> {
    const { block, clock, log } = this.#context
    // With `bind` CoreDNS finds no address of its own (it reads them as networks), and its zones have no name server.
    const local = block.listen.length === 0 ? localAddresses() : []
    this.#nameServers = new NameServers(this.#zones.compiled, local, this.#options.ttl, this.#options)
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
    // It can still fail, but for the abort of a stop: a token file that is found to be missing only now, no room for the names.
    following.catch(error => this.#stopped || log.error(messageOf(error)))
    synced.catch(error => this.#context.server.fail(error))
  }

  async stop(): Promise<void> {
    this.#stopped = true
  }

  #project(): void {
    if (this.#stopped) return
    const { table, server } = this.#context
    // What the lists were read from is as much as all that is kept: it makes room for the zones.
    if (!this.#zones.projected) collect()
    this.#zones.project()
    if (table) server.republish()
  }

  #declare(cut: CutDraft): void {
    const origin = this.#originOf(cut.suffix)
    if (origin === undefined) return
    const space = this.#zones.space(origin.zone.origin)
    if (space && this.ready()) cut.zone(space, !isWithinAny(cut.suffix, this.#options.fallthrough))
    else cut.ask()
  }

  current(query: Query): boolean {
    const origin = this.#originOf(query.key)
    if (origin === undefined) return false
    if (!origin.falls || !this.ready()) return true
    const found = this.#answer(origin, query)
    this.#last = { query, revision: this.cluster.revision, found }
    return !this.#fallsThrough(query.key, found)
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    const origin = this.#originOf(query.key)
    if (origin === undefined) return next(query)
    if (!this.ready()) return unsynced
    if (query.type === Type.AXFR || query.type === Type.IXFR) return refused
    const last = this.#last
    const isKnown = last?.query === query && last.revision === this.cluster.revision
    const found = isKnown ? last.found : this.#answer(origin, query)
    if ('targets' in found) {
      const { ttl } = this.#options
      const ask = this.#context.server.ask
      return followed(query, found, { zones: this.#zones.compiled, zone: origin.zone, ttl, ask }).then(reply)
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
    return this.#zones.compiled.find(zone, key, type)
  }

  #fallsThrough(key: NameKey, found: Answer | External): boolean {
    return 'rcode' in found && found.rcode === Rcode.NXDOMAIN && isWithinAny(key, this.#options.fallthrough)
  }
}

/** V8 would keep for long what no longer lives. The program has a collector at hand (`cli/memory.ts`), a library may not. */
function collect(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync' })
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
