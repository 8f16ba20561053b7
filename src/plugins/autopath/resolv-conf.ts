/** The search list of a file in the form of resolv.conf(5). */
import { domainFromText } from '../../corefile/zones.ts'
import type { NameKey } from '../../wire/name.ts'

/** The domains of the last `search` or `domain` line; what is no domain name is left out. */
export function searchOf(text: string): NameKey[] {
  const lines = text.split('\n').map(line => line.trim().split(/\s+/))
  const last = lines.findLast(([keyword]) => keyword === 'search' || keyword === 'domain')
  return (last ?? []).slice(1).flatMap(domain => domainFromText(domain) ?? [])
}
