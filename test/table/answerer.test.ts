/** Each rule of the answerer by an example. That it makes the octets of the chain is compared in `answerer-law.test.ts`. */
import { decode } from 'dns-packet'
import t, { type Test } from 'tap'
import { Answerer, ASK } from '../../src/table/answerer.ts'
import type { Cut, TypeEntry } from '../../src/table/contract.ts'
import { Transport } from '../../src/table/counters.ts'
import { Below, Verdict } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { type Answer, COPIED } from '../../src/wire/answer.ts'
import { type NameKey, nameFromKey } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, Class, DO, Rcode, Type } from '../../src/wire/types.ts'
import { Answering, type Asked, keyOf, type Outcome, plainCut, requestFor, soaAnswer } from './answering.ts'

const ORIGIN = keyOf('cluster.local')
const WEB = keyOf('web.shop.svc.cluster.local')

function address(last: number, ttl = 30, owner: Record['owner'] = 0): Record {
  return { owner, type: Type.A, class: Class.IN, ttl, rdata: Uint8Array.of(10, 0, last >> 8, last) }
}

function answerOf(key: NameKey, answers: readonly Record[], header: { bits?: number; rcode?: number } = {}): Answer {
  return encode({ answers, authorities: [], additionals: [] }, key.length, { bits: Bit.AA, copied: COPIED, ...header })
}

function answerA(key: NameKey, ttl = 30): TypeEntry {
  return { type: Type.A, verdict: Verdict.ANSWER, answer: answerOf(key, [address(1, ttl)]) }
}

/** A cluster's zone with one service and, below `pod`, names that only the control thread knows. */
function cluster(changed: Partial<Cut> = {}) {
  const answering = new Answering()
  const zone = answering.addZone(length => soaAnswer(ORIGIN, 7, length))
  const cache = answering.addCache()
  const put = (name: string, types: readonly TypeEntry[] = [], below = 0, other: 0 | 1 | 2 = Verdict.NODATA) =>
    answering.put(zone, keyOf(name), { other, below, types })
  put('cluster.local', [{ type: Type.SOA, verdict: Verdict.ANSWER, answer: soaAnswer(ORIGIN, 7, ORIGIN.length) }])
  put('svc.cluster.local')
  put('pod.cluster.local')
  put('shop.pod.cluster.local', [], Below.ONE_LABEL)
  put('shop.svc.cluster.local')
  put('web.shop.svc.cluster.local', [answerA(WEB), { type: Type.NS, verdict: Verdict.ASK }], Below.TWO_LABELS)
  put('gone.shop.svc.cluster.local', [], 0, Verdict.NXDOMAIN)
  const cut: Cut = { ...plainCut, suffix: ORIGIN, zone, cache, ...changed }
  answering.cuts = [cut, { ...plainCut, cache }]
  return { answering, zone, cache, cut }
}

/** The reply or its rcode, after the model was found to say the same. */
function asks(t: Test, answering: Answering) {
  return (name: string, type: number = Type.A, asked: Asked = {}, transport: Transport = Transport.UDP4): Outcome => {
    const { got, wanted } = answering.both(requestFor(nameFromKey(keyOf(name)), type, asked), transport)
    t.same(got, wanted, `${name} ${type}`)
    return got
  }
}

const rcodeOf = (outcome: Outcome) => (typeof outcome === 'string' ? outcome : outcome[3]! & 15)
const countsOf = (outcome: Outcome) =>
  typeof outcome === 'string' ? outcome : [4, 6, 8, 10].map(at => outcome.readUInt16BE(at))

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

