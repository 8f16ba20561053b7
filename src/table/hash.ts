/**
 * The hash of a look-up: HalfSipHash-1-3 over whole words, keyed, so that who chooses names cannot choose where they fall. The
 * block that SipHash ends with is left out: the first word holds the name's length already.
 */

/**
 * Hashes the two words that tell entries of one name apart, then the `length` octets of the name that stand in `name` from `at` on,
 * A to Z lowered. Up to three octets behind the name are read, whatever they are.
 */
export function hashOf(
  key0: number,
  key1: number,
  key: number,
  meta: number,
  name: DataView,
  at: number,
  length: number,
): number {
  let v0 = key0
  let v1 = key1
  let v2 = 0x6c79_6765 ^ key0
  let v3 = 0x7465_6462 ^ key1
  const words = (length + 3) >> 2
  // The two words, the name's, and three rounds more to end with.
  for (let i = -2; i < words + 3; i++) {
    let word = 0
    if (i < 0) word = i === -2 ? key : meta
    else if (i < words) word = wordOf(name, at, length, i)
    else if (i === words) v2 ^= 0xff
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return v1 ^ v3
}

/** A word of a name, the last one filled up with zeros. */
export function wordOf(name: DataView, at: number, length: number, index: number): number {
  const word = name.getInt32(at + index * 4, true)
  const rest = length - index * 4
  return rest >= 4 ? word : word & ((1 << (rest * 8)) - 1)
}
