/**
 * `prometheus`: counts queries and replies, and exports all metrics there are over HTTP. What is counted, and under which names,
 * is in `observe/traffic.ts`.
 */
import { isIPv6, SocketAddress } from 'node:net'
import { type HostPort, hostPort } from '../../corefile/addresses.ts'
import { readOptions } from '../../corefile/options.ts'
import { messageOf } from '../../errors.ts'
import type { HttpClaim, HttpHandler } from '../../net/http-hub.ts'
import type { Timer } from '../../observe/clock.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { type Traffic, trafficMetrics } from '../../observe/traffic.ts'
import type { CutDraft } from '../../plugin/cut-draft.ts'
import type { Block, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { version } from '../../version.ts'
import { type NameKey, textFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { readWebConfig } from './web-config.ts'

export const definition: PluginDefinition = {
  name: 'prometheus',
  setup(directive, context) {
    const listen = directive.address(undefined, { name: 'address', default: { host: 'localhost', port: 9153 } })
    let webConfig: string | undefined
    readOptions(directive, {
      tls(option) {
        webConfig = option.path(context.directory, { name: 'file' })
      },
      // What Node tells of its runtime is exported in any case.
      runtime_metrics: () => undefined,
    })
    return prometheus({ listen, webConfig }, context)
  },
}

interface PrometheusOptions {
  readonly listen: HostPort
  /** The file that tells of TLS; plain HTTP without one. */
  readonly webConfig: string | undefined
}

/** How often certificates are read anew: they are replaced while the process runs. */
const RENEW_EVERY_MS = 60_000

type PrometheusContext = Pick<SetupContext, 'block' | 'clock' | 'http' | 'log' | 'metrics'>

function prometheus({ listen, webConfig }: PrometheusOptions, context: PrometheusContext): Plugin {
  const { block, clock, http, log, metrics } = context
  const trafficOf = trafficFinder(block, metrics)
  const counted = (query: Query, reply: Reply, start: number): Reply => {
    trafficOf(query).count(query, reply.answer, reply.plugin, (clock.monotonic() - start) / 1000)
    return reply
  }
  const exposition: HttpHandler = async (_request, response) => {
    const text = await metrics.exposition()
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text)
  }
  let held: (() => void)[] = []
  let claim: HttpClaim | undefined
  let renewal: Timer | undefined

  async function listenOn(): Promise<HttpClaim> {
    const tls = webConfig === undefined ? undefined : await readWebConfig(webConfig)
    return http.claim(hostPort(listen.host, listen.port), { '/metrics': exposition }, 'prometheus', tls)
  }

  /** Claims the address again, which takes the certificates as they are now. */
  async function renew(): Promise<void> {
    try {
      const renewed = await listenOn()
      // Where it was stopped meanwhile, the new claim is given back, or else the old one.
      const spare = renewal ? claim : renewed
      if (renewal) claim = renewed
      await spare?.release()
    } catch (error) {
      log.warning(`the certificates stay as they are: ${messageOf(error)}`)
    }
  }

  return {
    name: 'prometheus',
    footprint: { declare: cut => declare(block, cut) },
    handle(query, next) {
      const start = clock.monotonic()
      const reply = next(query)
      return reply instanceof Promise ? reply.then(late => counted(query, late, start)) : counted(query, reply, start)
    },
    async start() {
      metrics.addProcess()
      held = [...holdBuildInfo(metrics), ...holdEnabled(block, metrics)]
      claim = await listenOn()
      if (webConfig !== undefined) renewal = clock.every(RENEW_EVERY_MS, () => void renew())
    },
    async stop() {
      renewal?.cancel()
      renewal = undefined
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
      zones.set(origin, (zone = traffic.of(labelAt(block, address), textFromKey(origin))))
    }
    return zone
  }
}

/** The same for all queries to the address that `cut` is for, by the address as the system spells it. */
function declare(block: Block, cut: CutDraft): void {
  const { address, origin } = cut
  if (block.listen.length <= 1) {
    cut.count(block.label, textFromKey(origin))
  } else if (address === '') {
    // The addresses that queries come in at are not known.
    cut.intercept()
  } else {
    const plain = address.replace(/%.*/, '')
    const local = new SocketAddress({ address: plain, family: isIPv6(plain) ? 'ipv6' : 'ipv4' }).address
    cut.count(labelAt(block, local), textFromKey(origin))
  }
}

function labelAt(block: Block, localAddress: string): string {
  return block.listen.includes(localAddress) ? serverLabel(block, localAddress) : block.label
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
