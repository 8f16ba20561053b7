import { decode as decodePacket } from 'dns-packet'
import t from 'tap'
import { bare, COPIED, recordCount } from '../../src/wire/answer.ts'
import { nameFromText } from '../../src/wire/name.ts'
import { decode, encode, expandedName, type Record, type Sections } from '../../src/wire/record.ts'
import { Bit, HEADER, Rcode, Type } from '../../src/wire/types.ts'
import { chance, newSeed } from './random.ts'
import { octetsOf, randomSections, recordsOf, sections } from './records.ts'

const name = (text: string) => nameFromText(text)!

function record(owner: Record['owner'], type: number, rdata: Uint8Array): Record {
  return { owner, type, class: 1, ttl: 5, rdata }
}

const only = (...answers: readonly Record[]): Sections => ({ answers, authorities: [], additionals: [] })

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')

t.test('what encode leaves to its defaults, and what it takes', async t => {
  const plain = encode(only(), 10)
  t.match(plain, { rcode: 0, bits: 0, copied: COPIED, answers: 0, authorities: 0, additionals: 0, nameLength: 10 })
  t.strictSame([...plain.starts], [0])
  t.equal(recordCount(plain), 0)
  const header = { rcode: Rcode.NXDOMAIN, bits: Bit.AA, copied: 0 }
  t.match(encode(only(record(0, Type.A, Uint8Array.of(1, 2, 3, 4))), 10, header), { ...header, answers: 1 })
  t.match(bare(Rcode.REFUSED), { rcode: Rcode.REFUSED, bits: 0, copied: COPIED, answers: 0, nameLength: 0 })
})

t.test('a slice of an answer’s body is a copy', async t => {
  const { body } = encode(only(record(0, Type.A, Uint8Array.of(1, 2, 3, 4))), 10)
  body.slice().fill(0)
  t.equal(body[0], 0xc0)
})

t.test('an owner that is the question’s name, or its end, points there', async t => {
  const address = Uint8Array.of(192, 0, 2, 1)
  const answer = encode(only(record(0, Type.A, address), record(4, Type.A, address)), 10)
  t.equal(hex(answer.body), 'c00c00010001000000050004c0000201c01000010001000000050004c0000201')
  const spelled = decode(answer, name('web.shop'))!
  t.strictSame(
    spelled.answers.map(({ owner }) => hex(owner as Uint8Array)),
    [hex(name('web.shop')), hex(name('shop'))],
  )
})

t.test('compression takes the longest tail that was written before, in the same letter case', async t => {
  const answer = encode(
    only(
      record(name('a.test'), Type.CNAME, name('b.test')),
      record(name('b.test'), Type.CNAME, name('b.Test')),
      record(name('c.b.Test'), Type.NS, name('.')),
    ),
    1,
  )
  const head = (type: string, size: string) => `${type}0001000000050${size}`
  // The first record stands at 12 + 1 + 4 = 17.
  const first = `0161 0474657374 00 ${head('0005', '004')} 0162 c013`
  const second = `c023 ${head('0005', '008')} 0162 0454657374 00`
  const third = `0163 c033 ${head('0002', '001')} 00`
  t.equal(hex(answer.body), `${first}${second}${third}`.replaceAll(' ', ''))
})

t.test('SRV targets and data of other types are written as they are', async t => {
  const target = name('web.shop.test')
  const srv = Buffer.concat([Uint8Array.of(0, 0, 0, 1, 0, 80), target])
  const rows: readonly (readonly [number, Uint8Array])[] = [
    [Type.SRV, srv],
    [Type.DNAME, target],
    [Type.RP, Buffer.concat([target, target])],
    [Type.HTTPS, Buffer.concat([Uint8Array.of(0, 1), target])],
    [Type.TXT, Buffer.from(target)],
  ]
  for (const [type, rdata] of rows) {
    const { body, starts } = encode(only(record(target, Type.NS, target), record(0, type, rdata)), 15)
    t.equal(hex(body.subarray(starts[1]! + 12)), hex(rdata), `type ${type}`)
  }
})

