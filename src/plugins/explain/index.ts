/** `explain`: tells over HTTP why a pod reaches a name, or why it does not, as this very server answers it. */

import { zoneTexts } from '../../client/explain/names.ts'
import { type HostPort, hostPort } from '../../corefile/addresses.ts'
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { PortolanError } from '../../errors.ts'
import type { HttpClaim } from '../../net/http-hub.ts'
import type { Defaults } from '../../net/http-json.ts'
import type { Fixture, PluginDefinition, SetupContext } from '../../plugin/plugin.ts'
import { ExplainedCluster } from './explained-cluster.ts'

export const definition: PluginDefinition = {
  name: 'explain',
  setup(directive, context) {
    const listen = directive.address(undefined, { name: 'address', default: { host: '127.0.0.1', port: 9154 } })
    const defaults = readDefaults(directive)
    if (!context.block.directives.some(({ name }) => name === 'kubernetes'))
      throw directive.error(
        'what is explained is a cluster: put it into the server block of "kubernetes", or add that here',
      )
    return explain(listen, defaults, context)
  },
}

/** What questions leave out, by the name of the parameter. */
function readDefaults(directive: Directive): Defaults {
  const defaults = new Map<string, string>()
  readOptions(directive, {
    cluster_dns(option) {
      defaults.set('cluster-dns', words(option))
    },
    cluster_domain(option) {
      defaults.set('cluster-domain', option.text({ name: 'name' }))
    },
    cluster_cidr(option) {
      defaults.set('cluster-cidr', words(option))
    },
  })
  return defaults
}

function words(option: Directive): string {
  return option
    .rest({ name: 'addresses', min: 1 })
    .map(({ text }) => text)
    .join(',')
}

function explain(listen: HostPort, defaults: Defaults, context: SetupContext): Fixture {
  const { block, http, resources, random, server } = context
  let explained: ExplainedCluster | undefined
  let claim: HttpClaim | undefined
  return {
    name: 'explain',
    // It has no part in names, so it is never what they wait for.
    ready: () => true,
    freshness: () => explained?.freshness() ?? { staleMs: 0, lines: [] },
    async start() {
      const kubernetes = block.plugins.find(({ shares }) => shares !== undefined)
      const cluster = kubernetes?.shares
      if (cluster === undefined)
        throw new PortolanError('PORTOLAN_EXPLAIN_CLUSTER', 'explain: there is no cluster to read')
      explained = resources.share(`explanations of ${cluster.key}`, () => new ExplainedCluster(cluster))
      const zones = zoneTexts(kubernetes?.footprint?.suffixes?.() ?? [])
      // A server that explains nothing need not load what it takes.
      const { handler } = await import('./request.ts')
      const answers = handler({ cluster: explained, zones, ask: query => server.ask(query), random, defaults })
      claim = await http.claim(hostPort(listen.host, listen.port), { '/explain': answers }, 'explain')
    },
    async stop() {
      await claim?.release()
    },
  }
}
