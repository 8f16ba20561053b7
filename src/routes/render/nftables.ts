/**
 * Routes as rules of nftables: what kube-proxy 1.34 does in its mode of that name, in a flat layout. Where kube-proxy has a chain for each
 * service and each endpoint, most services are elements of a few maps here, which loads many times faster. Pure text.
 */
import type { Family } from '../../wire/address.ts'
import type { Destination } from '../route.ts'
import { loopback, type RenderOptions, type Setting, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import type { Part } from './merged.ts'
import { MARK, partOf, storages, type Words } from './nftables-destination.ts'
import { firstClaim, type Item, PartDraft } from './nftables-items.ts'
import { changeText, wholeText } from './nftables-text.ts'
import { destinationsOf, Parts, type Rules } from './rules.ts'

export { TABLE } from './nftables-text.ts'

const words: Readonly<Record<RenderOptions['family'], Words>> = {
  IPv4: { ip: 'ip', address: 'ipv4_addr' },
  IPv6: { ip: 'ip6', address: 'ipv6_addr' },
}

/** The table of one family as it follows the routes: text for `nft -f`. */
export class NftablesRules implements Rules {
  readonly family: Family
  readonly #words: Words
  readonly #parts = new Parts(firstClaim)

  constructor(family: Family) {
    this.family = family
    this.#words = words[family]
  }

  /**
   * Node ports are at the node's primary address unless the options say otherwise, and never at its loopback address, as in kube-proxy's
   * mode.
   */
  update(destinations: readonly Destination[], options: RenderOptions): void {
    const { nodePortAddresses = [] } = options
    const setting = settingOf({
      ...options,
      nodePortAddresses: nodePortAddresses.length > 0 ? nodePortAddresses : ['primary'],
    })
    this.#parts.update(destinations, setting, () => ({
      first: frame(setting, this.#words),
      partOf: destination => partOf(destination, setting, this.#words),
    }))
  }

  whole(): string {
    return wholeText(
      this.#words.ip,
      Array.from(this.#parts.merged.content(), ([, item]) => item),
    )
  }

  change(): string {
    return changeText(this.#words.ip, this.#parts.merged.differences().values())
  }

  settle(): void {
    this.#parts.merged.settle()
  }
}

/** One transaction for `nft -f` that puts a fresh table into the place of the one that may be there. */
export function renderNftables(routes: Pick<Routes, 'destinations'>, options: RenderOptions): string {
  const rules = new NftablesRules(options.family)
  rules.update(destinationsOf(routes, options.family), options)
  return rules.whole()
}

const localhost = { IPv4: '127.0.0.0/8', IPv6: '::1' } as const

/** What there is one of. Filters look before addresses are rewritten, or at packets that were not. */
function frame(setting: Setting, own: Words): Part<Item> {
  const { ip, address } = own
  const { masqueradeAll, podRange } = setting
  const place = `${ip} daddr . meta l4proto . th dport`
  const onNode =
    setting.nodePortIPs === undefined
      ? `fib daddr type local ${ip} daddr != ${localhost[setting.family]}`
      : `${ip} daddr @node-port-ips`
  const foreign = masqueradeAll ? '' : `${ip} saddr != ${podRange} `
  const services = [
    ...(masqueradeAll || podRange !== undefined ? [`${foreign}${place} @cluster-ports ${MARK}`] : []),
    `${place} vmap @services`,
    `${onNode} meta l4proto . th dport vmap @node-ports`,
  ]
  const refusals = [`ct state new ${place} vmap @refused-services`]
  const unknownPorts = `ct state new ${ip} daddr @cluster-ips reject`
  const part = new PartDraft('')
  for (const [kind, name, type] of storages(own)) part.storage(kind, name, type)
  part.storage('set', 'node-port-ips', `type ${address}`)
  for (const nodeIP of setting.nodePortIPs ?? []) {
    if (nodeIP !== loopback[setting.family]) part.element('node-port-ips', nodeIP)
  }
  part.chain('refuse', ['reject'])
  part.chain('route', services)
  const chain = (name: string, type: string, at: string, rules: readonly string[]) =>
    part.chain(name, rules, `type ${type} hook ${at};`)
  const guards = [`ct state new ${place} vmap @guards`]
  chain('guard-before-prerouting', 'filter', 'prerouting priority dstnat - 10', guards)
  chain('guard-before-output', 'filter', 'output priority -110', guards)
  const refusedHere = `ct state new ${onNode} meta l4proto . th dport vmap @refused-node-ports`
  chain('refuse-input', 'filter', 'input priority filter', [refusedHere, ...refusals])
  chain('refuse-forward', 'filter', 'forward priority filter', [...refusals, unknownPorts])
  chain('refuse-output', 'filter', 'output priority filter', [...refusals, unknownPorts])
  chain('nat-prerouting', 'nat', 'prerouting priority dstnat', ['jump route'])
  chain('nat-output', 'nat', 'output priority -100', ['jump route'])
  chain('nat-postrouting', 'nat', 'postrouting priority srcnat', [
    // A pod that reaches itself would see its own address as the source.
    `ct status dnat ${ip} saddr . ${ip} daddr @hairpins masquerade fully-random`,
    // Else a packet that comes by once more would be masqueraded again.
    'meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random',
  ])
  return part
}
