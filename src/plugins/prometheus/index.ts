/**
 * `prometheus`: counts queries and replies, and exports all metrics there are over HTTP. What is counted, and under which names,
 * is in `observe/traffic.ts`.
 */
import type { HostPort } from '../../corefile/addresses.ts'
import { readOptions } from '../../corefile/options.ts'
import type { HttpClaim, HttpHandler } from '../../net/http-hub.ts'
import { hostPort } from '../../net/upstream.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { type Traffic, trafficMetrics } from '../../observe/traffic.ts'
import type { Block, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { version } from '../../version.ts'
import { type NameKey, textFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'

export const definition: PluginDefinition = {
  name: 'prometheus',
  setup(directive, context) {
    const listen = directive.address(undefined, { name: 'address', default: { host: 'localhost', port: 9153 } })
    readOptions(directive, {
      // What Node tells of its runtime is exported in any case.
      runtime_metrics: () => undefined,
    })
    return prometheus(listen, context)
  },
}

function prometheus(listen: HostPort, context: Pick<SetupContext, 'block' | 'clock' | 'http' | 'metrics'>): Plugin {
  const { block, clock, http, metrics } = context
  const trafficOf = trafficFinder(block, metrics)
  const counted = (query: Query, reply: Reply, start: number): Reply => {
    trafficOf(query).count(query, reply.answer, reply.plugin, (clock.monotonic() - start) / 1000)
    return reply
  }
  let held: (() => void)[] = []
  let claim: HttpClaim | undefined
  return {
    name: 'prometheus',
    handle(query, next) {
      const start = clock.monotonic()
      const reply = next(query)
      return reply instanceof Promise ? reply.then(late => counted(query, late, start)) : counted(query, reply, start)
    },
    async start() {
      metrics.addProcess()
      held = [...holdBuildInfo(metrics), ...holdEnabled(block, metrics)]
      const exposition: HttpHandler = async (_request, response) => {
        const text = await metrics.exposition()
        response.writeHead(200, { 'content-type': metrics.contentType }).end(text)
      }
      claim = await http.claim(hostPort(listen.host, listen.port), { '/metrics': exposition }, 'prometheus')
    },
    async stop() {
      for (const release of held) release()
      await claim?.release()
    },
  }
}

/** Where a query is counted: by the address it came in at, where the block has several, and by the zone it fell into. */
function trafficFinder(block: Block, metrics: Metrics): (query: Query) => Traffic {
  const traffic = trafficMetrics(metrics)
  const servers = new Map<string, Map<NameKey, Traffic>>()
  return ({ peer, origin }) => {
    const address = block.listen.length > 1 ? peer.localAddress : ''
    let zones = servers.get(address)
    if (zones === undefined) servers.set(address, (zones = new Map()))
    let zone = zones.get(origin)
    if (zone === undefined) {
      const server = block.listen.includes(address) ? serverLabel(block, address) : block.label
      zones.set(origin, (zone = traffic.of(server, textFromKey(origin))))
    }
    return zone
  }
}

/** The block's label, but for one of its addresses. */
function serverLabel({ label, port }: Block, address: string): string {
  return `${label.slice(0, label.indexOf('://'))}://${hostPort(address, port)}`
}

function holdBuildInfo(metrics: Metrics): (() => void)[] {
  const help =
    "A metric with a constant '1' value labeled by version, revision, and goversion from which the server was built."
  const info = metrics.info('coredns_build_info', help, ['version', 'revision', 'goversion'])
  return [info.hold(version, '', process.version)]
}

function holdEnabled(block: Block, metrics: Metrics): (() => void)[] {
  const help = 'A metric that indicates whether a plugin is enabled on per server and zone basis.'
  const info = metrics.info('coredns_plugin_enabled', help, ['server', 'zone', 'view', 'name'])
  const servers = block.listen.length === 0 ? [block.label] : block.listen.map(address => serverLabel(block, address))
  const links = block.plugins.filter(plugin => plugin.handle !== undefined)
  return servers.flatMap(server =>
    block.origins.flatMap(origin => links.map(({ name }) => info.hold(server, textFromKey(origin), '', name))),
  )
}
