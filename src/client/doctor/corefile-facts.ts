/** What server blocks of a Corefile say, as the rules of `corefile-rules.ts` and other checks ask for it. Plugins need not be known. */
import { isIP } from 'node:net'
import type { Directive } from '../../corefile/directive.ts'
import { directivesNamed, type ServerBlock } from '../../corefile/server-block.ts'
import { zonesFromText } from '../../corefile/zones.ts'
import { textFromKey } from '../../wire/name.ts'
import { isReverse } from '../../zone/address.ts'
import type { Corefile } from './world.ts'

/** Where names of the outside are forwarded to, as it is written, from all blocks. */
export function forwardedTo({ parsed }: Corefile): string[] {
  if (parsed instanceof Error) return []
  return parsed.flatMap(block => directivesNamed(block, 'forward')).flatMap(targetsOf)
}

/** What stands behind the zone of a `forward`. */
export function targetsOf({ args }: Directive): string[] {
  return args.slice(1).map(({ text }) => text)
}

/** The words behind an option of a plugin; undefined where it is not there. */
export function optionOf({ block = [] }: Directive, name: string): string[] | undefined {
  return block.find(option => option.name === name)?.args.map(({ text }) => text)
}

/** The zones of a `kubernetes`, without their last dots; those of its block where it names none. */
export function zonesOf(block: ServerBlock, { args }: Directive): string[] {
  const written = args.length > 0 ? args.map(({ text }) => text) : block.addresses.map(({ zone }) => zone)
  return written.flatMap(text => {
    const read = zonesFromText(text)
    return 'zones' in read ? read.zones.map(key => textFromKey(key).replace(/\.$/, '')) : []
  })
}

/** The cluster's zone: the first of a `kubernetes` that is none of addresses. */
export function clusterZone(blocks: readonly ServerBlock[]): string | undefined {
  const all = blocks.flatMap(block => directivesNamed(block, 'kubernetes').flatMap(plugin => zonesOf(block, plugin)))
  return all.find(zone => !isReverseZone(zone))
}

export function isReverseZone(zone: string): boolean {
  const read = zonesFromText(zone)
  return 'zones' in read && read.zones.every(isReverse)
}

/** The address in a target such as `10.0.0.2`, `dns://10.0.0.2:5353` or `[fd00::1]:53`, and its port; undefined where there is none. */
export function addressIn(target: string): { readonly ip: string; readonly port: number } | undefined {
  const bare = target.replace(/^\w+:\/\//, '')
  if (isIP(bare) !== 0) return { ip: bare, port: 53 }
  const { ip = '', port = '53' } = /^\[?(?<ip>[^\]]*?)\]?:(?<port>\d+)$/.exec(bare)?.groups ?? {}
  return isIP(ip) === 0 ? undefined : { ip, port: Number(port) }
}
