/** `routes`: tells over HTTP where the virtual addresses of a cluster lead, from the very state that its names are made of. */
import { type HostPort, hostPort } from '../../corefile/addresses.ts'
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { PortolanError } from '../../errors.ts'
import type { HttpClaim } from '../../net/http-hub.ts'
import type { Defaults } from '../../net/http-json.ts'
import type { Fixture, PluginDefinition, SetupContext } from '../../plugin/plugin.ts'
import { parseRange } from '../../wire/range.ts'
import { Occupants } from './occupants.ts'
import type { ServedRoutes } from './served-routes.ts'

export const definition: PluginDefinition = {
  name: 'routes',
  setup(directive, context) {
    const listen = directive.address(undefined, { name: 'address', default: { host: '127.0.0.1', port: 9154 } })
    const defaults = readDefaults(directive)
    if (!context.block.directives.some(({ name }) => name === 'kubernetes'))
      throw directive.error(
        'routes are those of a cluster: put it into the server block of "kubernetes", or add that here',
      )
    return routes(listen, defaults, context)
  },
}

/** What questions leave out, by the name of the parameter. */
function readDefaults(directive: Directive): Defaults {
  const defaults = new Map<string, string>()
  readOptions(directive, {
    node(option) {
      defaults.set('node', option.text({ name: 'name' }))
    },
    cluster_cidr(option) {
      defaults.set('cluster-cidr', ranges(option))
    },
    masquerade_all() {
      defaults.set('masquerade-all', 'true')
    },
    nodeport_addresses(option) {
      defaults.set('nodeport-addresses', ranges(option, 'primary'))
    },
  })
  return defaults
}

function ranges(option: Directive, word?: string): string {
  const tokens = option.rest({ name: 'ranges', min: 1 })
  for (const token of tokens) {
    const isWord = tokens.length === 1 && token.text === word
    if (!isWord && parseRange(token.text) === undefined)
      throw option.error(`${option.name} must be a range such as 10.244.0.0/16, got "${token.text}"`, token)
  }
  return tokens.map(({ text }) => text).join(',')
}

function routes(listen: HostPort, defaults: Defaults, context: SetupContext): Fixture {
  const { block, http, resources } = context
  const address = hostPort(listen.host, listen.port)
  let served: ServedRoutes | undefined
  let claim: HttpClaim | undefined
  let stopped = false
  return {
    name: 'routes',
    // It has no part in names, so it is never what they wait for; what it lacks is told by `ready?verbose`.
    ready: () => true,
    freshness: () => served?.freshness() ?? { staleMs: 0, lines: [] },
    async start() {
      const cluster = block.plugins.find(({ shares }) => shares !== undefined)?.shares
      if (cluster === undefined)
        throw new PortolanError('PORTOLAN_ROUTES_CLUSTER', 'routes: there is no cluster to read')
      const occupants = resources.share(`who serves routes at ${address}`, () => new Occupants(address))
      // Port 0 is another one each time.
      if (listen.port !== 0) occupants.enter(resources, cluster.key)
      // Loaded only where it is needed: who serves names alone pays nothing for routes.
      const [{ ServedRoutes }, { handlers }] = await Promise.all([
        import('./served-routes.ts'),
        import('./requests.ts'),
      ])
      if (stopped) return
      served = resources.share(`routes of ${cluster.key}`, () => new ServedRoutes(cluster, context))
      claim = await http.claim(address, handlers(served, defaults), 'routes')
    },
    async stop() {
      stopped = true
      await claim?.release()
    },
  }
}
