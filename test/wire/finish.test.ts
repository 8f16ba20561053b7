import { decode as decodePacket, encode as encodePacket } from 'dns-packet'
import t from 'tap'
import { type Answer, bare, recordCount } from '../../src/wire/answer.ts'
import { finish, finishRefusal, fullSize } from '../../src/wire/finish.ts'
import { nameFromText } from '../../src/wire/name.ts'
import { Query, readQuery } from '../../src/wire/query.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, HEADER, Rcode, Type } from '../../src/wire/types.ts'
import { tcp, udp } from './peers.ts'
import { type Chance, chance, newSeed } from './random.ts'
import { octetsOf, randomName, randomSections, recordsOf, type Section, sections } from './records.ts'
import { pointers } from './walk.ts'

interface Asked {
  readonly name?: string
  /** With OPT, and this size. */
  readonly size?: number | undefined
  readonly peer?: typeof udp
}

function queryFor({ name = 'web.shop.test', size, peer = udp }: Asked = {}): Query {
  const additionals =
    size === undefined
      ? []
      : [
          {
            type: 'OPT' as const,
            name: '.' as const,
            udpPayloadSize: size,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
  const packet = encodePacket({ type: 'query', id: 0x1234, flags: 256, questions: [{ type: 'A', name }], additionals })
  const query = readQuery(packet, peer)
  if (!(query instanceof Query)) throw new Error('refused')
  return query
}

const scratch = Buffer.alloc(65_535)

function finished(query: Query, answer: Answer): Buffer {
  return Buffer.from(scratch.subarray(0, finish(query, answer, scratch)))
}

/** So many A records of 16 octets each in every section. */
function answerOf(answers: number, authorities = 0, additionals = 0): Answer {
  const records = (count: number, owner: Record['owner']) =>
    Array.from({ length: count }, (_, i) => ({
      owner,
      type: Type.A,
      class: 1,
      ttl: 5,
      rdata: Uint8Array.of(10, 0, i >> 8, i),
    }))
  const made = {
    answers: records(answers, 0),
    authorities: records(authorities, 0),
    additionals: records(additionals, 0),
  }
  return encode(made, nameFromText('web.shop.test')!.length, { bits: Bit.AA })
}

/** Truncation, response size and what is left of each section; OPT not counted. */
function outcome(response: Buffer, withOpt: boolean) {
  const { flag_tc, answers, authorities, additionals } = decodePacket(response)
  const left = [answers!.length, authorities!.length, additionals!.length - (withOpt ? 1 : 0)]
  return [flag_tc, response.length, ...left]
}

t.test('truncation: additional goes first, then authority, then answers from the end', async t => {
  // Header and question take 31 octets, OPT 11, each record 16.
  const rows: readonly (readonly [string, Asked, Answer, readonly unknown[]])[] = [
    ['fits', {}, answerOf(30), [false, 511, 30, 0, 0]],
    ['one more does not', {}, answerOf(31), [true, 511, 30, 0, 0]],
    ['OPT takes its room', { size: 512 }, answerOf(1200), [true, 506, 29, 0, 0]],
    ['the client’s size', { size: 4096 }, answerOf(1200), [true, 4090, 253, 0, 0]],
    ['sizes below 512 count as 512', { size: 100 }, answerOf(100), [true, 506, 29, 0, 0]],
    ['TC although only additional was cut', {}, answerOf(9, 0, 22), [true, 511, 9, 0, 21]],
    ['all of additional, some of authority', {}, answerOf(28, 4, 10), [true, 511, 28, 2, 0]],
    ['nothing fits', {}, bigAnswer(600), [true, 31, 0, 0, 0]],
    ['TCP takes 64 KiB', { peer: tcp }, answerOf(4094), [false, 65_535, 4094, 0, 0]],
    ['and no more', { peer: tcp }, answerOf(4095), [true, 65_535, 4094, 0, 0]],
    ['TCP does not look at the OPT size', { peer: tcp, size: 512 }, answerOf(100), [false, 1642, 100, 0, 0]],
  ]
  for (const [title, asked, answer, expected] of rows) {
    t.strictSame(outcome(finished(queryFor(asked), answer), asked.size !== undefined), expected, title)
  }
})

function bigAnswer(size: number): Answer {
  return encode(
    {
      answers: [{ owner: 0, type: Type.NULL, class: 1, ttl: 0, rdata: Buffer.alloc(size) }],
      authorities: [],
      additionals: [],
    },
    nameFromText('web.shop.test')!.length,
  )
}

t.test('header bits', async t => {
  const query = queryFor()
  const flagsOf = (answer: Answer, bits: number) => finished(query.with({ bits }), answer).readUInt16BE(2)
  t.equal(flagsOf(bare(Rcode.NXDOMAIN, Bit.AA), Bit.RD | Bit.CD | Bit.AD | Bit.Z), 0x8513, 'RD and CD are the query’s')
  t.equal(
    flagsOf({ ...bare(0, Bit.RA | Bit.AD), copied: 0 }, Bit.RD | Bit.CD),
    0x80a0,
    'a relayed answer keeps its own',
  )
  t.equal(flagsOf(bare(0, Bit.AA), (4 << 11) | Bit.RD | Bit.CD), 0xa400, 'NOTIFY: RD and CD cleared')
})

t.test('response codes above 15 need OPT', async t => {
  const plain = decodePacket(finished(queryFor(), bare(Rcode.BADCOOKIE)))
  t.match(plain.additionals, [{ type: 'OPT', udpPayloadSize: 0, extendedRcode: 1 }])
  const response = finished(queryFor({ size: 1232 }), bare(Rcode.BADCOOKIE))
  t.equal(response.readUInt16BE(2) & 15, Rcode.BADCOOKIE & 15)
  t.match(decodePacket(response).additionals, [{ type: 'OPT', udpPayloadSize: 1232, extendedRcode: 1 }])
})

/** One option of an unknown kind that takes `size` octets in all. */
function option(size: number): Buffer {
  const octets = Buffer.alloc(size, 7)
  octets.writeUInt16BE(65_001)
  octets.writeUInt16BE(size - 4, 2)
  return octets
}

t.test('options go to clients that speak EDNS, where there is room', async t => {
  const options = option(100)
  const answer = { ...answerOf(30), options }
  t.equal(finished(queryFor(), answer).length, 511, 'no EDNS')
  const response = finished(queryFor({ size: 512 }), answer)
  t.strictSame([response.length, response.readUInt16BE(6)], [31 + 23 * 16 + 11 + 100, 23], 'records make room')
  t.equal(response.subarray(-100).compare(options), 0)
  t.equal(response.readUInt16BE(response.length - 102), 100)
  const most = { ...answerOf(1), options: option(512 - 31 - 11) }
  t.strictSame(outcome(finished(queryFor({ size: 512 }), most), true), [true, 512, 0, 0, 0])
  const tooMuch = { ...answerOf(1), options: option(512 - 31 - 10) }
  t.strictSame(outcome(finished(queryFor({ size: 512 }), tooMuch), true), [false, 58, 1, 0, 0], 'left out')
})

t.test('the size without a limit', async t => {
  const query = queryFor({ size: 65_535 })
  const withOptions = { ...answerOf(2), options: option(99) }
  for (const answer of [bare(0), answerOf(3), bare(Rcode.BADCOOKIE), answerOf(500, 2, 3), withOptions]) {
    t.equal(fullSize(query, answer), finished(query, answer).length)
    t.equal(fullSize(queryFor({ peer: tcp }), answer), finished(queryFor({ peer: tcp }), answer).length)
  }
})

t.test('silence for what is not to be answered', async t => {
  t.equal(finishRefusal(Buffer.alloc(HEADER), { rcode: undefined, questionEnd: HEADER }, scratch), 0)
})

t.test('any answer, any limit: decodes to a prefix of what was meant, no longer than allowed', async t => {
  const source = chance(newSeed(t))
  const problems: string[] = []
  for (let round = 0; round < 1500; round++) {
    const intended = randomSections(source, source.pick([0, 3, 20, round % 50 === 0 ? 400 : 40]))
    const asked = randomQuestion(source)
    const query = queryFor(asked)
    const answer = encode(recordsOf(intended), query.name.length)
    const response = finished(query, answer)
    const problem = problemOf(query, answer, intended, response)
    if (problem !== undefined) problems.push(`${problem}: ${JSON.stringify({ asked, intended })}`)
  }
  t.strictSame(problems, [])
})

function randomQuestion(source: Chance): Asked {
  const { below, pick } = source
  return {
    name: randomName(source),
    size: pick([undefined, below(65_536), 512 + below(2000)]),
    peer: pick([udp, udp, udp, tcp]),
  }
}

type Intended = ReturnType<typeof randomSections>

/** What is wrong with a response, in words. */
function problemOf(query: Query, answer: Answer, intended: Intended, response: Buffer): string | undefined {
  const { packet, limit, edns, name } = query
  if (response.length > limit) return `${response.length} octets where ${limit} are allowed`
  if (!response.subarray(HEADER, HEADER + name.length + 4).equals(packet.subarray(HEADER, HEADER + name.length + 4)))
    return 'the question is not what was asked'

  const decoded = decodePacket(response)
  const opt = decoded.additionals!.at(-1)
  if ((opt?.type === 'OPT') !== (edns !== undefined)) return 'OPT out where there was none in, or the other way round'
  if (opt?.type === 'OPT' && decoded.additionals!.pop() && opt.udpPayloadSize !== edns!.size)
    return 'another size in OPT'

  const all = (of: { readonly [section in Section]?: Intended[Section] | undefined }) =>
    sections.flatMap(section => of[section]!.map(record => `${section} ${octetsOf(record).toString('hex')}`))
  const got = all(decoded)
  if (
    !all(intended)
      .slice(0, got.length)
      .every((record, i) => record === got[i])
  )
    return 'not what was meant'
  const cut = got.length < recordCount(answer)
  if (decoded.flag_tc !== cut) return 'TC without a cut, or a cut without TC'
  const next = cut ? answer.starts[got.length + 1]! - answer.starts[got.length]! : Number.POSITIVE_INFINITY
  if (response.length + next <= limit) return 'the next record would have fitted'

  const { all: found, inSrv } = pointers(response)
  if (inSrv.length > 0) return 'a pointer within SRV'
  if (found.some(({ nameAt, target }) => target >= nameAt || target < HEADER)) return 'a pointer that does not go back'
  return undefined
}
