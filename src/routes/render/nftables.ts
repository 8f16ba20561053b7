/**
 * Routes as rules of nftables: what kube-proxy 1.34 does in its mode of that name, in a flat layout. Where kube-proxy has a chain for each
 * service and each endpoint, most services are elements of a few maps here, which loads many times faster. Pure text.
 */
import { loopback, type RenderOptions, type Setting, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import { Collection, collect, MARK, type Words } from './nftables-destination.ts'
import { Elements, writeChain } from './nftables-elements.ts'

/** The one table of each family that is ours. */
export const TABLE = 'portolan'

const words: Readonly<Record<RenderOptions['family'], Words>> = {
  IPv4: { ip: 'ip', address: 'ipv4_addr' },
  IPv6: { ip: 'ip6', address: 'ipv6_addr' },
}

/**
 * Text for `nft -f`: one transaction that puts a fresh table into the place of the one that may be there. Node ports are at the node's
 * primary address unless the options say otherwise, and never at its loopback address, as in kube-proxy's mode.
 */
export function renderNftables(routes: Pick<Routes, 'destinations'>, options: RenderOptions): string {
  const { nodePortAddresses = [] } = options
  const setting = settingOf({
    ...options,
    nodePortAddresses: nodePortAddresses.length > 0 ? nodePortAddresses : ['primary'],
  })
  const collection = new Collection(setting, words[options.family])
  for (const destination of routes.destinations()) {
    if (destination.family === options.family) collect(destination, collection)
  }
  const { ip, address } = collection.words
  const nodePortIPs = new Elements(`set node-port-ips { type ${address}`)
  for (const own of setting.nodePortIPs ?? []) if (own !== loopback[options.family]) nodePortIPs.add(own)
  const lines = [`table ${ip} ${TABLE}`, `delete table ${ip} ${TABLE}`, `table ${ip} ${TABLE} {`]
  for (const map of [...collection.maps(), nodePortIPs]) map.write(lines)
  writeChain(lines, 'refuse', ['reject'])
  lines.push(...collection.chains)
  for (const [name, rules] of frame(setting, collection.words)) writeChain(lines, name, rules)
  return [...lines, '}', ''].join('\n')
}

const localhost = { IPv4: '127.0.0.0/8', IPv6: '::1' } as const

/** The chains that there is one of. Filters look before addresses are rewritten, or at packets that were not. */
function frame(setting: Setting, { ip }: Words): [name: string, rules: string[]][] {
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
  const hook = (type: string, at: string) => `type ${type} hook ${at};`
  return [
    ['route', services],
    [
      'guard-before-prerouting',
      [hook('filter', 'prerouting priority dstnat - 10'), `ct state new ${place} vmap @guards`],
    ],
    ['guard-before-output', [hook('filter', 'output priority -110'), `ct state new ${place} vmap @guards`]],
    [
      'refuse-input',
      [
        hook('filter', 'input priority filter'),
        `ct state new ${onNode} meta l4proto . th dport vmap @refused-node-ports`,
        ...refusals,
      ],
    ],
    ['refuse-forward', [hook('filter', 'forward priority filter'), ...refusals, unknownPorts]],
    ['refuse-output', [hook('filter', 'output priority filter'), ...refusals, unknownPorts]],
    ['nat-prerouting', [hook('nat', 'prerouting priority dstnat'), 'jump route']],
    ['nat-output', [hook('nat', 'output priority -100'), 'jump route']],
    [
      'nat-postrouting',
      [
        hook('nat', 'postrouting priority srcnat'),
        // A pod that reaches itself would see its own address as the source.
        `ct status dnat ${ip} saddr . ${ip} daddr @hairpins masquerade fully-random`,
        // Else a packet that comes by once more would be masqueraded again.
        'meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random',
      ],
    ],
  ]
}