t.test('a zone: by name, by type, by what is above a missing name', async t => {
  const { answering, cut } = cluster()
  const ask = asks(t, answering)
  const rows: readonly (readonly [string, number, number | 'ask'])[] = [
    ['web.shop.svc.cluster.local', Type.A, Rcode.NOERROR],
    ['web.shop.svc.cluster.local', Type.AAAA, Rcode.NOERROR],
    ['web.shop.svc.cluster.local', Type.ANY, Rcode.NOERROR],
    ['web.shop.svc.cluster.local', 65_280, Rcode.NOERROR],
    ['web.shop.svc.cluster.local', Type.NS, 'ask'],
    ['gone.shop.svc.cluster.local', Type.A, Rcode.NXDOMAIN],
    ['gone.shop.svc.cluster.local', Type.SOA, Rcode.NOERROR],
    ['cluster.local', Type.SOA, Rcode.NOERROR],
    ['shop.svc.cluster.local', Type.A, Rcode.NOERROR],
    ['no.shop.svc.cluster.local', Type.A, Rcode.NXDOMAIN],
    ['no.shop.svc.cluster.local', Type.SOA, Rcode.NOERROR],
    ['no.such.cluster.local', Type.A, Rcode.NXDOMAIN],
    ['one.web.shop.svc.cluster.local', Type.A, Rcode.NXDOMAIN],
    ['_http._tcp.web.shop.svc.cluster.local', Type.SRV, 'ask'],
    ['a._http._tcp.web.shop.svc.cluster.local', Type.SRV, Rcode.NXDOMAIN],
    ['10-0-0-1.shop.pod.cluster.local', Type.A, 'ask'],
    ['a.10-0-0-1.shop.pod.cluster.local', Type.A, Rcode.NXDOMAIN],
    ['example.org', Type.A, 'ask'],
  ]
  for (const [name, type, wanted] of rows) t.equal(rcodeOf(ask(name, type)), wanted, `${name} ${type}`)
  t.same(countsOf(ask('no.shop.svc.cluster.local')), [1, 0, 1, 0])
  t.same(countsOf(ask('web.shop.svc.cluster.local', Type.TXT, { edns: {} })), [1, 0, 1, 1])

  answering.cuts = [{ ...cut, suffix: keyOf('shop.svc.cluster.local') }]
  t.equal(rcodeOf(ask('no.shop.svc.cluster.local')), Rcode.NXDOMAIN, 'a cut below the apex')
  answering.cuts = [{ ...cut, suffix: keyOf('none.cluster.local') }]
  t.equal(rcodeOf(ask('a.b.c.none.cluster.local')), Rcode.NXDOMAIN, 'a cut below the apex that is no name of the zone')
  answering.cuts = [{ ...cut, suffix: keyOf('local') }]
  t.equal(rcodeOf(ask('no.shop.svc.cluster.local')), Rcode.NXDOMAIN, 'a cut above the apex')
  t.equal(rcodeOf(ask('other.local')), 'ask', 'a name of no zone')
})

t.test('a negative answer holds for names of each length', async t => {
  const { answering } = cluster()
  const ask = asks(t, answering)
  for (let size = 1; size <= 63; size++) {
    const reply = ask(`${'x'.repeat(size)}.cluster.local`)
    if (typeof reply === 'string') return t.fail(reply)
    t.match(decode(reply).authorities, [{ name: 'cluster.local', type: 'SOA', data: { serial: 7 } }])
  }
  const long = ['a', 'b', 'c']
    .map(letter => letter.repeat(63))
    .concat('d'.repeat(46))
    .join('.')
  t.equal(rcodeOf(ask(`${long}.cluster.local`)), Rcode.NXDOMAIN, '255 octets')
})

t.test('names of many labels cost few look-ups', async t => {
  const { answering } = cluster()
  let looks = 0
  class Counting extends TableReader {
    override findZone(...key: Parameters<TableReader['findZone']>): number {
      looks++
      return super.findZone(...key)
    }
  }
  const octets = new Uint8Array(4096)
  const answerer = new Answerer({ reader: new Counting(answering.table.memory, answering.table.openReader()), octets })
  for (const [labels, most] of [
    [1, 2],
    [3, 3],
    [57, 8],
  ] as const) {
    const request = requestFor(nameFromKey(keyOf(`${'a.'.repeat(labels)}shop.svc.cluster.local`)), Type.A)
    octets.set(request)
    looks = 0
    answerer.begin(0)
    t.ok(answerer.answer(answering.directory, 0, request.length, 512, Transport.UDP4) > 0)
    answerer.end(0)
    t.ok(looks <= most, `${labels} labels: ${looks} look-ups`)
  }
})