t.test('an SRV target may be pointed at', async t => {
  const target = name('web.shop.test')
  const srv = record(0, Type.SRV, Buffer.concat([Buffer.alloc(6), target]))
  const glue = record(target, Type.A, Uint8Array.of(192, 0, 2, 1))
  const { body, starts } = encode({ answers: [srv], authorities: [], additionals: [glue] }, 15)
  t.equal(hex(body.subarray(starts[1]!, starts[1]! + 2)), hex(Uint8Array.of(0xc0, 12 + 15 + 4 + 12 + 6)))
})

t.test('what a pointer cannot reach is spelled again', async t => {
  const filler = record(0, Type.NULL, Buffer.alloc(0x4000))
  const far = record(name('far.test'), Type.NS, name('far.test'))
  const { body, starts } = encode(only(filler, far), 1)
  t.equal(hex(body.subarray(starts[1]! + 10 + 10)), `${hex(name('far.test'))}`)
})

t.test('rdata that is not what its type should have is kept', async t => {
  const rows: readonly (readonly [number, string])[] = [
    [Type.MX, '00'],
    [Type.NS, ''],
    [Type.NS, '0561'],
    [Type.NS, 'c00c'],
    [Type.SOA, '016100'],
    [Type.SOA, '0161000162000000'],
  ]
  for (const [type, rdata] of rows) {
    const { body } = encode(only(record(0, type, Buffer.from(rdata, 'hex'))), 10)
    t.equal(hex(body.subarray(12)), rdata)
  }
})

t.test('what cannot be taken apart', async t => {
  const broken: readonly (readonly [string, string])[] = [
    ['a label past the end', '05610001000100000005000400000000'],
    ['a pointer to itself', 'c01100010001000000050000'],
    ['a pointer ahead', 'c01300010001000000050000'],
    ['less than a record', 'c00c000100010000'],
    ['a name in the data that has no end', 'c00c000500010000000500020161'],
    ['a name in the data that points ahead', 'c00c00050001000000050002c0ff'],
    ['no room for the second name', 'c00c0006000100000005000200'],
  ]
  for (const [title, octets] of broken) {
    const body = Buffer.from(octets, 'hex')
    const answer = { ...bare(0), answers: 1, body, starts: [0, body.length], nameLength: 1 }
    t.equal(decode(answer, Uint8Array.of(0)), undefined, title)
  }
})

t.test('pointers are followed in the data of types that should not have them', async t => {
  const body = Buffer.from('c00c00210001000000050008000000000050c00c', 'hex')
  const answer = { ...bare(0), answers: 1, body, starts: [0, body.length], nameLength: 3 }
  const [srv] = decode(answer, name('a'))!.answers
  t.equal(hex(srv!.rdata), '000000000050016100')
})

t.test('a name of a message', async t => {
  const message = Buffer.concat([Buffer.alloc(HEADER), Buffer.from('0162000161c00c', 'hex')])
  t.equal(hex(expandedName(message, 15, message.length)!), '0161016200')
  t.equal(expandedName(message, 15, message.length - 1), undefined)
})

t.test('what encode writes decode reads, and dns-packet too', async t => {
  const source = chance(newSeed(t))
  const question = 'web.shop.svc.cluster.local'
  for (let round = 0; round < 300; round++) {
    const random = randomSections(source, source.pick([1, 10, 150]))
    const records = recordsOf(random)
    const answer = encode(records, name(question).length)
    const read = decode(answer, name(question))!
    const start = Buffer.alloc(HEADER + name(question).length + 4)
    start.set(name(question), HEADER)
    start[5] = 1
    for (const [i, section] of sections.entries()) start.writeUInt16BE(random[section].length, 6 + 2 * i)
    const packet = decodePacket(Buffer.concat([start, answer.body]))
    for (const section of sections) {
      t.strictSame(read[section].map(plain), records[section].map(plain))
      t.strictSame(packet[section]!.map(octetsOf), random[section].map(octetsOf))
    }
  }
})

/** The same whether an octet array is a Buffer or not. */
const plain = ({ owner, rdata, ...rest }: Record) => ({ ...rest, owner: hex(owner as Uint8Array), rdata: hex(rdata) })
