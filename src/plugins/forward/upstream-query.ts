/** The octets that are sent to an upstream. */
import { OPT_SIZE, writeOpt } from '../../wire/finish.ts'
import { type NameKey, nameFromKey } from '../../wire/name.ts'
import { type Query, questionMessage } from '../../wire/query.ts'
import { Bit, Class, Type } from '../../wire/types.ts'

/**
 * The client's question with its letter case, header bits and OPT record, options included, as CoreDNS sends it. Other records
 * of the request are left out. The id is to be filled in.
 */
export function upstreamQuery({ packet, bits, name, type, class: klass, edns }: Query): Uint8Array {
  if (edns === undefined) return questionMessage(bits, name, type, klass)
  const options = packet.subarray(edns.optionsAt, edns.optionsEnd)
  const room = OPT_SIZE + options.length
  const message = questionMessage(bits, name, type, klass, room)
  message[11] = 1
  writeOpt(message, message.length - room, edns.size, 0, edns.flags, options)
  return message
}

/** What a health check asks: the name servers of `domain`. */
export function healthQuery(domain: NameKey, recursion: boolean): Uint8Array {
  return questionMessage(recursion ? Bit.RD : 0, nameFromKey(domain), Type.NS, Class.IN)
}
