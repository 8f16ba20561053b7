import t from 'tap'
import { aliased, edited, isMovable, lowestTtl, recordType, reordered, spelled, withTtl } from '../../src/wire/edit.ts'
import { nameFromText } from '../../src/wire/name.ts'
import { decode, encode } from '../../src/wire/record.ts'
import { Type } from '../../src/wire/types.ts'
import { answerTo, record, shown } from '../helpers/answer.ts'

const wire = (text: string) => ({ name: nameFromText(text)! })
const www = wire('www.a.test')
const alias = answerTo(
  www,
  {
    answers: ['www.a.test. 120 IN CNAME x.a.test.', 'x.a.test. 300 IN A 192.0.2.1', 'x.a.test. 300 IN A 192.0.2.2'],
    authorities: ['a.test. 4294967295 IN NS ns.a.test.'],
    additionals: ['ns.a.test. 60 IN AAAA 2001:db8::1'],
  },
  { bits: 0x400 },
)

t.test('recordType, lowestTtl', async t => {
  t.strictSame(
    [0, 1, 2, 3, 4].map(i => recordType(alias, i)),
    [Type.CNAME, Type.A, Type.A, Type.NS, Type.AAAA],
  )
  t.equal(lowestTtl(alias, 3600), 60)
  t.equal(lowestTtl(alias, 30), 30)
  t.equal(lowestTtl(answerTo(www, { answers: ['www.a.test. 4294967295 IN A 192.0.2.1'] }), 2 ** 33), 2 ** 32 - 1)
})

t.test('withTtl copies once, and only when something changes', async t => {
  const before = Buffer.from(alias.body)
  const aged = withTtl(alias, 4_000_000_000)
  t.strictSame(Buffer.from(alias.body), before)
  t.equal(lowestTtl(aged, 2 ** 33), 4_000_000_000)
  t.strictSame(
    shown(aged, www).map(line => line.replace(' 4000000000 ', ' ')),
    shown(alias, www).map(line => line.replace(/ \d+ IN/, ' IN')),
  )
  t.equal(withTtl(aged, 4_000_000_000), aged)
  const buffered = { ...alias, body: Buffer.from(alias.body) }
  t.equal(lowestTtl(withTtl(buffered, 9), 10), 9)
  t.strictSame(buffered.body, before, 'nor does it write to a Buffer')
})

t.test('spelled keeps the letter case whoever asks', async t => {
  const fixed = spelled({ ...alias, options: Uint8Array.of(1) }, wire('wWw.a.test').name)
  t.strictSame(shown(fixed, wire('WWW.A.TEST'))[1], '= wWw.a.test. 120 IN CNAME x.a.test.')
  t.equal(fixed.bits, 0x400)
  t.strictSame(fixed.options, Uint8Array.of(1))
})

t.test("edited changes records; what is the question's name or its end points at it again", async t => {
  const added = record('other.test. 5 IN TXT hello')
  const changed = edited(alias, www.name, sections => ({
    answers: sections.answers.toReversed(),
    authorities: sections.authorities,
    additionals: [...sections.additionals, added],
  }))
  t.strictSame(shown(changed, wire('WWW.a.TEST')), [
    'rcode NOERROR AA',
    '= x.a.test. 300 IN A 192.0.2.2',
    '= x.a.test. 300 IN A 192.0.2.1',
    '= WWW.a.TEST. 120 IN CNAME x.a.test.',
    '@ a.TEST. 4294967295 IN NS ns.a.test.',
    '+ ns.a.test. 60 IN AAAA 2001:db8::1',
    '+ other.test. 5 IN TXT hello',
  ])
  t.same(edited(alias, www.name, sections => sections).bits, alias.bits)
})

t.test('aliased answers another question with an alias in front', async t => {
  const other = wire('Www.Other.a.TEST')
  t.strictSame(shown(aliased(alias, www.name, other.name)!, other), [
    'rcode NOERROR AA',
    '= Www.Other.a.TEST. 120 IN CNAME www.a.test.',
    '= www.a.test. 120 IN CNAME x.a.test.',
    '= x.a.test. 300 IN A 192.0.2.1',
    '= x.a.test. 300 IN A 192.0.2.2',
    '@ a.test. 4294967295 IN NS ns.a.test.',
    '+ ns.a.test. 60 IN AAAA 2001:db8::1',
  ])
  const addresses = answerTo(www, {
    answers: ['www.a.test. 60 IN A 192.0.2.1', 'www.a.test. 90 IN AAAA 2001:db8::1', 'www.a.test. 60 IN TXT text'],
  })
  const quick = aliased(addresses, www.name, other.name)!
  t.strictSame(shown(quick, other), [
    'rcode NOERROR',
    '= Www.Other.a.TEST. 60 IN CNAME www.a.test.',
    '= www.a.test. 60 IN A 192.0.2.1',
    '= www.a.test. 90 IN AAAA 2001:db8::1',
    '= www.a.test. 60 IN TXT text',
  ])
  const { answers, authorities, additionals } = decode(quick, other.name)!
  const first = { ...answers[0]!, owner: 0 }
  const rest = answers.slice(1)
  t.same(quick, encode({ answers: [first, ...rest], authorities, additionals }, other.name.length, addresses))
  const denial = { ...answerTo(www, { authorities: ['a.test. 60 IN SOA ns.a.test. h.a.test. 1 2 3 4 5'] }), rcode: 3 }
  t.strictSame(shown(aliased(denial, www.name, other.name)!, other), [
    'rcode NXDOMAIN',
    '@ a.test. 60 IN SOA ns.a.test. h.a.test. 1 2 3 4 5',
  ])
})

t.test('an answer that cannot be taken apart stays as it is', async t => {
  const broken = { ...alias, body: alias.body.map((octet, i) => (i === 0 ? 0xff : octet)) }
  t.equal(spelled(broken, www.name), broken)
  t.equal(
    edited(broken, www.name, sections => sections),
    broken,
  )
  t.equal(aliased(broken, www.name, wire('b.test').name), undefined, 'for another question there is none')
})

t.test('reordered moves records of any length', async t => {
  const mixed = answerTo(www, {
    answers: ['www.a.test. 1 IN A 192.0.2.1', 'www.a.test. 2 IN AAAA 2001:db8::1', 'www.a.test. 3 IN A 192.0.2.3'],
  })
  const moved = reordered(mixed, [1, 2, 0])
  t.strictSame(
    shown(moved, www).slice(1),
    [2, 3, 1].map(i => shown(mixed, www)[i]),
  )
  t.equal(moved.starts.at(-1), moved.body.length)
})

t.test('isMovable: addresses whose owner points before them, to the end', async t => {
  t.equal(
    isMovable(answerTo(www, { answers: ['www.a.test. 1 IN A 192.0.2.1', 'www.a.test. 1 IN A 192.0.2.2'] }), 0),
    true,
  )
  t.equal(isMovable(alias, 1), false, 'an NS record follows')
  const own = ['b.test. 1 IN A 192.0.2.1', 'b.test. 1 IN A 192.0.2.2', 'b.test. 1 IN A 192.0.2.3']
  t.equal(isMovable(answerTo(www, { answers: own }), 0), false, 'the first spells the name, the others point at it')
  t.equal(isMovable(answerTo(www, { answers: own }), 1), true)
  const different = ['b.test. 1 IN A 192.0.2.1', 'c.example. 1 IN A 192.0.2.2']
  t.equal(isMovable(answerTo(www, { answers: different }), 0), true, 'each spells its own')
})
