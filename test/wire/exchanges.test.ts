/** What requests get, octet for octet as from CoreDNS: reader, answer and finish together. */
import t from 'tap'
import { bare, REFUSED } from '../../src/wire/answer.ts'
import { finish, finishBadVersion, finishRefusal } from '../../src/wire/finish.ts'
import { Query, readQuery } from '../../src/wire/query.ts'
import { Bit, Class, Rcode } from '../../src/wire/types.ts'
import { packets } from './packets.ts'
import { udp } from './peers.ts'

const denied = bare(Rcode.NXDOMAIN, Bit.AA)

function replyTo(request: Uint8Array): Buffer | undefined {
  const query = readQuery(request, udp)
  const out = Buffer.alloc(65_535)
  if (!(query instanceof Query)) {
    const size = finishRefusal(request, query, out)
    return size === 0 ? undefined : out.subarray(0, size)
  }
  const size = query.edns?.version
    ? finishBadVersion(query, out)
    : finish(query, query.class === Class.IN ? denied : REFUSED, out)
  return out.subarray(0, size)
}

for (const table of ['headers', 'names', 'edns']) {
  t.test(table, async t => {
    for (const { title, request, reply } of packets(table)) {
      t.equal(replyTo(request)?.toString('hex'), reply?.toString('hex'), title)
    }
  })
}
