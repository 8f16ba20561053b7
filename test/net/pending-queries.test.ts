import fc from 'fast-check'
import t from 'tap'
import { PendingQueries } from '../../src/net/pending-queries.ts'
import { testClock } from '../helpers/clock.ts'
import { queryFor } from '../helpers/plugin.ts'
import { reply } from '../helpers/upstream.ts'

const query = queryFor('www.example.org')
const asked = { protocol: 'udp', packet: Buffer.from(query.packet), port: 0, address: '' } as const

function setUp(random16 = () => 0) {
  let empty = 0
  const clock = testClock()
  const pending = new PendingQueries({ peer: 'udp 192.0.2.1:53', clock, random16, onEmpty: () => empty++ })
  return { clock, pending, emptied: () => empty }
}

t.test('no packet does harm', async t => {
  const good = reply(asked, ['192.0.2.1', '192.0.2.2'], {
    additionals: [{ type: 'A', name: 'example.org', data: '192.0.2.3' }],
  })
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
  const cut = fc.nat(good.length)
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.tuple(changes, cut)), sample => {
      const { pending } = setUp()
      void pending.add(Uint8Array.from(query.packet), 1000).catch(() => undefined)
      const packet = sample instanceof Uint8Array ? sample : Uint8Array.from(good.subarray(0, sample[1]))
      if (!(sample instanceof Uint8Array))
        for (const [at, octet] of sample[0]) if (at < packet.length) packet[at] = octet
      pending.receive(packet)
      if (pending.size === 0)
        t.ok((packet[2]! & 0x80) !== 0 && packet[0] === 0 && packet[1] === 0, 'a reply with our id')
    }),
    { seed: 11, numRuns: 5_000 },
  )
})

t.test('a reply settles its query once, and the clock no other', async t => {
  let id = 0
  const { pending, clock, emptied } = setUp(() => id++)
  const first = pending.add(Uint8Array.from(query.packet), 1000)
  const second = pending.add(Uint8Array.from(query.packet), 2000)
  const packet = reply(asked, ['192.0.2.1'])
  pending.receive(packet)
  pending.receive(packet)
  t.equal((await first).id, 0)
  t.equal(pending.size, 1)
  clock.advance(1999)
  t.equal(pending.size, 1)
  clock.advance(1)
  await t.rejects(second, { code: 'PORTOLAN_UPSTREAM_TIMEOUT' })
  t.equal(emptied(), 1)
})
