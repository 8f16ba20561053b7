/** Which requests the answerer answers, and what it repeats of them. */
import { decode } from 'dns-packet'
import t from 'tap'
import { Transport } from '../../src/table/counters.ts'
import { Question, Reading } from '../../src/table/question.ts'
import { keyOfName, nameFromKey } from '../../src/wire/name.ts'
import { Bit, DO, Rcode, Type } from '../../src/wire/types.ts'
import { asks, cluster, rcodeOf, WEB } from './answered-cluster.ts'
import { keyOf, type Outcome, requestFor } from './answering.ts'

t.test('a hit: the question as it was asked, RD and CD of the query, no other of its bits', async t => {
  const { answering } = cluster()
  const request = requestFor(Buffer.from('\x03wEb\x04shop\x03SVC\x07cluster\x05local\0', 'latin1'), Type.A, {
    bits: 0x07ff,
  })
  const { got, wanted } = answering.both(request)
  t.same(got, wanted)
  if (typeof got === 'string') return t.fail(got)
  t.equal(got.readUInt16BE(2), Bit.QR | Bit.AA | Bit.RD | Bit.CD)
  t.equal(Buffer.compare(got.subarray(12, 12 + WEB.length), request.subarray(12, 12 + WEB.length)), 0)
  t.match(decode(got), { id: 0xbeef, answers: [{ name: 'wEb.shop.SVC.cluster.local', data: '10.0.0.1', ttl: 30 }] })
})

t.test('nothing is sent to responses and to less than a header', async t => {
  const { answering } = cluster()
  const request = requestFor(nameFromKey(WEB), Type.A)
  request[2]! |= 0x80
  t.equal(answering.answer(request), 'drop')
  for (let size = 0; size < 12; size++) t.equal(answering.answer(request.subarray(0, size)), 'drop')
})

t.test('what is unusual is asked of the control thread, untouched', async t => {
  const { answering } = cluster()
  const name = nameFromKey(WEB)
  const plain = requestFor(name, Type.A)
  const edns = requestFor(name, Type.A, { edns: {} })
  const changed = (request: Buffer, at: number, ...octets: number[]) => {
    const copy = Buffer.from(request)
    copy.set(octets, at < 0 ? request.length + at : at)
    return copy
  }
  const options = (...pairs: number[]) => requestFor(name, Type.A, { edns: { options: pairs } })
  const long = (labels: number, size = 1) =>
    requestFor(
      Buffer.concat([...Array.from({ length: labels }, () => Buffer.alloc(size + 1, size)), Buffer.of(0)]),
      Type.A,
    )
  const rows: readonly (readonly [string, Buffer])[] = [
    ['opcode NOTIFY', changed(plain, 2, 0x20)],
    ['opcode 15', changed(plain, 2, 0x78)],
    ['no question', changed(plain, 5, 0)],
    ['two questions', changed(plain, 5, 2)],
    ['256 questions', changed(plain, 4, 1, 0)],
    ['an answer', changed(plain, 7, 1)],
    ['an authority', changed(plain, 9, 1)],
    ['two additional records', changed(edns, 11, 2)],
    ['257 additional records', changed(edns, 10, 1)],
    ['an additional record that is not there', changed(plain, 11, 1)],
    ['class CH', changed(plain, -1, 3)],
    ['class 256 + 1', changed(plain, -2, 1, 1)],
    ['octets behind the question', Buffer.concat([plain, Buffer.of(0)])],
    ['octets behind OPT', Buffer.concat([edns, Buffer.of(0)])],
    ['a pointer', changed(plain, 12, 0xc0, 12)],
    ['a label of 64 octets', changed(plain, 12, 64)],
    ['a name of 256 octets', long(4, 63)],
    ['64 labels', long(64)],
    ['no root owner', changed(edns, -11, 1)],
    ['another record than OPT', changed(edns, -9, 1)],
    ['version 1', changed(edns, -5, 1)],
    ['data that OPT announces', changed(edns, -1, 1)],
    ['client subnet', options(8, 8)],
    ['NSID', options(3, 0)],
    ['a cookie of 7 octets', options(10, 7)],
    ['a cookie of 9 octets', options(10, 9)],
    ['a cookie of 15 octets', options(10, 15)],
    ['a cookie of 41 octets', options(10, 41)],
    ['an option behind a cookie', options(10, 8, 65_001, 0)],
    ['an option that passes the end', changed(options(12, 4), -5, 5)],
    ['half an option', changed(Buffer.concat([edns, Buffer.of(0, 12, 0)]), edns.length - 1, 3)],
    ...[41, 43, 249, 250, 251, 252, 253, 254].map(type => [`type ${type}`, requestFor(name, type)] as const),
  ]
  for (const [title, request] of rows) t.equal(answering.answer(request), 'ask', title)
  for (let size = 12; size < edns.length; size++)
    t.equal(answering.answer(edns.subarray(0, size)), 'ask', `cut at ${size}`)
  const below = (labels: number) => requestFor(nameFromKey(keyOf(`${'a.'.repeat(labels)}cluster.local`)), Type.A)
  t.equal(rcodeOf(answering.answer(below(61))), Rcode.NXDOMAIN, '63 labels')
  t.equal(answering.answer(below(62)), 'ask')
  const tail = nameFromKey(keyOf('cluster.local'))
  const parts = [63, 63, 63].map(size => Buffer.alloc(size + 1, size))
  const named = (size: number) => requestFor(Buffer.concat([...parts, Buffer.alloc(size + 1, size), tail]), Type.A)
  t.equal(rcodeOf(answering.answer(named(47))), Rcode.NXDOMAIN, '255 octets')
  t.equal(answering.answer(named(48)), 'ask', '256 octets')
})

