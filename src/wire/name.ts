/**
 * Domain names in wire form (RFC 1035 section 3.1), their text form (section 5.1) and the key that tables use for them.
 */

/**
 * A name in wire form with A to Z lowered, one character per octet (latin1), ending in the root's `\0`. Two names are the same
 * name exactly when their keys are equal (RFC 4343).
 */
export type NameKey = string & { readonly brand: 'NameKey' }

/** Octets of the longest name, the root's octet included (RFC 1035 section 2.3.4). */
export const MAX_NAME = 255
const MAX_LABEL = 63

export const ROOT = '\0' as NameKey

const DIGITS = /^\d{3}$/

/**
 * Reads a name's text form, with or without the last dot; `\.` and `\123` are escapes. Undefined where the text is not a name:
 * an empty label, a label over 63 octets, a name over 255, a broken escape.
 */
export function nameFromText(text: string): Uint8Array | undefined {
  if (text === '.' || text === '') return Uint8Array.of(0)
  const octets: number[] = [0]
  let lengthAt = 0
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (octets.length - lengthAt === 1) return undefined
      octets[lengthAt] = octets.length - lengthAt - 1
      lengthAt = octets.length
      octets.push(0)
      continue
    }
    if (code === 0x5c) {
      const digits = text.slice(i + 1, i + 4)
      if (DIGITS.test(digits)) {
        code = Number(digits)
        i += 3
      } else {
        code = text.charCodeAt(++i)
      }
    }
    if (!(code <= 255)) return undefined
    octets.push(code)
  }
  // Without a last dot the final label is still open; with one, the octet just pushed is the root's.
  if (octets.length - lengthAt > 1) {
    octets[lengthAt] = octets.length - lengthAt - 1
    octets.push(0)
  }
  return isWellFormed(octets) ? Uint8Array.from(octets) : undefined
}

function isWellFormed(octets: readonly number[]): boolean {
  if (octets.length > MAX_NAME) return false
  let at = 0
  while (octets[at] !== 0) {
    if (octets[at]! > MAX_LABEL) return false
    at += octets[at]! + 1
  }
  return at === octets.length - 1
}

/** The fully-qualified text of an uncompressed wire name; special octets are escaped so that `nameFromText` gives the same name. */
export function nameToText(name: Uint8Array, at = 0): string {
  if (name[at] === 0) return '.'
  let text = ''
  for (let length = name[at]; length; length = name[at]) {
    for (let i = at + 1; i <= at + length; i++) text += escaped(name[i]!)
    text += '.'
    at += length + 1
  }
  return text
}

function escaped(octet: number): string {
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`
  const char = String.fromCharCode(octet)
  return '.\\"();@$'.includes(char) ? `\\${char}` : char
}

/** The key of an uncompressed wire name that starts at `at`; the root's octet must be inside the array. */
export function keyOfName(name: Uint8Array, at = 0): NameKey {
  let end = at
  for (let length = name[end]; length; length = name[end]) end += length + 1
  return lowered(name, at, end + 1)
}

/** `latin1Slice` is what `toString('latin1')` ends in; called directly it saves 0.04 us a query. */
const scratch = Buffer.alloc(MAX_NAME) as Buffer & { latin1Slice(start: number, end: number): string }

/** The key of the `end - at` octets of a name whose bounds are already known. */
export function lowered(name: Uint8Array, at: number, end: number): NameKey {
  for (let i = at; i < end; i++) {
    const octet = name[i]!
    // A length octet is at most 63 and so never looks like a letter.
    scratch[i - at] = octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet
  }
  return scratch.latin1Slice(0, end - at) as NameKey
}

/** The key of a name's text form; undefined where the text is not a name. */
export function keyFromText(text: string): NameKey | undefined {
  const name = nameFromText(text)
  return name && keyOfName(name)
}

/** The wire form that a key stands for, in lower case. */
export function nameFromKey(key: NameKey): Uint8Array {
  return Uint8Array.from(Buffer.from(key, 'latin1'))
}

export function textFromKey(key: NameKey): string {
  return nameToText(nameFromKey(key))
}

/** True when `key` is `zone` or a name below it. */
export function isWithin(key: NameKey, zone: NameKey): boolean {
  const start = key.length - zone.length
  if (start < 0 || !key.endsWith(zone)) return false
  // The same characters may also be the tail of a longer label: walk the labels to the boundary.
  let at = 0
  while (at < start) at += key.charCodeAt(at) + 1
  return at === start
}

/** True when `key` is one of the zones or a name below one. */
export function isWithinAny(key: NameKey, zones: readonly NameKey[]): boolean {
  for (const zone of zones) if (isWithin(key, zone)) return true
  return false
}

/** The name one label shorter; the root has no parent. */
export function parentOf(key: NameKey): NameKey {
  return key.slice(key.charCodeAt(0) + 1) as NameKey
}

/** The name one label (lower case, of 1 to 63 octets) longer. */
export function keyWith(label: string, key: NameKey): NameKey {
  return (String.fromCharCode(label.length) + label + key) as NameKey
}

/** The labels of a key, leftmost first, without the root. */
export function labelsOf(key: string): string[] {
  const labels: string[] = []
  for (let at = 0; at < key.length && key.charCodeAt(at) !== 0; ) {
    const next = at + 1 + key.charCodeAt(at)
    labels.push(key.slice(at + 1, next))
    at = next
  }
  return labels
}

/** The wire form of labels (latin1, at most 63 characters each), in front of `suffix`; undefined where it is no legal name. */
export function nameOf(labels: readonly string[], suffix: Uint8Array): Uint8Array | undefined {
  let size = suffix.length
  for (const label of labels) size += label.length + 1
  if (size > MAX_NAME) return undefined
  // Not from Buffer's pool: names are kept, and one would keep a whole slab of others' octets.
  const name = new Uint8Array(size)
  let at = 0
  for (const label of labels) {
    if (label.length === 0 || label.length > MAX_LABEL) return undefined
    name[at++] = label.length
    for (let i = 0; i < label.length; i++) name[at++] = label.charCodeAt(i)
  }
  name.set(suffix, at)
  return name
}
