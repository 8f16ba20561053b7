/** A walk over a whole message that notes each compression pointer. Knows the wire format by itself, not from the code under test. */

export interface Pointer {
  /** Where the name starts that the pointer ends. */
  readonly nameAt: number
  readonly target: number
}

/** Types of RFC 1035 with names in their data: octets before the first, and how many there are. */
const compressible: { readonly [type: number]: readonly [number, number] } = {
  2: [0, 1],
  5: [0, 1],
  6: [0, 2],
  12: [0, 1],
  15: [2, 1],
}

/** The pointers of a well-formed message, in the data of SRV records (33) too, where none should be. */
export function pointers(message: Buffer): { readonly all: readonly Pointer[]; readonly inSrv: readonly Pointer[] } {
  const all: Pointer[] = []
  const inSrv: Pointer[] = []
  const name = (at: number, found: Pointer[]): number => {
    const nameAt = at
    for (let length = message[at]!; length !== 0; length = message[at]!) {
      if (length >= 0xc0) {
        found.push({ nameAt, target: message.readUInt16BE(at) & 0x3fff })
        return at + 2
      }
      at += length + 1
    }
    return at + 1
  }
  let at = 12
  for (let i = message.readUInt16BE(4); i > 0; i--) at = name(at, all) + 4
  for (let i = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10); i > 0; i--) {
    at = name(at, all)
    const type = message.readUInt16BE(at)
    const dataAt = at + 10
    const [before, count] = compressible[type] ?? [0, 0]
    let nameAt = dataAt + before
    for (let j = 0; j < count; j++) nameAt = name(nameAt, all)
    if (type === 33) name(dataAt + 6, inSrv)
    at = dataAt + message.readUInt16BE(at + 8)
  }
  return { all, inSrv }
}
