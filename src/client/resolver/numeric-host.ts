/** Texts that a C library takes for addresses, and so never asks a server for. */
import { isIPv4, isIPv6 } from 'node:net'
import { ipv4Bits } from '../../wire/address.ts'

const NUMBER = /^(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i

/**
 * The address that a text means, as inet_aton(3) and inet_pton(3) have it: `10.1` is 10.0.0.1, `0x7f.1` is 127.0.0.1, a zone such as `%eth0`
 * stays. Undefined for a name.
 */
export function numericHost(text: string): string | undefined {
  if (ipv4Bits(text) !== undefined) return text
  if (isIPv6(text)) return text
  const parts = text.split('.')
  if (parts.length > 4 || !parts.every(part => NUMBER.test(part))) return undefined
  const numbers = parts.map(numberOf)
  const last = numbers.pop()!
  if (numbers.some(number => number > 255) || last >= 256 ** (4 - numbers.length)) return undefined
  const bits = numbers.reduce((sum, number, i) => sum + number * 256 ** (3 - i), last)
  const address = [24, 16, 8, 0].map(shift => Math.floor(bits / 2 ** shift) % 256).join('.')
  return isIPv4(address) ? address : undefined
}

function numberOf(part: string): number {
  if (/^0x/i.test(part)) return Number.parseInt(part, 16)
  return Number.parseInt(part, part.startsWith('0') ? 8 : 10)
}
