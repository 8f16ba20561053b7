/** Compiles the few kinds of answers that a cluster zone has. Owner names always point at the question. */
import { addressType } from '../wire/address.ts'
import { type Answer, COPIED } from '../wire/answer.ts'
import { nameOf } from '../wire/name.ts'
import { encode, type Record } from '../wire/record.ts'
import { Bit, Class, HEADER, Type } from '../wire/types.ts'

/** What every authoritative answer of a zone has in its header. */
export const AUTHORITATIVE = { bits: Bit.AA }

/** Octets of an address record whose owner is a pointer, before the address. */
const ADDRESS_HEAD = 12

/** An answer of address records, all of one family. Undefined where there are none: the caller's NODATA. */
export function addressAnswer(addresses: readonly Uint8Array[], ttl: number, nameLength: number): Answer | undefined {
  const [first] = addresses
  if (first === undefined) return undefined
  const size = ADDRESS_HEAD + first.length
  const body = new Uint8Array(size * addresses.length)
  const view = new DataView(body.buffer)
  for (const [i, octets] of addresses.entries()) {
    const at = i * size
    view.setUint16(at, 0xc000 | HEADER)
    view.setUint16(at + 2, addressType(first))
    view.setUint16(at + 4, Class.IN)
    view.setUint32(at + 6, ttl)
    view.setUint16(at + 10, octets.length)
    body.set(octets, at + ADDRESS_HEAD)
  }
  return {
    rcode: 0,
    bits: Bit.AA,
    copied: COPIED,
    answers: addresses.length,
    authorities: 0,
    additionals: 0,
    body,
    starts: Array.from({ length: addresses.length + 1 }, (_, i) => i * size),
    nameLength,
  }
}

/** One address record; `owner` as in `Record`. */
export function addressRecord(owner: Record['owner'], octets: Uint8Array, ttl: number): Record {
  return { owner, type: addressType(octets), class: Class.IN, ttl, rdata: octets }
}

/** A CNAME, PTR or NS record, whose data is a name. */
export function nameRecord(owner: Record['owner'], type: number, target: Uint8Array, ttl: number): Record {
  return { owner, type, class: Class.IN, ttl, rdata: target }
}

/** What an SRV record says besides its owner (RFC 2782); priority is always 0. */
export interface SrvTarget {
  readonly weight: number
  readonly port: number
  readonly target: Uint8Array
}

export function srvRecord({ weight, port, target }: SrvTarget, ttl: number): Record {
  const rdata = Buffer.alloc(6 + target.length)
  rdata.writeUInt16BE(weight, 2)
  rdata.writeUInt16BE(port, 4)
  rdata.set(target, 6)
  return { owner: 0, type: Type.SRV, class: Class.IN, ttl, rdata }
}

const REFRESH = 7200
const RETRY = 1800
const EXPIRE = 86400
/** CoreDNS never lets a SOA live longer, whatever `ttl` says. */
const MAX_SOA_TTL = 300

/** The SOA record of a zone; `owner` is where the zone's name starts in the question's. */
export function soaRecord(owner: number, origin: Uint8Array, serial: number, ttl: number): Record {
  const primary = nameOf(['ns', 'dns'], origin)!
  const mailbox = nameOf(['hostmaster'], origin)!
  const numbers = Buffer.alloc(20)
  for (const [i, number] of [serial, REFRESH, RETRY, EXPIRE, ttl].entries()) numbers.writeUInt32BE(number, i * 4)
  const rdata = Buffer.concat([primary, mailbox, numbers])
  return { owner, type: Type.SOA, class: Class.IN, ttl: Math.min(ttl, MAX_SOA_TTL), rdata }
}

/** The answer of a zone's own records of one type, with the addresses of what they name. */
export function answerOf(answers: readonly Record[], additionals: readonly Record[], nameLength: number): Answer {
  return encode({ answers, authorities: [], additionals }, nameLength, AUTHORITATIVE)
}
