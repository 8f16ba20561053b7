/** Good queries, and damage done to them: for tests that feed what nobody ought to send. */
import { encode } from 'dns-packet'
import { Query, readQuery } from '../../src/wire/query.ts'
import { DO, HEADER } from '../../src/wire/types.ts'
import { packets } from './packets.ts'
import { udp } from './peers.ts'
import type { Chance } from './random.ts'

/** Packets that ought to be accepted, as they come and from an independent writer. */
export function goodQueries(): Buffer[] {
  const names = ['.', 'a', 'web.shop.svc.cluster.local', '_http._tcp.web.shop.svc.cluster.local', 'x'.repeat(63)]
  const written = names.flatMap(name =>
    (['A', 'AAAA', 'SRV', 'PTR', 'TXT'] as const).flatMap(type => [
      encode({ type: 'query', id: 7, questions: [{ type, name }] }),
      encode({
        type: 'query',
        id: 8,
        questions: [{ type, name }],
        additionals: [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: 1232,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: DO,
            flag_do: true,
            options: [
              { code: 12, length: 8 },
              { code: 8, family: 1, sourcePrefixLength: 24, scopePrefixLength: 0, ip: '192.0.2.0' },
            ],
          },
        ],
      }),
    ]),
  )
  const listed = ['headers', 'names', 'edns'].flatMap(packets).map(({ request }) => request)
  return [...written, ...listed.filter(request => readQuery(request, udp) instanceof Query)]
}

const room = Buffer.alloc(4096)

/** A random packet or, mostly, a good one with some damage; valid until the next call. */
export function damaged(corpus: readonly Buffer[], { below, pick }: Chance): Buffer {
  if (below(16) === 0) {
    const size = below(80)
    for (let i = 0; i < size; i++) room[i] = below(256)
    return room.subarray(0, size)
  }
  let size = pick(corpus).copy(room)
  for (let damages = below(4); damages > 0 && size > 0; damages--) {
    const at = below(size)
    switch (below(6)) {
      case 0:
        room[at]! ^= 1 << below(8)
        break
      case 1:
        room[at] = below(256)
        break
      case 2:
        room.writeUInt16BE(pick([0, 1, 2, 3, 255, 256, 65_535]), 4 + 2 * below(4))
        break
      case 3:
        size = at
        break
      case 4: {
        const length = Math.min(below(40), size - at, room.length - size)
        room.copy(room, at + length, at, size)
        size += length
        break
      }
      default:
        if (size > HEADER) room[HEADER + below(size - HEADER)] = pick([0, 1, 41, 63, 64, 128, 192, 255])
    }
  }
  return room.subarray(0, size)
}
