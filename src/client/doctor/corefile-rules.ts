/** What is commonly wrong in a Corefile: a table of rules, each with what follows and what to write instead. */

import type { Directive } from '../../corefile/directive.ts'
import { directivesNamed, type ServerBlock } from '../../corefile/server-block.ts'
import type { Position } from '../../errors.ts'
import { asksCluster } from '../resolver/pod-resolv-conf.ts'
import type { CheckName, Level } from './check.ts'
import { addressIn, isReverseZone, optionOf, targetsOf, zonesOf } from './corefile-facts.ts'
import type { World } from './world.ts'

/** Something that a rule found, and where. */
export interface Spot {
  readonly at: Position
  readonly seen: string
}

export interface CorefileRule {
  readonly level: Level
  readonly means: string
  /** What to write. */
  readonly mend: string
  readonly explains?: readonly CheckName[]
  find(block: ServerBlock, world: World): Spot[]
}

const loopback = /^(127\.|::1$|0\.0\.0\.0$|::$)/
const obsoleteOptions = ['upstream', 'resyncperiod', 'transfer', 'federation']

export const corefileRules: readonly CorefileRule[] = [
  {
    level: 'fault',
    means: 'queries go round until they time out, and names of the outside get SERVFAIL',
    mend: 'forward to a server outside of the cluster',
    explains: ['direct query', 'virtual address', 'upstream'],
    find: (block, world) => plugins(block, 'forward').flatMap(plugin => loopsOf(block, world, plugin)),
  },
  {
    level: 'fault',
    means: 'autopath finds no pod by its address, and does nothing',
    mend: 'pods verified',
    find: block =>
      plugins(block, 'autopath')
        .filter(usesKubernetes)
        .flatMap(autopath => {
          const unverified = plugins(block, 'kubernetes').filter(plugin => optionOf(plugin, 'pods')?.[0] !== 'verified')
          return unverified.map(plugin => {
            const pods = optionOf(plugin, 'pods')?.[0] ?? 'disabled'
            return { at: autopath.at, seen: `autopath @kubernetes with "pods ${pods}"` }
          })
        }),
  },
  {
    level: 'fault',
    means: 'CoreDNS has no such plugin since 1.5, and does not start',
    mend: 'forward . …',
    explains: ['dns pods', 'dns service', 'direct query', 'virtual address', 'upstream'],
    find: block => spots(plugins(block, 'proxy'), () => 'the plugin proxy'),
  },
  {
    level: 'warning',
    means: 'it has no effect any more, or keeps a newer CoreDNS from starting',
    mend: 'remove it',
    find: block =>
      plugins(block, 'kubernetes').flatMap(({ block: options = [] }) =>
        spots(
          options.filter(({ name }) => obsoleteOptions.includes(name)),
          ({ name }) => `obsolete option ${name}`,
        ),
      ),
  },
  {
    level: 'warning',
    means: 'only the first is used',
    mend: 'one URL',
    find: block =>
      plugins(block, 'kubernetes').flatMap(({ block: options = [] }) =>
        spots(
          options.filter(({ name, args }) => name === 'endpoint' && args.length > 1),
          () => 'endpoint with several URLs',
        ),
      ),
  },
  {
    level: 'warning',
    means: 'PTR of addresses outside of the cluster get NXDOMAIN, though there is a server to forward them to',
    mend: 'fallthrough in-addr.arpa ip6.arpa',
    find: block =>
      plugins(block, 'forward').length === 0
        ? []
        : plugins(block, 'kubernetes').flatMap(plugin => {
            const reverse = zonesOf(block, plugin).filter(isReverseZone)
            const passed = optionOf(plugin, 'fallthrough')
            const kept =
              passed?.length === 0
                ? []
                : reverse.filter(zone => !passed?.includes(zone) && !passed?.includes(`${zone}.`))
            return kept.length === 0 ? [] : [{ at: plugin.at, seen: `no fallthrough for ${kept.join(' ')}` }]
          }),
  },
  {
    level: 'warning',
    means: 'the kubelet cannot tell whether it knows the cluster, and sends queries to a pod that does not',
    mend: 'ready',
    find: block => lacks(block, 'ready'),
  },
  {
    level: 'warning',
    means: 'the kubelet cannot tell whether it is alive, and ends it without letting queries run out',
    mend: 'health { lameduck 5s }',
    find: block => lacks(block, 'health'),
  },
  {
    level: 'warning',
    means: 'what goes wrong is not told anywhere',
    mend: 'errors',
    find: block => lacks(block, 'errors'),
  },
  {
    level: 'note',
    means: 'CoreDNS keeps answers of the cluster for as long: changes are seen late (portolan asks the zone first)',
    mend: 'cache 30 { disable success cluster.local disable denial cluster.local }',
    find: block =>
      plugins(block, 'kubernetes').length === 0
        ? []
        : spots(plugins(block, 'cache').filter(keepsCluster), () => "cache keeps names of the cluster's zone"),
  },
  {
    level: 'note',
    means: 'any address in the name of a pod is answered, whether a pod has it or not',
    mend: 'pods verified',
    find: block =>
      spots(
        plugins(block, 'kubernetes').filter(plugin => optionOf(plugin, 'pods')?.[0] === 'insecure'),
        () => 'pods insecure',
      ),
  },
  {
    level: 'note',
    means: 'every query writes a line, which costs more than the answer',
    mend: 'log . { class error }',
    find: block =>
      spots(
        plugins(block, 'log').filter(plugin => optionOf(plugin, 'class') === undefined),
        () => 'log of all classes',
      ),
  },
  {
    level: 'note',
    means: 'a loop is only found where it is looked for',
    mend: 'loop',
    find: block => (plugins(block, 'forward').length === 0 ? [] : lacks(block, 'loop', 'forward')),
  },
]

