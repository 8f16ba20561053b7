/** Rules of network policies in words: what they let through, and why not this. All are parts of sentences. */
import { selectorText } from '../../cluster/label-selector.ts'
import type { PodPeer, PolicyPeer, PolicyPort, PolicyRule } from '../../cluster/network-policy.ts'
import { type Connection, fitsLabels, fitsNamespace, type Look, namedPorts } from './rules.ts'

/** `pods app=api in namespaces team=a`. */
export function peerText(peer: PolicyPeer, namespace: string): string {
  if (peer.block) {
    const { cidr, except } = peer.block
    return except.length === 0 ? cidr : `${cidr} except ${except.join(', ')}`
  }
  return `${selected('pods', peer.podSelector)} ${placeText(peer, namespace)}`
}

function placeText({ namespaceSelector }: PodPeer, namespace: string): string {
  return namespaceSelector ? `in ${selected('namespaces', namespaceSelector)}` : `of namespace ${namespace}`
}

/** `TCP 80`, `UDP 1000-2000`, `TCP "http"`, `all TCP ports`. */
export function portText({ protocol, port, endPort }: PolicyPort): string {
  if (port === undefined) return `all ${protocol} ports`
  if (typeof port === 'string') return `${protocol} "${port}"`
  return `${protocol} ${port}${endPort === port ? '' : `-${endPort}`}`
}

/** Why none of the rule's peers fits, one reason for each. */
export function peerMisfit({ peers }: PolicyRule, look: Look): string {
  return listed(peers.map(peer => `${peerText(peer, look.namespace)}${peer.block ? '' : podMisfit(peer, look)}`))
}

/** Says which half fits where one does: `from` entries that were meant to be two, or one, are the usual mistake. */
function podMisfit(peer: PodPeer, look: Look): string {
  if (look.peer.is === 'address') return ''
  if (look.peer.is === 'node') return look.peer.pod ? ' (a pod on the network of its node counts as the node)' : ''
  const [place, labels] = [fitsNamespace(peer, look), fitsLabels(peer, look)]
  if (labels && !place) return ` (its labels fit, namespace ${look.peer.pod.namespace} does not)`
  return place && !labels ? ` (the namespace fits, its labels do not)` : ''
}

/** Why none of the rule's ports fits, one reason for each. */
export function portMisfit({ ports }: PolicyRule, { connection }: Look): string {
  return listed(ports.map(port => `${portText(port)}${nameMisfit(port, connection)}`))
}

function nameMisfit({ port, protocol }: PolicyPort, connection: Connection): string {
  if (typeof port !== 'string' || protocol !== connection.protocol) return ''
  if (connection.to.is !== 'pod') return ' (a name, which means nothing outside of pods)'
  if (!connection.to.pod.detail) return ' (the ports of its containers are not known)'
  const numbers = namedPorts(port, connection)
  return numbers.length === 0
    ? ' (no container there has a port of this name)'
    : ` (which is ${numbers.join(', ')} there)`
}

function selected(what: string, selector: PodPeer['podSelector']): string {
  const text = selector ? selectorText(selector) : ''
  return text === '' ? `all ${what}` : `${what} ${text}`
}

/** The first few of what may be many. */
function listed(texts: readonly string[]): string {
  const more = texts.length > 4 ? [`${texts.length - 3} more`] : []
  return [...(more.length > 0 ? texts.slice(0, 3) : texts), ...more].join('; ')
}
