import { decode } from 'dns-packet'
import t from 'tap'
import { overloaded } from '../../../src/server/answer-threads/overload.ts'
import { questionPacket } from '../../helpers/serve.ts'

const AT = 7

/** What becomes of a request that stands between other octets. */
function reply(request: Uint8Array): Buffer {
  const octets = Buffer.alloc(AT + request.length + 9, 1)
  octets.set(request, AT)
  return octets.subarray(AT, AT + overloaded(octets, AT, request.length))
}

t.test('a query becomes SERVFAIL with its question, RD and CD, and without OPT', async t => {
  const request = questionPacket('Web.Shop.svc.cluster.local SRV', { size: 1232, bits: 0x0130 })
  const made = reply(request)
  t.match(decode(made), {
    id: 0x1234,
    type: 'response',
    rcode: 'SERVFAIL',
    flag_rd: true,
    flag_cd: true,
    flag_ad: false,
    flag_ra: false,
    questions: [{ name: 'Web.Shop.svc.cluster.local', type: 'SRV' }],
    additionals: [],
  })
  t.equal(made.length, request.length - 11)
})

t.test('silence where there is nobody to tell', async t => {
  const request = questionPacket('a.test A')
  t.equal(reply(request).length, request.length)
  for (const size of [0, 11, 12, 16, request.length - 1]) t.equal(reply(request.subarray(0, size)).length, 0, `${size}`)
  t.equal(reply(questionPacket('a.test A', { bits: 0x8000 })).length, 0, 'a response')
  t.equal(reply(questionPacket('a.test A', { bits: 0x2000 })).length, 0, 'another opcode')
  const pointer = Buffer.from(request)
  pointer[12] = 0xc0
  t.equal(reply(pointer).length, 0, 'a name with a pointer')
  const two = Buffer.from(request)
  two[5] = 2
  t.equal(reply(two).length, 0, 'two questions')
})