t.test('a look-up that gave up does not say that a name is missing', async t => {
  const { answering } = cluster()
  class Unsure extends TableReader {
    override findZone(...key: Parameters<TableReader['findZone']>): number {
      return super.findZone(...key) || -1
    }
  }
  const octets = new Uint8Array(512)
  const answerer = new Answerer({ reader: new Unsure(answering.table.memory, answering.table.openReader()), octets })
  const request = requestFor(nameFromKey(keyOf('no.shop.svc.cluster.local')), Type.A)
  octets.set(request)
  answerer.begin(0)
  t.equal(answerer.answer(answering.directory, 0, request.length, 512, Transport.UDP4), ASK)
  answerer.end(0)
})

t.test('cuts: the longest that the name is in, at the boundary of a label', async t => {
  const { answering, cut } = cluster()
  const ask = asks(t, answering)
  answering.cuts = [cut, { ...plainCut, suffix: keyOf('shop.svc.cluster.local'), ask: true }]
  t.equal(rcodeOf(ask('web.shop.svc.cluster.local')), 'ask')
  t.equal(rcodeOf(ask('shop.svc.cluster.local')), 'ask')
  t.equal(rcodeOf(ask('SHOP.svc.cluster.local')), 'ask')
  t.equal(rcodeOf(ask('workshop.svc.cluster.local')), Rcode.NXDOMAIN)
  t.equal(rcodeOf(ask('x\\004shop.svc.cluster.local')), Rcode.NXDOMAIN, 'octets that look like a label')
  t.equal(rcodeOf(ask('.')), 'ask')
  const request = requestFor(nameFromKey(WEB), Type.A)
  answering.cuts = [cut]
  t.not(answering.answer(request), 'ask', 'the directory was replaced')
  answering.table.setDirectory(answering.directory, undefined)
  t.equal(answering.answer(request), 'ask', 'and taken away')
})

t.test('names in front are asked, whatever the zone says', async t => {
  const { answering, cut } = cluster()
  const front = answering.addZone()
  answering.put(front, WEB, { other: Verdict.ASK, below: 0, types: [] })
  answering.cuts = [{ ...cut, front }]
  const ask = asks(t, answering)
  t.equal(rcodeOf(ask('web.shop.svc.cluster.local')), 'ask')
  t.equal(rcodeOf(ask('shop.svc.cluster.local')), Rcode.NOERROR)
})

t.test('an open zone: NODATA is final, NXDOMAIN leaves the question to the cache', async t => {
  const { answering, cache } = cluster({ closed: false })
  const ask = asks(t, answering)
  t.equal(rcodeOf(ask('web.shop.svc.cluster.local', Type.TXT)), Rcode.NOERROR)
  t.equal(rcodeOf(ask('no.shop.svc.cluster.local')), 'ask')
  for (const name of ['no.shop.svc.cluster.local', 'web.shop.svc.cluster.local']) {
    const key = keyOf(name)
    const question = { key, name: nameFromKey(key), type: Type.A, dnssecOk: false, checkingDisabled: false }
    answering.keep(cache, question, answerOf(key, [address(99, 60)], { bits: Bit.RA }), 60)
  }
  t.match(decode(ask('no.shop.svc.cluster.local') as Buffer).answers, [{ data: '10.0.0.99' }])
  t.match(decode(ask('web.shop.svc.cluster.local') as Buffer).answers, [{ data: '10.0.0.1' }], 'the zone comes first')
})

t.test('a zone without a negative answer says nothing of what it lacks', async t => {
  const answering = new Answering()
  const zone = answering.addZone()
  answering.put(zone, ORIGIN, { other: Verdict.NODATA, below: 0, types: [] })
  answering.cuts = [{ ...plainCut, suffix: ORIGIN, zone }]
  t.equal(rcodeOf(asks(t, answering)('no.cluster.local')), 'ask')
  t.equal(rcodeOf(asks(t, answering)('cluster.local')), 'ask')
})

