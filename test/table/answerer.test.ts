/** What the answerer says of a zone, by examples. That it makes the octets of the chain is compared in `answerer-law.test.ts`. */
import { decode } from 'dns-packet'
import t from 'tap'
import { Answerer, ASK } from '../../src/table/answerer.ts'
import { Transport } from '../../src/table/counters.ts'
import { Verdict } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { type NameKey, nameFromKey, ROOT } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Class, Rcode, Type } from '../../src/wire/types.ts'
import { address, answerOf, asks, cluster, countsOf, ORIGIN, rcodeOf, WEB } from './answered-cluster.ts'
import { Answering, keyOf, type Outcome, plainCut, requestFor, soaAnswer } from './answering.ts'

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
    ['_https._tcp.web.shop.svc.cluster.local', Type.SRV, Rcode.NOERROR],
    ['_tcp.web.shop.svc.cluster.local', Type.SRV, Rcode.NXDOMAIN],
    ['a._https._tcp.web.shop.svc.cluster.local', Type.SRV, Rcode.NXDOMAIN],
    ['a.b._https._tcp.web.shop.svc.cluster.local', Type.SRV, Rcode.NXDOMAIN],
    ['a.b.c._https._tcp.web.shop.svc.cluster.local', Type.SRV, Rcode.NXDOMAIN],
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

t.test('a negative answer that has to be cut', async t => {
  const answering = new Answering()
  const data = { type: Type.NS, class: Class.IN, ttl: 30, rdata: nameFromKey(WEB) }
  const negative = (length: number) => {
    const authorities = Array.from({ length: 60 }, () => ({ ...data, owner: length - ORIGIN.length }))
    return encode({ answers: [], authorities, additionals: [] }, length)
  }
  const zone = answering.addZone(negative)
  answering.put(zone, ORIGIN, { other: Verdict.NODATA, below: 0, types: [] })
  answering.cuts = [{ ...plainCut, suffix: ORIGIN, zone }]
  for (let size = 1; size < 40; size++) {
    const request = requestFor(nameFromKey(keyOf(`${'x'.repeat(size)}.cluster.local`)), Type.A)
    const { got, wanted } = answering.both(request, Transport.UDP4, 512)
    t.same(got, wanted)
    t.type(got, Buffer)
  }
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
  for (const unsure of ['no.such', 'such', 'shop.svc'].map(name => keyOf(`${name}.cluster.local`).length)) {
    class Unsure extends TableReader {
      override findZone(...key: Parameters<TableReader['findZone']>): number {
        return key[3] === unsure ? -1 : super.findZone(...key)
      }
    }
    const octets = new Uint8Array(512)
    const answerer = new Answerer({
      reader: new Unsure(answering.table.memory, answering.table.openReader()),
      octets,
    })
    const name = unsure === keyOf('shop.svc.cluster.local').length ? 'no.shop.svc' : 'no.such'
    const request = requestFor(nameFromKey(keyOf(`${name}.cluster.local`)), Type.A)
    octets.set(request)
    answerer.begin(0)
    t.equal(answerer.answer(answering.directory, 0, request.length, 512, Transport.UDP4), ASK)
    answerer.end(0)
  }
})

t.test('the zone of the root, and a cut far below its apex', async t => {
  const answering = new Answering()
  const zone = answering.addZone(length => soaAnswer(ROOT, 7, length))
  answering.put(zone, ROOT, { other: Verdict.NODATA, below: 0, types: [] })
  const ask = asks(t, answering)
  answering.cuts = [{ ...plainCut, zone }]
  t.equal(rcodeOf(ask('.')), Rcode.NOERROR)
  t.equal(rcodeOf(ask('a.b')), Rcode.NXDOMAIN)
  answering.cuts = [{ ...plainCut, suffix: keyOf('shop.svc.cluster.local'), zone }]
  t.equal(rcodeOf(ask('a.shop.svc.cluster.local')), Rcode.NXDOMAIN)
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

t.test('a zone without a negative answer says nothing of what it lacks', async t => {
  const answering = new Answering()
  const zone = answering.addZone()
  answering.put(zone, ORIGIN, { other: Verdict.NODATA, below: 0, types: [] })
  answering.cuts = [{ ...plainCut, suffix: ORIGIN, zone }]
  t.equal(rcodeOf(asks(t, answering)('no.cluster.local')), 'ask')
  t.equal(rcodeOf(asks(t, answering)('cluster.local')), 'ask')
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
