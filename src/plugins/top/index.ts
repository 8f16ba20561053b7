/**
 * `top`: counts which names are searched in the cluster to the end of its domains, and are not there, and by whom. One query in
 * 64 is looked at, so that the others may be answered from the answer table.
 */
import { hostPort } from '../../corefile/addresses.ts'
import { readOptions } from '../../corefile/options.ts'
import type { HttpClaim, HttpHandler } from '../../net/http-hub.ts'
import type { Counter } from '../../observe/metrics.ts'
import { then } from '../../plugin/chain.ts'
import type { Footprint } from '../../plugin/footprint.ts'
import type { Next, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { isWithin, isWithinAny, keyWith, type NameKey, ROOT, textFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { isSampled, SAMPLED_ONE_IN } from '../../wire/sample.ts'
import { Rcode } from '../../wire/types.ts'
import { isReverse } from '../../zone/address.ts'
import { DOMAINS, reportOf } from './report.ts'
import { Tally } from './tally.ts'

export const definition: PluginDefinition = {
  name: 'top',
  setup(directive, context) {
    const { host, port } = directive.address(undefined, { name: 'address', default: { host: 'localhost', port: 9154 } })
    readOptions(directive)
    return new Top(hostPort(host, port), context)
  },
}

/** Names by client that are counted at once. */
const SIZE = 512
const WINDOW_MS = 10 * 60_000

class Top implements Plugin {
  readonly name = 'top'
  readonly footprint: Footprint
  readonly #address: string
  readonly #context: SetupContext
  /** Of all blocks that tell it at the same address, in all generations. */
  #tally: Tally | undefined
  readonly #misses: Counter
  #zones: readonly NameKey[] = []
  /** What has names of its own there, which nobody searches. */
  #branches: readonly NameKey[] = []
  #claim: HttpClaim | undefined

  constructor(address: string, context: SetupContext) {
    this.#address = address
    this.#context = context
    const { block, metrics } = context
    this.#misses = metrics
      .counter('portolan_search_misses_total', "Queries for names in a cluster's search domains in vain, estimated.", [
        'server',
      ])
      .of(block.label)
    this.footprint = {
      suffixes: () => [...this.#zones, ...this.#branches],
      declare: cut => {
        if (this.#concerns(cut.suffix)) cut.sample()
      },
    }
  }

  async start(): Promise<void> {
    const { block, clock, http, resources } = this.#context
    const create = () =>
      Object.assign(new Tally({ clock, size: SIZE, windowMs: WINDOW_MS }), { close: () => undefined })
    this.#tally = resources.share(`top ${this.#address}`, create)
    const all = block.plugins
      .filter(plugin => plugin.current)
      .flatMap(({ footprint }) => [...(footprint?.suffixes?.() ?? [])])
      .filter(zone => zone !== ROOT && !isReverse(zone))
    this.#zones = all.filter(zone => !all.some(other => other !== zone && isWithin(zone, other)))
    this.#branches = this.#zones.flatMap(zone => [keyWith('svc', zone), keyWith('pod', zone)])
    this.#claim = await http.claim(this.#address, { '/top': this.#show }, this.name)
  }

  async stop(): Promise<void> {
    await this.#claim?.release()
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    const reply = next(query)
    if (!isSampled(query.id) || query.depth > 0 || !this.#concerns(query.key)) return reply
    return then(reply, query, this.#look)
  }

  /** Names right below a zone are the last that are tried in a cluster. */
  #concerns(key: NameKey): boolean {
    return isWithinAny(key, this.#zones) && !isWithinAny(key, this.#branches)
  }

  readonly #look = (query: Query, reply: Reply): Reply => {
    if (reply.answer.rcode !== Rcode.NXDOMAIN) return reply
    const zone = this.#zones.find(zone => isWithin(query.key, zone))!
    const name = textFromKey((query.key.slice(0, query.key.length - zone.length) + ROOT) as NameKey).slice(0, -1)
    this.#tally?.add({ name, client: this.#clientAt(query.peer.address) }, SAMPLED_ONE_IN)
    this.#misses.add(SAMPLED_ONE_IN * DOMAINS)
    return reply
  }

  #clientAt(address: string): string {
    for (const plugin of this.#context.block.plugins) {
      const workload = plugin.workloadAt?.(address)
      if (workload !== undefined) return workload
    }
    return address
  }

  readonly #show: HttpHandler = (_request, response) => {
    const walks = this.#context.block.directives.some(({ name }) => name === 'autopath')
    const body = JSON.stringify(reportOf(this.#tally!, walks))
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  }
}
