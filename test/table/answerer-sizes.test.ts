/** Replies of all sizes against the sizes that clients take: cut by record, whole, with TC, and never longer than is allowed. */
import { decode } from 'dns-packet'
import t from 'tap'
import { Transport } from '../../src/table/counters.ts'
import { Verdict } from '../../src/table/layout.ts'
import { nameFromKey } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, Class, Type } from '../../src/wire/types.ts'
import { Answering, keyOf, plainCut, requestFor } from './answering.ts'

const ORIGIN = keyOf('cluster.local')
const COUNTS = [0, 1, 28, 29, 30, 130, 1200]
const SIZES = [undefined, 0, 511, 512, 513, 1232, 2047, 2048, 2049, 65_535]

const target = (i: number) => nameFromKey(keyOf(`pod-${i}.headless.shop.svc.cluster.local`))

function address(owner: Record['owner'], i: number): Record {
  return { owner, type: Type.A, class: Class.IN, ttl: 30, rdata: Uint8Array.of(10, 0, i >> 8, i) }
}

function service(i: number): Record {
  const rdata = Buffer.concat([Buffer.of(0, 0, 0, 100, 0, 80), target(i)])
  return { owner: 0, type: Type.SRV, class: Class.IN, ttl: 30, rdata }
}

/** Names with so many addresses, and as many SRV records with their glue. */
function world(rotate: boolean): Answering {
  const answering = new Answering()
  const zone = answering.addZone()
  for (const count of COUNTS) {
    const key = keyOf(`n${count}.cluster.local`)
    const records = (make: (i: number) => Record) => Array.from({ length: count }, (_, i) => make(i))
    const made = (answers: Record[], additionals: Record[]) =>
      encode({ answers, authorities: [], additionals }, key.length, { bits: Bit.AA })
    const a = made(
      records(i => address(0, i)),
      [],
    )
    const srv = made(
      records(service),
      records(i => address(target(i), i)),
    )
    const types = [
      { type: Type.A, verdict: Verdict.ANSWER, answer: a },
      ...(srv.body.length < 65_000 ? [{ type: Type.SRV, verdict: Verdict.ANSWER, answer: srv }] : []),
    ]
    answering.put(zone, key, { other: Verdict.NODATA, below: 0, types })
  }
  answering.cuts = [{ ...plainCut, suffix: ORIGIN, zone, rotate }]
  return answering
}

for (const rotate of [false, true]) {
  t.test(`every size${rotate ? ', rotated' : ''}`, async t => {
    const answering = world(rotate)
    for (const count of COUNTS) {
      for (const type of [Type.A, Type.SRV]) {
        for (const size of SIZES) {
          for (const transport of [Transport.UDP4, Transport.TCP6]) {
            const edns = size === undefined ? {} : { edns: { size } }
            const request = requestFor(nameFromKey(keyOf(`n${count}.cluster.local`)), type, edns)
            const { got, wanted } = answering.both(request, transport)
            const title = `${count} of type ${type} in ${size} octets over ${transport}`
            t.same(got, wanted, title)
            if (typeof got === 'string') continue
            const limit = transport === Transport.TCP6 ? 65_535 : Math.max(size ?? 0, 512)
            const { flag_tc, answers = [], additionals = [] } = decode(got)
            const told = answers.length + additionals.length - (size === undefined ? 0 : 1)
            t.ok(got.length <= limit, title)
            t.equal(flag_tc, told < (type === Type.A ? count : 2 * count), title)
            // A slot of just that size is enough, unless the reply is cut: then it has to hold all that the client takes.
            t.same(answering.both(request, transport, flag_tc ? limit : got.length).got, wanted, title)
            t.equal(answering.both(request, transport, (flag_tc ? limit : got.length) - 1).got, 'ask', title)
          }
        }
      }
    }
  })
}

t.test('replies of just so many octets, to clients that take as many, one less or one more', async t => {
  const answering = new Answering()
  const zone = answering.addZone()
  const key = keyOf('filled.cluster.local')
  answering.cuts = [{ ...plainCut, suffix: ORIGIN, zone }]
  for (const size of [511, 512, 513, 1232, 2047, 2048, 2049, 65_279]) {
    // Header, question, OPT, and two records with an owner of two octets.
    const rdata = new Uint8Array(size - 12 - key.length - 4 - 11 - 16 - 12).fill(size)
    const filler = { owner: 0, type: Type.NULL, class: Class.IN, ttl: 30, rdata }
    const answer = encode({ answers: [address(0, 1), filler], authorities: [], additionals: [] }, key.length)
    const types = [{ type: Type.NULL, verdict: Verdict.ANSWER, answer }] as const
    answering.put(zone, key, { other: Verdict.NODATA, below: 0, types })
    for (const taken of [size - 1, size, size + 1]) {
      const request = requestFor(nameFromKey(key), Type.NULL, { edns: { size: taken } })
      const { got, wanted } = answering.both(request)
      t.same(got, wanted)
      t.equal(got.length, Math.max(taken, 512) < size ? size - rdata.length - 12 : size)
    }
  }
})
