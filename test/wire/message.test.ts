import { encode as encodePacket } from 'dns-packet'
import t from 'tap'
import { finish } from '../../src/wire/finish.ts'
import { readResponse } from '../../src/wire/message.ts'
import { keyFromText, nameFromText } from '../../src/wire/name.ts'
import { makeQuery } from '../../src/wire/query.ts'
import { decode, encode } from '../../src/wire/record.ts'
import { Bit, Rcode, Type } from '../../src/wire/types.ts'
import { tcp } from './peers.ts'
import { chance, newSeed } from './random.ts'
import { randomName, randomSections, recordsOf, sections } from './records.ts'

const bytes = (hex: string) => Buffer.from(hex.replace(/\s/g, ''), 'hex')

const QUESTION = '0141 0474657374 00 0001 0001'
const A = 'c00c 0001 0001 00000005 0004 c0000201'
const OPT = '00 0029 04d0 01008000 0000'

t.test('what a response says', async t => {
  const packet = bytes(`1234 a7b3 0001 0001 0000 0000 ${QUESTION} ${A}`)
  const response = readResponse(packet)!
  t.equal(response.id, 0x1234)
  t.equal(response.opcode, 4)
  t.match(response.question, { key: keyFromText('a.test'), type: Type.A, class: 1 })
  const { AA, TC, RD, RA, AD, CD } = Bit
  t.match(response.answer, { rcode: Rcode.NXDOMAIN, bits: AA | TC | RD | RA | AD | CD, copied: 0, nameLength: 8 })
  t.match(response.answer, { answers: 1, authorities: 0, additionals: 0 })
  packet.fill(0)
  response.answer.body.slice().fill(0)
  t.equal(Buffer.from(response.answer.body).toString('hex'), A.replaceAll(' ', ''), 'nothing of the packet is kept')
  t.equal(Buffer.from(response.question!.name).toString('hex'), '0141047465737400')
})

t.test('OPT is left out, wherever it stands, but for its part of the response code', async t => {
  const rows: readonly (readonly [string, string])[] = [
    ['last', `${A} ${OPT}`],
    ['first', `${OPT} ${A}`],
  ]
  for (const [title, additional] of rows) {
    const { answer } = readResponse(bytes(`1234 8103 0001 0000 0000 0002 ${QUESTION} ${additional}`))!
    t.equal(answer.rcode, Rcode.BADVERS | Rcode.NXDOMAIN, title)
    t.match(answer, { answers: 0, authorities: 0, additionals: 1, copied: 0, bits: Bit.RD })
    const [record] = decode(answer, nameFromText('A.test')!)!.additionals
    t.strictSame(hexed([record!.owner, record!.rdata]), ['0141047465737400', 'c0000201'])
  }
  const { answer } = readResponse(bytes(`1234 8100 0001 0000 0000 0002 ${QUESTION} ${OPT} ${OPT}`))!
  t.match(answer, { rcode: Rcode.BADVERS, additionals: 0, starts: { length: 1 } }, 'two of them')
})

t.test('options of OPT are kept', async t => {
  const opt = '00 0029 04d0 00000000 0006 000f 0002 0016'
  for (const additional of [`${A} ${opt}`, `${opt} ${A}`]) {
    const packet = bytes(`1234 8102 0001 0000 0000 0002 ${QUESTION} ${additional}`)
    const { answer } = readResponse(packet)!
    packet.fill(0)
    t.equal(Buffer.from(answer.options!).toString('hex'), '000f00020016')
    t.equal(answer.additionals, 1)
  }
})

t.test('a header alone is a response', async t => {
  const response = readResponse(bytes('1234 8105 0000 0000 0000 0000'))!
  t.match(response, { id: 0x1234, question: undefined, answer: { rcode: Rcode.REFUSED, answers: 0, nameLength: 0 } })
})

t.test('what is no response', async t => {
  const rows: readonly (readonly [string, string])[] = [
    ['less than a header', '1234 8100 0001 0000 0000 00'],
    ['a query', `1234 0100 0001 0000 0000 0000 ${QUESTION}`],
    ['two questions', `1234 8100 0002 0000 0000 0000 ${QUESTION} ${QUESTION}`],
    ['records without a question', '1234 8100 0000 0001 0000 0000 00 0001 0001 00000005 0004 c0000201'],
    ['the question is missing', '1234 8100 0001 0000 0000 0000'],
    ['the question is cut', '1234 8100 0001 0000 0000 0000 00 0001 00'],
    ['a question that points', '1234 8100 0001 0000 0000 0000 c00c 0001 0001'],
    [
      'a name of 256 octets',
      `1234 8100 0001 0000 0000 0000 ${`3f${'61'.repeat(63)}`.repeat(3)} 3e${'62'.repeat(62)} 00 0001 0001`,
    ],
    ['a record announced, none there', `1234 8100 0001 0001 0000 0000 ${QUESTION}`],
    ['a record that is cut', `1234 8100 0001 0001 0000 0000 ${QUESTION} ${A.slice(0, -2)}`],
    ['a record’s head that is cut', `1234 8100 0001 0001 0000 0000 ${QUESTION} ${A.slice(0, 20)}`],
    ['an owner that points ahead', `1234 8100 0001 0001 0000 0000 ${QUESTION} ${A.replace('c00c', 'c0ff')}`],
    ['a broken name in the data', `1234 8100 0001 0001 0000 0000 ${QUESTION} c00c 0005 0001 00000005 0002 c0ff`],
    ['the same behind OPT', `1234 8100 0001 0000 0000 0002 ${QUESTION} ${OPT} c00c 0005 0001 00000005 0002 c0ff`],
  ]
  for (const [title, hex] of rows) t.equal(readResponse(bytes(hex)), undefined, title)
})