t.test('EDNS: what the client says comes back, but for a size that is lowered', async t => {
  const { answering, cut } = cluster()
  const ask = asks(t, answering)
  const opt = (outcome: Outcome) => (typeof outcome === 'string' ? outcome : outcome.subarray(-11).toString('hex'))
  t.equal(
    opt(ask('web.shop.svc.cluster.local', Type.A, { edns: { size: 4096, flags: 0xffff } })),
    '00002910000000ff000000',
  )
  t.equal(opt(ask('web.shop.svc.cluster.local', Type.A, { edns: { size: 100 } })), '0000290064000000000000')
  for (const options of [
    [10, 8],
    [10, 16],
    [10, 40],
    [12, 0],
    [12, 100, 10, 8],
  ]) {
    t.equal(rcodeOf(ask('web.shop.svc.cluster.local', Type.A, { edns: { options, flags: DO } })), Rcode.NOERROR)
  }
  answering.cuts = [{ ...cut, size: 1232 }]
  t.equal(opt(ask('web.shop.svc.cluster.local', Type.A, { edns: { size: 4096 } })), '00002904d0000000000000')
  t.equal(opt(ask('web.shop.svc.cluster.local', Type.A, { edns: { size: 600 } })), '0000290258000000000000')
})

t.test('a reply for which there is no room is asked', async t => {
  const { answering } = cluster()
  const request = requestFor(nameFromKey(WEB), Type.A, { edns: {} })
  const size = request.length + 16
  t.equal(answering.answer(request, Transport.UDP4, size - 1), 'ask')
  t.equal((answering.answer(request, Transport.UDP4, size) as Buffer).length, size)
})

t.test('names are lowered octet by octet, whatever the octets are', async t => {
  const octets = new Uint8Array(512)
  const question = new Question(octets)
  for (let first = 0; first < 256; first += 32) {
    for (let size = 1; size <= 32; size++) {
      const label = Uint8Array.from({ length: size }, (_, i) => first + i)
      const name = Buffer.concat([Buffer.of(size), label, Buffer.of(1, 0x5a, 0)])
      octets.set(requestFor(name, Type.A))
      t.equal(question.read(0, 12 + name.length + 4), Reading.READ)
      const read = Buffer.from(question.words.buffer, 0, (name.length + 3) & ~3)
      t.equal(read.toString('latin1').padEnd(40), keyOfName(name).padEnd(read.length, '\0').padEnd(40))
    }
  }
})
