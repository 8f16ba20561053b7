/** The `prefer` option: addresses of preferred networks come first. */
import ipaddr from 'ipaddr.js'
import type { Answer } from '../../wire/answer.ts'
import { edited } from '../../wire/edit.ts'
import type { Record } from '../../wire/record.ts'
import { partition } from './partition.ts'

export interface Network {
  readonly octets: Uint8Array
  readonly bits: number
}

/** A network in CIDR notation; undefined where the text is none. */
export function networkFromText(text: string): Network | undefined {
  // ipaddr.js would also take octal and shortened addresses.
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(text) && !ipaddr.IPv6.isValidCIDR(text)) return undefined
  const [address, bits] = ipaddr.parseCIDR(text)
  return { octets: Uint8Array.from(address.toByteArray()), bits }
}

/** Puts the addresses of the first network first, then those of the second, and so on; all else keeps its order. */
export function prefer(answer: Answer, name: Uint8Array, networks: readonly Network[]): Answer {
  return edited(answer, name, sections => ({
    ...sections,
    answers: arrange(sections.answers, networks),
    additionals: arrange(sections.additionals, networks),
  }))
}

function arrange(records: readonly Record[], networks: readonly Network[]): Record[] {
  const { aliases, addresses, exchangers, others } = partition(records)
  const rank = ({ rdata }: Record) => {
    const found = networks.findIndex(network => contains(network, rdata))
    return found < 0 ? networks.length : found
  }
  return [...aliases, ...addresses.toSorted((a, b) => rank(a) - rank(b)), ...exchangers, ...others]
}

function contains({ octets, bits }: Network, address: Uint8Array): boolean {
  if (address.length !== octets.length) return false
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (address[i] !== octets[i]) return false
  const rest = 8 - (bits & 7)
  return rest === 8 || address[whole]! >> rest === octets[whole]! >> rest
}