t.test('kept answers: fresh, for DO and CD as asked, aged, in the letter case of the first', async t => {
  const answering = new Answering()
  const cache = answering.addCache()
  answering.cuts = [{ ...plainCut, cache }]
  const key = keyOf('www.example.org')
  const name = Buffer.from(key, 'latin1')
  const kept = answerOf(key, [address(1, 10), address(2, 10)], { bits: Bit.RA | Bit.AD })
  answering.keep(cache, { key, name, type: Type.A, dnssecOk: false, checkingDisabled: false }, kept, 10)
  answering.keep(cache, { key, name, type: Type.A, dnssecOk: true, checkingDisabled: true }, kept, 10)
  const ask = asks(t, answering)
  const bitsOf = (outcome: Outcome) => (typeof outcome === 'string' ? outcome : outcome.readUInt16BE(2))
  const ttlsOf = (outcome: Outcome) =>
    typeof outcome === 'string' ? outcome : decode(outcome).answers!.map(record => 'ttl' in record && record.ttl)

  t.equal(bitsOf(ask('www.example.org')), Bit.QR | Bit.RD | Bit.RA, 'no AD for who does not ask for it')
  t.equal(bitsOf(ask('www.example.org', Type.A, { bits: Bit.AD })), Bit.QR | Bit.RA | Bit.AD)
  t.equal(rcodeOf(ask('www.example.org', Type.A, { bits: Bit.CD })), 'ask')
  t.equal(rcodeOf(ask('www.example.org', Type.A, { edns: { flags: DO } })), 'ask')
  t.equal(
    bitsOf(ask('www.example.org', Type.A, { bits: Bit.CD, edns: { flags: DO } })),
    Bit.QR | Bit.RA | Bit.AD | Bit.CD,
  )
  t.equal(rcodeOf(ask('www.example.org', Type.AAAA)), 'ask')
  const capital = Buffer.from(name)
  capital[1]! -= 32
  t.equal(answering.answer(requestFor(capital, Type.A)), 'ask')

  const stored = answering.nowMs
  for (const [age, ttl] of [
    [0, 10],
    [999, 10],
    [1000, 9],
    [9999, 1],
    [10_000, 'ask'],
    [2 ** 31 + 1000, 'ask'],
  ] as const) {
    answering.nowMs = stored + age
    t.same(ttlsOf(ask('www.example.org')), ttl === 'ask' ? ttl : [ttl, ttl], `after ${age} ms`)
  }
})

t.test('an answer that was stored while the batch ran is as old as the batch', async t => {
  const answering = new Answering()
  const cache = answering.addCache()
  answering.cuts = [{ ...plainCut, cache }]
  const key = keyOf('www.example.org')
  const question = { key, name: nameFromKey(key), type: Type.A, dnssecOk: false, checkingDisabled: false }
  answering.nowMs = 2 ** 32 * 5 + 20
  answering.keep(cache, question, answerOf(key, [address(1, 10)]), 10)
  answering.nowMs -= 40
  const reply = answering.answer(requestFor(nameFromKey(key), Type.A))
  t.match(decode(reply as Buffer).answers, [{ ttl: 10 }])
})

t.test('what may not be told here is asked: by whether it has records, and errors always', async t => {
  const answering = new Answering()
  const cache = answering.addCache()
  const keep = (name: string, answer: (key: NameKey) => Answer) => {
    const key = keyOf(name)
    const question = { key, name: nameFromKey(key), type: Type.A, dnssecOk: false, checkingDisabled: false }
    answering.keep(cache, question, answer(key), 30)
  }
  const soa = (rcode: number) => (key: NameKey) => ({ ...soaAnswer(keyOf('example.org'), 7, key.length), rcode })
  keep('full.example.org', key => answerOf(key, [address(1)]))
  keep('empty.example.org', key => answerOf(key, []))
  keep('nodata.example.org', soa(Rcode.NOERROR))
  keep('nxdomain.example.org', soa(Rcode.NXDOMAIN))
  keep('odd.example.org', key => answerOf(key, [address(1)], { rcode: Rcode.NXDOMAIN }))
  keep('failed.example.org', key => answerOf(key, [], { rcode: Rcode.SERVFAIL }))
  for (const positives of [true, false]) {
    for (const negatives of [true, false]) {
      answering.cuts = [{ ...plainCut, cache, positives, negatives }]
      const told = (name: string) => asks(t, answering)(`${name}.example.org`) !== 'ask'
      t.same(['full', 'empty'].map(told), [positives, positives])
      t.same(['nodata', 'nxdomain'].map(told), [negatives, negatives])
      t.same(['odd', 'failed'].map(told), [false, false])
    }
  }
})

