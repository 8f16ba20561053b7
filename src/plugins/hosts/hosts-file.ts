/** The text of a hosts file, `ADDRESS NAME...` a line (hosts(5)), as entries. */
import { addressOctets } from '../../wire/address.ts'
import { keyFromText, type NameKey } from '../../wire/name.ts'

export interface HostsEntry {
  readonly address: Uint8Array
  readonly names: readonly NameKey[]
}

export interface HostsText {
  readonly entries: readonly HostsEntry[]
  /** What was left out; lines count from 1. */
  readonly mistakes: readonly { readonly line: number; readonly message: string }[]
}

/** Reads all lines; those without an address in front, and names that are none, are left out. `#` starts a comment. */
export function parseHosts(text: string): HostsText {
  const entries: HostsEntry[] = []
  const mistakes: { line: number; message: string }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const [first, ...others] = line.replace(/#.*/s, '').split(/\s+/).filter(Boolean)
    if (first === undefined) continue
    // An IPv6 address may name the interface it is valid on.
    const address = addressOctets(first.replace(/%.*/s, ''))
    if (address === undefined) {
      mistakes.push({ line: index + 1, message: `"${first}" is not an address` })
      continue
    }
    const names: NameKey[] = []
    for (const other of others) {
      const name = keyFromText(other)
      if (name === undefined) mistakes.push({ line: index + 1, message: `"${other}" is not a name` })
      else names.push(name)
    }
    entries.push({ address, names })
  }
  return { entries, mistakes }
}
