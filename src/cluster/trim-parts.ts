/** The parts that objects of several kinds have, read and checked: names, labels, addresses, protocols. */
import { isIPv4, isIPv6 } from 'node:net'
import { unpadded } from '../wire/address.ts'
import type { Fields } from './fields.ts'
import { intern } from './intern.ts'
import type { Meta, Protocol } from './objects.ts'

export const protocols: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']

/** What the API takes for a name. */
export interface NameRule {
  readonly pattern: RegExp
  readonly longest: number
  readonly text: string
}

export const label: NameRule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  longest: 63,
  text: 'a DNS label: at most 63 lower-case letters, digits and hyphens',
}

export const subdomain: NameRule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  longest: 253,
  text: 'a DNS subdomain: at most 253 lower-case letters, digits, hyphens and dots',
}

function matches(name: string, { pattern, longest }: NameRule): boolean {
  return name.length <= longest && pattern.test(name)
}

/** Name, namespace and labels of an object that is in a namespace. Throws where the names are none that the API takes. */
export function trimMeta(json: Fields, rule: NameRule): Omit<Meta, 'detail'> {
  const named = trimNamed(json, rule)
  const meta = json.child('metadata')
  const namespace = meta.text('namespace', '')
  if (!matches(namespace, label)) meta.refuse('namespace', label.text)
  return { ...named, namespace: intern(namespace) }
}

/** The same of an object that is in none. */
export function trimNamed(json: Fields, rule: NameRule): Omit<Meta, 'namespace' | 'detail'> {
  const meta = json.child('metadata')
  const name = meta.text('name') ?? meta.refuse('name', rule.text)
  if (!matches(name, rule)) meta.refuse('name', rule.text)
  return { name, labels: trimLabels(meta) }
}

function trimLabels(meta: Fields): Meta['labels'] {
  const labels = meta.map('labels')
  for (const key in labels) labels[key] = intern(labels[key]!)
  return labels
}

/** The address in a field, empty where there is none. Throws for what is no address. */
export function trimAddress(json: Fields, field: string): string {
  const ip = unpadded(json.text(field, ''))
  return ip === '' || isAddress(ip) ? ip : json.refuse(field, 'an IP address')
}

export function isAddress(text: string): boolean {
  return isIPv4(text) || isAddress6(text)
}

// Node takes a zone (`fe80::1%eth0`) for a part of the address; no such address can stand in a record.
export function isAddress6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}