t.test('the time to live of zone answers between the bounds of the cut', async t => {
  const { answering, cut } = cluster()
  const ask = asks(t, answering)
  const ttls = (name: string) => {
    const { answers = [], authorities = [] } = decode(ask(name) as Buffer)
    return [...answers, ...authorities].map(record => 'ttl' in record && record.ttl)
  }
  for (const [bounds, told] of [
    [[5, 3600], 30],
    [[40, 3600], 40],
    [[0, 20], 20],
    [[0, 0], 0],
  ] as const) {
    answering.cuts = [{ ...cut, positiveTtl: bounds }]
    t.same([ttls('web.shop.svc.cluster.local'), ttls('no.cluster.local')], [[told], [30]])
    answering.cuts = [{ ...cut, negativeTtl: bounds }]
    t.same([ttls('web.shop.svc.cluster.local'), ttls('no.cluster.local')], [[30], [told]])
  }
})

t.test('rotation: addresses change places, before the reply is cut', async t => {
  const { answering, zone, cut } = cluster({ rotate: true })
  const put = (name: string, records: (key: NameKey) => Record[]) => {
    const key = keyOf(name)
    const types = [{ type: Type.A, verdict: Verdict.ANSWER, answer: answerOf(key, records(key)) }] as const
    answering.put(zone, key, { other: Verdict.NODATA, below: 0, types })
  }
  const many = (count: number) => () => Array.from({ length: count }, (_, i) => address(i))
  const alias: Record = { owner: 0, type: Type.CNAME, class: Class.IN, ttl: 30, rdata: nameFromKey(WEB) }
  put('many.shop.svc.cluster.local', many(100))
  put('alias.shop.svc.cluster.local', () => [alias, address(1, 30, nameFromKey(WEB)), address(2, 30, nameFromKey(WEB))])
  put('mixed.shop.svc.cluster.local', () => [address(1), alias, address(2)])
  put('most.shop.svc.cluster.local', many(4079))
  const ask = asks(t, answering)
  const all = ask('many.shop.svc.cluster.local', Type.A, { edns: { size: 4096 } })
  const addresses = (reply: Outcome) => decode(reply as Buffer).answers!.map(record => 'data' in record && record.data)
  t.not(`${addresses(all)}`, `${Array.from({ length: 100 }, (_, i) => `10.0.0.${i}`)}`)
  t.same(addresses(ask('many.shop.svc.cluster.local')), addresses(all).slice(0, 29), 'cut behind the rotation')
  t.equal(rcodeOf(ask('alias.shop.svc.cluster.local')), Rcode.NOERROR)
  t.equal(rcodeOf(ask('mixed.shop.svc.cluster.local')), 'ask', 'has to be sorted')
  t.equal(rcodeOf(ask('most.shop.svc.cluster.local')), Rcode.NOERROR)
  answering.cuts = [{ ...cut, rotate: false }]
  t.equal(rcodeOf(ask('mixed.shop.svc.cluster.local')), Rcode.NOERROR)
})

t.test('chance of its own puts each address first as often as the others', async t => {
  const { answering, zone } = cluster({ rotate: true })
  const types = [
    {
      type: Type.A,
      verdict: Verdict.ANSWER,
      answer: answerOf(
        WEB,
        [0, 1, 2, 3].map(i => address(i)),
      ),
    },
  ] as const
  answering.put(zone, WEB, { other: Verdict.NODATA, below: 0, types })
  const request = requestFor(nameFromKey(WEB), Type.A)
  const octets = new Uint8Array(512)
  const reader = new TableReader(answering.table.memory, answering.table.openReader())
  const answerer = new Answerer({ reader, octets })
  const firsts = [0, 0, 0, 0]
  answerer.begin(0)
  for (let i = 0; i < 4000; i++) {
    octets.set(request)
    answerer.answer(answering.directory, 0, request.length, 512, Transport.UDP4)
    firsts[octets[request.length + 15]!]!++
  }
  answerer.end(0)
  // Six standard deviations.
  for (const count of firsts) t.ok(Math.abs(count - 1000) < 165, `${firsts}`)
})

t.test('a reply for which there is no room is asked', async t => {
  const { answering } = cluster()
  const request = requestFor(nameFromKey(WEB), Type.A, { edns: {} })
  const size = request.length + 16
  t.equal(answering.answer(request, Transport.UDP4, size - 1), 'ask')
  t.equal((answering.answer(request, Transport.UDP4, size) as Buffer).length, size)
})