t.test('a record that would be too long without compression is refused', async t => {
  for (const [size, read] of [
    [0xffff - 10, true],
    [0xffff, false],
  ] as const) {
    const header = bytes(`1234 8100 0001 0001 0000 0000 ${QUESTION} c00c 000f 0001 00000005`)
    const rdata = Buffer.alloc(size)
    rdata.set([0, 10, 0xc0, 12])
    const response = readResponse(Buffer.concat([header, Buffer.of(size >> 8, size & 255), rdata]))
    t.equal(response !== undefined, read, `${size} octets`)
  }
})

t.test('octets behind the last record are ignored', async t => {
  const { answer } = readResponse(bytes(`1234 8100 0001 0001 0000 0000 ${QUESTION} ${A} ffff`))!
  t.equal(answer.body.length, 16)
})

t.test('what finish and dns-packet write is read back', async t => {
  const source = chance(newSeed(t))
  const out = Buffer.alloc(65_535)
  for (let round = 0; round < 300; round++) {
    const intended = randomSections(source, source.pick([1, 10, 60]))
    const text = randomName(source)
    const name = nameFromText(text)!
    const records = recordsOf(intended)
    const query = makeQuery(name, Type.A, { peer: tcp })
    const ours = out.subarray(0, finish(query, encode(records, name.length), out))
    const theirs = encodePacket({ type: 'response', questions: [{ type: 'A', name: text }], ...intended })
    for (const packet of [ours, theirs]) {
      const read = decode(readResponse(packet)!.answer, name)!
      for (const section of sections) {
        const octets = read[section].map(record => [record.owner, record.rdata])
        t.strictSame(
          octets.map(hexed),
          records[section].map(record => hexed([record.owner, record.rdata])),
        )
      }
    }
  }
})

const hexed = (parts: readonly (Uint8Array | number)[]) =>
  parts.map(part => Buffer.from(part as Uint8Array).toString('hex'))

t.test('damaged responses: refused, or taken apart and passed on in full', async t => {
  const source = chance(newSeed(t))
  const out = Buffer.alloc(65_535)
  const corpus = Array.from({ length: 100 }, (_, i) => {
    const text = randomName(source)
    const name = nameFromText(text)!
    const intended = randomSections(source, 5)
    if (i % 2 === 0) return encodePacket({ type: 'response', questions: [{ type: 'A', name: text }], ...intended })
    const records = recordsOf(intended)
    return Buffer.from(
      out.subarray(0, finish(makeQuery(name, Type.A, { peer: tcp }), encode(records, name.length), out)),
    )
  })
  const opt = bytes(OPT)
  const problems: string[] = []
  let understood = 0
  for (let round = 0; round < 50_000; round++) {
    const packet = Buffer.concat([source.pick(corpus), opt])
    packet[11]!++
    for (let damages = source.below(4); damages > 0; damages--) {
      const at = source.below(packet.length)
      packet[at] = source.pick([source.below(256), packet[at]! ^ (1 << source.below(8)), 0xc0, 41])
    }
    const response = readResponse(source.below(8) === 0 ? packet.subarray(0, source.below(packet.length)) : packet)
    if (response === undefined) continue
    understood++
    const { answer, question } = response
    if (question === undefined) continue
    const read = decode(answer, question.name)
    const query = makeQuery(question.name, question.type, { peer: tcp })
    const again = readResponse(out.subarray(0, finish(query, answer, out)))
    const same = read && again && shown(read) === shown(decode(again.answer, question.name)!)
    if (!same) problems.push(packet.toString('hex'))
  }
  t.strictSame(problems.slice(0, 3), [])
  t.ok(understood > 10_000, `${understood} understood`)
})

/** All sections in one text. */
function shown(read: NonNullable<ReturnType<typeof decode>>): string {
  return JSON.stringify(
    sections.map(section => read[section].map(({ owner, rdata, ...rest }) => [hexed([owner, rdata]), rest])),
  )
}
