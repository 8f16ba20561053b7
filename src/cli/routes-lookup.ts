/** `portolan routes lookup`: where a connection to an address leads, and why. */
import { type EndpointFacts, type LookupFacts, lookup } from '../routes/facts/lookup.ts'
import type { Arguments } from './arguments.ts'
import { Exit } from './command.ts'
import { answer, fromJson } from './routes-answer.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function lookupRoute(given: Arguments, shell: Shell): Promise<number> {
  const facts = await lookUp(given, shell)
  show(given, shell, facts, () => textOf(facts))
  return Exit.done
}

/** The facts of what the command line asks for. */
export function lookUp(given: Arguments, shell: Shell): Promise<LookupFacts> {
  const address = given.words[1]
  const served = { path: '/routes/lookup', words: { address }, read: fromJson<LookupFacts> }
  return answer(given, shell, lookup(address, given), served)
}

function textOf(facts: LookupFacts): string {
  const { action, why, kind, service, port, portName, protocol, topology, node, source, lack } = facts
  const policy =
    kind === 'ClusterIP'
      ? `internalTrafficPolicy ${facts.internalTrafficPolicy}`
      : `externalTrafficPolicy ${facts.externalTrafficPolicy}`
  const affinity = facts.affinitySeconds > 0 ? `${facts.affinitySeconds} s` : 'none'
  const lines = [
    `Service ${service} port ${portName || port} (${protocol}), ${kind} · affinity ${affinity} · ${policy}`,
  ]
  if (action !== 'forward') lines.unshift(`✗ ${action}: ${why}`)
  if (topology !== undefined) lines.push(`${topology}: endpoints meant for here alone`)
  const rows = facts.endpoints.map(endpoint => rowOf(endpoint, node))
  lines.push(rows.length === 0 ? '  no endpoints' : columns(rows).trimEnd())
  if (action === 'forward') lines.push(`source seen by the endpoint: ${seenAs(facts)}`)
  lines.push(`iptables  ${[...facts.chains, ...lastChain(facts)].join(' → ')}`)
  if (lack !== undefined) lines.push(lack)
  if (node === undefined) lines.push('seen from no node in particular: give -node NAME for Local policies and topology')
  if (source === undefined) lines.push('from nowhere in particular: give -from NAMESPACE/POD, an address or a range')
  return `${lines.join('\n')}\n`
}

function rowOf(endpoint: EndpointFacts, node: string | undefined): string[] {
  const { address, targetName, nodeName, zone, probability } = endpoint
  const where = nodeName !== '' && nodeName === node ? 'same node' : ''
  return [
    `  ${probability > 0 ? `1/${Math.round(1 / probability)}` : '-'}`,
    address,
    targetName,
    nodeName,
    zone,
    [where, stateOf(endpoint)].filter(Boolean).join(', '),
  ]
}

/** Why an endpoint is not used, or that it is going; nothing of one that is used as it should be. */
function stateOf({ ready, serving, terminating, probability }: EndpointFacts): string {
  if (ready) return probability > 0 ? '' : 'not for here'
  if (!terminating) return 'not ready'
  return serving ? 'terminating, still serving' : 'terminating'
}

function seenAs({ source, node, masquerade, why, hairpin }: LookupFacts): string {
  const itself = node === undefined ? 'the node' : `node ${node}`
  const client = source ?? 'the client'
  const seen = masquerade ? `${itself} (masqueraded: ${why})` : `${client} (not masqueraded: ${why})`
  return hairpin !== undefined && !masquerade
    ? `${seen}; by itself, ${itself}: a pod that reaches itself is masqueraded`
    : seen
}

function lastChain({ action, endpoints }: LookupFacts): string[] {
  if (action !== 'forward') return []
  const [only, ...more] = endpoints.filter(({ probability }) => probability > 0)
  return [more.length === 0 ? only!.chain : 'KUBE-SEP-…']
}
