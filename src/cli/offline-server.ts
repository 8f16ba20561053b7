/** A server that never listens: a Corefile's plugins over a cluster that was read, asked in this process. */
import { type Names, namesOf, zoneTexts } from '../client/explain/names.ts'
import type { ClusterView, Source } from '../cluster/contract.ts'
import type { Kind } from '../cluster/objects.ts'
import { httpHub } from '../net/http-hub.ts'
import { logger } from '../observe/logger.ts'
import { metrics } from '../observe/metrics.ts'
import type { PluginDefinition } from '../plugin/plugin.ts'
import { offline } from '../plugins/forward/offline.ts'
import { Instance } from '../server/instance.ts'
import { ResourcePool } from '../server/resources.ts'
import { fileText } from './file-text.ts'
import type { Shell } from './shell.ts'

/** The text of a Corefile, and what it is called in messages. */
export interface CorefileText {
  readonly file: string
  readonly text: string
}

/** What kubeadm gives a cluster with this zone, as far as it answers. */
export function kubeadmCorefile(zone = 'cluster.local'): CorefileText {
  const text = `.:53 {
    errors
    kubernetes ${zone} in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . /etc/resolv.conf
    loadbalance
}
`
  return { file: 'Corefile', text }
}

/** Plugins that listen, write or count, and have no part in answers. What they say in the Corefile is still checked. */
const silenced = new Set(['debug', 'errors', 'health', 'log', 'loop', 'prometheus', 'ready', 'reload', 'routes'])

export interface OfflineServer extends AsyncDisposable {
  readonly names: Names
}

/** Throws a positioned PortolanError for a mistake in the Corefile. */
export async function offlineServer(
  { file, text }: CorefileText,
  view: ClusterView,
  shell: Shell,
): Promise<OfflineServer> {
  const { clock, random, env } = shell
  const resources = new ResourcePool().generation()
  const http = httpHub()
  const failed = Promise.withResolvers<never>()
  const instance = Instance.load(
    text,
    { file, env, port: 53 },
    {
      plugins: shell.plugins.map(quiet),
      clock,
      random,
      log: logger({ format: 'text', write: () => undefined }),
      metrics: metrics(),
      http,
      resources,
      clusters: kinds => copyOf(view, kinds),
      dropped: () => () => undefined,
      control: { corefileChanged: async () => false, reload: async () => false, fail: failed.reject },
    },
  )
  const stop = async () => {
    await instance.stop()
    await resources.release()
    await http.close()
  }
  await Promise.race([instance.start(), failed.promise]).catch(async error => {
    await stop()
    throw error
  })
  const endpoint = instance.endpoints.find(({ port }) => port === 53) ?? instance.endpoints[0]!
  const names = namesOf(zonesOf(instance), false, query => instance.router(endpoint)!.answer(query))
  return { names, [Symbol.asyncDispose]: stop }
}

/** Throws PORTOLAN_COREFILE_READ. */
export function readCorefile(file: string): CorefileText {
  return { file, text: fileText(file, 'PORTOLAN_COREFILE_READ') }
}

function quiet(definition: PluginDefinition): PluginDefinition {
  if (definition.name === offline.name) return offline
  if (!silenced.has(definition.name)) return definition
  return {
    ...definition,
    setup(directive, context) {
      definition.setup(directive, context)
      return { name: definition.name }
    },
  }
}

function zonesOf({ blocks }: Instance): string[] {
  const sharing = blocks.flatMap(({ plugins }) => plugins).filter(({ shares }) => shares !== undefined)
  return zoneTexts(sharing.flatMap(({ footprint }) => [...(footprint?.suffixes?.() ?? [])]))
}

/** The objects that were read already, once more for a plugin: they are shared, not copied. */
function copyOf(view: ClusterView, kinds: readonly Kind[]): Source {
  return {
    name: 'a cluster that was read',
    kinds,
    async follow(into, signal) {
      for (const kind of kinds) {
        const replacement = into.replace(kind, signal)
        await replacement.page([...view.list(kind)])
        await replacement.done()
      }
    },
  }
}
