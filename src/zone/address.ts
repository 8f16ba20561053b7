/** Addresses as labels of endpoint and pod names. Their octets and reverse names are in `wire/address.ts`. */
import type { NameKey } from '../wire/name.ts'

/** The label that stands for an address in an endpoint's name: `10-244-0-1`, `2001-db8--1`. */
export function dashed(address: string): string {
  const label = address.replaceAll(address.includes('.') ? '.' : ':', '-')
  return label.endsWith('-') ? `${label}0` : label
}

/**
 * The address that a pod name's label stands for, as text. Exactly three dashes, none of them doubled, make an IPv4 address;
 * otherwise every dash is a colon.
 */
export function undashed(label: string): string {
  const dashes = label.split('-').length - 1
  return label.replaceAll('-', dashes === 3 && !label.includes('--') ? '.' : ':')
}

/** Whether a name lies in the reverse zones. */
export function isReverse(key: NameKey): boolean {
  return key.endsWith('\x07in-addr\x04arpa\x00') || key.endsWith('\x03ip6\x04arpa\x00')
}
