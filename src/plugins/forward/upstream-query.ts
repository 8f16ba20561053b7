/** The octets that are sent to an upstream. */
import type { NameKey } from '../../wire/name.ts'
import { nameFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { Bit, Class, HEADER, Type } from '../../wire/types.ts'

/** Octets of an OPT record without options. */
const OPT_SIZE = 11

/**
 * The client's question with its letter case, header bits and OPT record, options included, as CoreDNS sends it. Other records
 * of the request are left out. The id is to be filled in.
 */
export function upstreamQuery({ packet, bits, name, type, class: klass, edns }: Query): Uint8Array {
  const options = edns === undefined ? undefined : packet.subarray(edns.optionsAt, edns.optionsEnd)
  const message = question(bits, name, type, klass, options === undefined ? 0 : OPT_SIZE + options.length)
  if (edns === undefined || options === undefined) return message
  const at = message.length - OPT_SIZE - options.length
  message[11] = 1
  message[at + 2] = Type.OPT
  putWord(message, at + 3, edns.size)
  putWord(message, at + 7, edns.flags)
  putWord(message, at + 9, options.length)
  message.set(options, at + OPT_SIZE)
  return message
}

/** What a health check asks: the name servers of `domain`. */
export function healthQuery(domain: NameKey, recursion: boolean): Uint8Array {
  return question(recursion ? Bit.RD : 0, nameFromKey(domain), Type.NS, Class.IN, 0)
}

/** A message with one question, and `room` octets of zeros behind it. */
function question(bits: number, name: Uint8Array, type: number, klass: number, room: number): Uint8Array {
  const at = HEADER + name.length
  const message = new Uint8Array(at + 4 + room)
  putWord(message, 2, bits)
  message[5] = 1
  message.set(name, HEADER)
  putWord(message, at, type)
  putWord(message, at + 2, klass)
  return message
}

function putWord(message: Uint8Array, at: number, value: number): void {
  message[at] = value >> 8
  message[at + 1] = value & 255
}
