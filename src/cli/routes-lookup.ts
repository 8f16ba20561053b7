/** `portolan routes lookup`: where a connection to an address leads, and why. */
import type { Forwarding } from '../routes/path.ts'
import { chainNames, endpointChain } from '../routes/render/iptables-names.ts'
import { type Backend, nameOf } from '../routes/route.ts'
import type { Arguments } from './arguments.ts'
import { Exit } from './command.ts'
import { addressText, type Found, follow } from './routes-asked.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function lookupRoute(given: Arguments, shell: Shell): Promise<number> {
  const found = await follow(given, shell)
  const facts = factsOf(found)
  show(given, shell, facts, () => textOf(found, facts))
  return Exit.done
}

function factsOf(found: Found) {
  const { asked, cluster, route, source, path } = found
  const { destination, kind } = route
  const { outcome, usable } = path
  const backends = outcome.action === 'forward' ? outcome.backends : []
  const others = destination.backends.filter(backend => !backends.includes(backend))
  return {
    ...asked,
    kind,
    service: destination.service,
    portName: destination.portName,
    node: cluster.node?.name,
    source,
    action: outcome.action,
    reason: outcome.action === 'forward' ? undefined : outcome.reason,
    why: outcome.why,
    affinitySeconds: destination.affinitySeconds,
    internalTrafficPolicy: destination.internalPolicy,
    externalTrafficPolicy: destination.externalPolicy,
    sourceRanges: destination.sourceRanges,
    topology: usable.topology,
    masquerade: outcome.action === 'forward' ? outcome.masquerade : undefined,
    endpoints: [
      ...backends.map(backend => ({ ...endpointOf(backend), probability: 1 / backends.length })),
      ...others.map(backend => ({ ...endpointOf(backend), probability: 0 })),
    ],
    chains: chainsOf(found),
  }
}

function endpointOf({ address, ready, serving, terminating, targetName, nodeName, zone }: Backend) {
  return { address, ready, serving, terminating, targetName, nodeName, zone }
}

/** The chains of iptables that the connection passes, the endpoint's left out. */
function chainsOf({ route, path: { outcome, usable } }: Found): string[] {
  const { kind, destination } = route
  const { cluster, local, external, firewall } = chainNames(destination)
  const chosen = outcome.action === 'forward' ? [outcome.choice === 'local' ? local : cluster] : []
  if (kind === 'ClusterIP')
    return outcome.action === 'forward' ? ['KUBE-SERVICES', ...chosen] : ['KUBE-SERVICES (filter)']
  if (!usable.anywhere) return ['KUBE-EXTERNAL-SERVICES (filter)']
  const guard = kind === 'LoadBalancer' && destination.sourceRanges.length > 0 ? [firewall] : []
  const first = kind === 'NodePort' ? ['KUBE-SERVICES', 'KUBE-NODEPORTS'] : ['KUBE-SERVICES']
  if (outcome.action === 'forward') return [...first, ...guard, external, ...chosen]
  return outcome.reason === 'source ranges'
    ? [...first, ...guard, 'KUBE-PROXY-FIREWALL (filter)']
    : [...first, external, 'KUBE-EXTERNAL-SERVICES (filter)']
}

function textOf(found: Found, facts: ReturnType<typeof factsOf>): string {
  const { asked, cluster, route, path, source } = found
  const { destination, kind } = route
  const { outcome } = path
  const policy =
    kind === 'ClusterIP'
      ? `internalTrafficPolicy ${destination.internalPolicy}`
      : `externalTrafficPolicy ${destination.externalPolicy}`
  const affinity = destination.affinitySeconds > 0 ? `${destination.affinitySeconds} s` : 'none'
  const port = destination.portName === '' ? `port ${asked.port}` : `port ${destination.portName}`
  const lines = [
    `Service ${destination.service} ${port} (${destination.protocol}), ${kind} · affinity ${affinity} · ${policy}`,
  ]
  if (outcome.action !== 'forward') lines.unshift(`✗ ${outcome.action}: ${outcome.why}`)
  if (path.usable.topology !== undefined) lines.push(`${path.usable.topology}: endpoints meant for here alone`)
  const rows = facts.endpoints.map(endpoint => rowOf(endpoint, facts.node))
  lines.push(rows.length === 0 ? '  no endpoints' : columns(rows).trimEnd())
  if (outcome.action === 'forward') lines.push(`source seen by the endpoint: ${seenAs(found, outcome)}`)
  lines.push(`iptables  ${facts.chains.join(' → ')}${lastChain(found)}`)
  if (cluster.node === undefined)
    lines.push('seen from no node in particular: give -node NAME for Local policies and topology')
  if (source === undefined) lines.push('from nowhere in particular: give -from NAMESPACE/POD, an address or a range')
  return `${lines.join('\n')}\n`
}

function rowOf(
  endpoint: ReturnType<typeof endpointOf> & { readonly probability: number },
  node: string | undefined,
): string[] {
  const { address, targetName, nodeName, zone, probability } = endpoint
  const where = nodeName !== '' && nodeName === node ? 'same node' : ''
  return [
    `  ${probability > 0 ? `1/${Math.round(1 / probability)}` : '-'}`,
    address,
    targetName,
    nodeName,
    zone,
    [where, stateOf(endpoint, probability > 0)].filter(Boolean).join(', '),
  ]
}

/** Why an endpoint is not used, or that it is going; nothing of one that is used as it should be. */
function stateOf({ ready, serving, terminating }: ReturnType<typeof endpointOf>, used: boolean): string {
  if (ready) return used ? '' : 'not for here'
  if (!terminating) return 'not ready'
  return serving ? 'terminating, still serving' : 'terminating'
}

function seenAs({ source, setting }: Found, { masquerade, why, hairpin }: Forwarding): string {
  const node = setting.place.node === '' ? 'the node' : `node ${setting.place.node}`
  const client = source ?? 'the client'
  const seen = masquerade ? `${node} (masqueraded: ${why})` : `${client} (not masqueraded: ${why})`
  return hairpin && !masquerade ? `${seen}; by itself, ${node}: a pod that reaches itself is masqueraded` : seen
}

function lastChain({ route, path: { outcome } }: Found): string {
  if (outcome.action !== 'forward') return ''
  const [only, ...more] = outcome.backends
  return ` → ${more.length === 0 ? endpointChain(route.destination, only!.address) : 'KUBE-SEP-…'}`
}

/** For messages of other commands: what was asked for. */
export function titleOf({ asked, route }: Found): string {
  return `${addressText(asked)} (${nameOf(route.destination)})`
}
