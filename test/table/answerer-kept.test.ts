/** What the answerer says of kept answers, by examples. */
import { decode } from 'dns-packet'
import t from 'tap'
import type { Answer } from '../../src/wire/answer.ts'
import { type NameKey, nameFromKey } from '../../src/wire/name.ts'
import { Bit, DO, Rcode, Type } from '../../src/wire/types.ts'
import { address, answerOf, asks, cluster, rcodeOf } from './answered-cluster.ts'
import { Answering, keyOf, type Outcome, plainCut, requestFor, soaAnswer } from './answering.ts'

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
    [2 ** 32 + 1000, 'ask'],
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
