/** Spellings of names and of addresses as names. */
import { isIPv4 } from 'node:net'

/** The label that stands for an address in names of pods and endpoints. */
export function dashed(address: string): string {
  return address.replaceAll(/[.:]/g, '-')
}

/** The name under in-addr.arpa or ip6.arpa that stands for an address. */
export function reverseName(address: string): string {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const [head = '', tail] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const nibbles = [...before, ...zeros, ...after].map(group => group.padStart(4, '0')).join('')
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`
}

/** The same letters, some of them upper case; which ones depends on the name alone. */
export function mixedCase(name: string): string {
  let state = 7
  return [...name]
    .map(letter => {
      state = (state * 75 + letter.charCodeAt(0)) % 65537
      return state % 2 === 0 ? letter.toUpperCase() : letter
    })
    .join('')
}