function plugins(block: ServerBlock, name: string): Directive[] {
  return directivesNamed(block, name)
}

function spots(directives: readonly Directive[], seen: (directive: Directive) => string): Spot[] {
  return directives.map(directive => ({ at: directive.at, seen: seen(directive) }))
}

/** Only of blocks that serve the cluster, or have what is named. */
function lacks(block: ServerBlock, name: string, where = 'kubernetes'): Spot[] {
  if (plugins(block, where).length === 0 || plugins(block, name).length > 0) return []
  return [{ at: block.at, seen: `a block with ${where} and without ${name}` }]
}

function usesKubernetes({ args }: Directive): boolean {
  return args.some(({ text }) => text === '@kubernetes')
}

function keepsCluster(cache: Directive): boolean {
  return optionOf(cache, 'disable') === undefined
}

/** Targets that lead back to the server itself. */
function loopsOf(block: ServerBlock, { dns: { service, pods } }: World, plugin: Directive): Spot[] {
  const own = new Map([
    ...pods.flatMap(({ podIPs, name }) => podIPs.map(ip => [ip, `the address of pod ${name}`] as const)),
    ...(service?.clusterIPs ?? []).map(ip => [ip, 'the address of the DNS service, which leads back here'] as const),
  ])
  const ports = new Set(block.addresses.map(({ port }) => port))
  return targetsOf(plugin).flatMap(target => {
    const at = addressIn(target)
    const ofCluster = at && own.get(at.ip)
    const why =
      ofCluster ??
      (at && loopback.test(at.ip) && ports.has(at.port) ? 'this server itself' : undefined) ??
      (target.startsWith('/') ? selfByFile(target, pods) : undefined)
    return why === undefined ? [] : [{ at: plugin.at, seen: `forward to ${target}: ${why}` }]
  })
}

/** In a pod that asks the cluster's DNS server, resolv.conf names the cluster's DNS server. */
function selfByFile(file: string, pods: World['dns']['pods']): string | undefined {
  if (file !== '/etc/resolv.conf') return undefined
  const asking = pods.find(asksCluster)
  return (
    asking && `pod ${asking.name} has dnsPolicy ${asking.dns.policy}, so that it names the DNS service, and not Default`
  )
}
