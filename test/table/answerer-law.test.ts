/** The answerer and its model, given the same tables and the same packets, say the same: in random worlds, to good packets and bad. */
import t from 'tap'
import type { Cut, TypeEntry } from '../../src/table/contract.ts'
import { Transport } from '../../src/table/counters.ts'
import { Verdict } from '../../src/table/layout.ts'
import { type Answer, COPIED } from '../../src/wire/answer.ts'
import { withTtl } from '../../src/wire/edit.ts'
import { type NameKey, nameFromKey, nameOf, parentOf } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, Class, DO, Rcode, Type } from '../../src/wire/types.ts'
import { damaged, goodQueries } from '../wire/damage.ts'
import { type Chance, chance, newSeed } from '../wire/random.ts'
import { randomSections, recordsOf } from '../wire/records.ts'
import { Answering, keyOf, type Outcome, plainCut, requestFor, soaAnswer } from './answering.ts'

const TYPES = [Type.A, Type.AAAA, Type.SRV, Type.CNAME, Type.TXT, Type.SOA, Type.MX, Type.ANY, Type.DS, 0, 1000, 65_535]
const LABELS = ['a', '_b', 'web', '_', 'pod', 'x'.repeat(63), '@[`{\xc1\xdb']
const ORIGINS = ['cluster.local', 'b.cluster.local', '10.in-addr.arpa', '.'].map(keyOf)

function randomKey({ below, pick }: Chance, origin: NameKey): NameKey {
  const labels = Array.from({ length: below(below(8) === 0 ? 60 : 5) }, () => pick(LABELS.slice(0, below(6) ? 5 : 7)))
  const name = nameOf(labels, nameFromKey(origin))
  return name === undefined ? origin : (Buffer.from(name).toString('latin1') as NameKey)
}

/** So many addresses, or records of all kinds, or the two together, as `loadbalance` and truncation meet them. */
function randomAnswer(source: Chance, key: NameKey): Answer {
  const { below, pick } = source
  const others = recordsOf(randomSections(source, 2))
  const addresses = Array.from({ length: pick([0, 1, 2, 3, 8, 40, 200]) }, (_, i): Record => {
    const type = pick([Type.A, Type.AAAA])
    const rdata = new Uint8Array(type === Type.A ? 4 : 16).fill(i)
    return { owner: pick([0, 0, nameFromKey(keyOf('other.example'))]), type, class: Class.IN, ttl: 30, rdata }
  })
  const { answers, authorities, additionals } = below(3) ? { answers: [], authorities: [], additionals: [] } : others
  const sections = below(2)
    ? { answers: [...answers, ...addresses], authorities, additionals }
    : { answers, authorities, additionals: [...additionals, ...addresses] }
  const rcode = pick([Rcode.NOERROR, Rcode.NOERROR, Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.SERVFAIL])
  const bits = pick([Bit.AA, Bit.RA, Bit.RA | Bit.AD, 0])
  const ttl = pick([0, 5, 30, 86_400])
  return withTtl(encode(sections, key.length, { rcode, bits, copied: pick([COPIED, COPIED, 0]) }), ttl)
}

function randomTypes(source: Chance, key: NameKey): TypeEntry[] {
  const types = TYPES.filter(() => source.below(4) === 0)
  return types.map(type => {
    const verdict = source.below(4) ? Verdict.ANSWER : source.pick([Verdict.NODATA, Verdict.NXDOMAIN, Verdict.ASK])
    return verdict === Verdict.ANSWER ? { type, verdict, answer: randomAnswer(source, key) } : { type, verdict }
  })
}

/** A random world, and the names that are worth asking for. */
function randomWorld(source: Chance): { readonly answering: Answering; readonly keys: readonly NameKey[] } {
  const { below, pick } = source
  const answering = new Answering()
  const keys: NameKey[] = []
  const spaces = ORIGINS.map(origin => {
    const zone = below(5) ? answering.addZone(below(8) ? length => soaAnswer(origin, 7, length) : undefined) : -1
    const cache = below(3) ? answering.addCache() : -1
    for (let names = below(12); names > 0; names--) {
      let key = randomKey(source, origin)
      keys.push(key)
      const other = pick([Verdict.NODATA, Verdict.NODATA, Verdict.NXDOMAIN, Verdict.ASK])
      if (zone >= 0) answering.put(zone, key, { other, below: below(16), types: randomTypes(source, key) })
      // What is above a name is there too.
      while (zone >= 0 && key !== origin) {
        key = parentOf(key)
        if (!answering.has(zone, key))
          answering.put(zone, key, { other: Verdict.NODATA, below: below(16) & below(16), types: [] })
      }
    }
    for (let kept = below(20); cache >= 0 && kept > 0; kept--) {
      const key = pick([...keys, randomKey(source, origin)])
      keys.push(key)
      const ttl = pick([1, 2, 30, 3600])
      const answer = withTtl(randomAnswer(source, key), ttl)
      const question = {
        key,
        name: spelling(source, key),
        type: pick(TYPES),
        dnssecOk: !below(2),
        checkingDisabled: !below(2),
      }
      answering.keep(cache, question, answer, ttl)
    }
    const front = below(3) ? -1 : answering.addZone()
    if (front >= 0 && keys.length > 0) answering.put(front, pick(keys), { other: Verdict.ASK, below: 0, types: [] })
    const bounds = () => pick([undefined, [5, 30], [0, 60]] as const)
    const cut: Cut = {
      ...plainCut,
      suffix: origin,
      ask: below(10) === 0,
      front,
      zone,
      cache,
      closed: below(3) > 0,
      positives: below(6) > 0,
      negatives: below(6) > 0,
      sampled: below(3) === 0,
      rotate: below(2) > 0,
      size: pick([0, 0, 512, 1232]),
      positiveTtl: bounds(),
      negativeTtl: bounds(),
    }
    return cut
  })
  answering.cuts = spaces
  return { answering, keys }
}

function spelling({ below }: Chance, key: NameKey): Uint8Array {
  const text = below(4) ? key : key.replace(/[a-z]/g, letter => (below(2) ? letter.toUpperCase() : letter))
  return Buffer.from(text, 'latin1')
}

function randomRequest(source: Chance, keys: readonly NameKey[]): Buffer {
  const { below, pick } = source
  const near = keys.length > 0 && below(4) ? pick(keys) : randomKey(source, pick(ORIGINS))
  const key = below(3) ? near : randomKey(source, near)
  const size = pick([0, 511, 512, 513, 1232, 4096, 65_535])
  return requestFor(spelling(source, key), pick(TYPES), {
    id: below(0x10000),
    bits: below(4) ? Bit.RD : below(0x10000) & ~(Bit.QR | 0x7800),
    ...(below(2) ? {} : { edns: { size, flags: pick([0, DO, 0x7fff, 0xffff]), options: pick(OPTIONS) } }),
  })
}

const OPTIONS = [[], [], [], [10, 8], [10, 16], [10, 40], [12, 0], [12, 20], [10, 8, 12, 3]]

const TRANSPORTS = [Transport.UDP4, Transport.UDP4, Transport.UDP6, Transport.TCP4, Transport.TCP6]

t.test('whatever is well formed gets what the model says', async t => {
  const source = chance(newSeed(t))
  let answered = 0
  for (let round = 0; round < 120; round++) {
    const { answering, keys } = randomWorld(source)
    for (let i = 0; i < 120; i++) {
      const request = randomRequest(source, keys)
      const transport = source.pick(TRANSPORTS)
      const { got, wanted } = answering.both(request, transport)
      answering.nowMs += source.below(400)
      // The parent's server block, if there is another, has the DS; and nobody has names of so many labels.
      if (got === 'ask' && (typeAsked(request) === Type.DS || labelsAsked(request) > 63)) continue
      if (!same(got, wanted)) t.same(got, wanted, `round ${round}: ${request.toString('hex')} over ${transport}`)
      if (got !== 'ask') answered++
    }
    answering.close()
  }
  t.ok(answered > 2500, `${answered} answered`)
})

t.test('damaged packets get what the model says, or are asked of others', async t => {
  const source = chance(newSeed(t))
  const corpus = goodQueries()
  const count = { reply: 0, ask: 0, drop: 0 }
  for (let round = 0; round < 60; round++) {
    const { answering, keys } = randomWorld(source)
    const requests = Array.from({ length: 20 }, () => randomRequest(source, keys))
    for (let i = 0; i < 300; i++) {
      const packet = Buffer.from(damaged([...requests, source.pick(corpus)], source))
      const { got, wanted } = answering.both(packet, source.pick(TRANSPORTS), source.pick([0, 60, 512, 2048, 65_535]))
      if (!(got === 'ask' && wanted !== 'drop') && !same(got, wanted)) t.same(got, wanted, packet.toString('hex'))
      count[typeof got === 'string' ? got : 'reply']++
    }
    answering.close()
  }
  t.ok(Math.min(count.reply, count.ask, count.drop) > 100, JSON.stringify(count))
})

function same(got: Outcome, wanted: Outcome): boolean {
  return typeof got === 'string' || typeof wanted === 'string' ? got === wanted : got.equals(wanted)
}

function labelsAsked(request: Buffer): number {
  let labels = 0
  for (let at = 12; request[at] !== 0; at += request[at]! + 1) labels++
  return labels
}

function typeAsked(request: Buffer): number {
  let at = 12
  while (request[at] !== 0) at += request[at]! + 1
  return request.readUInt16BE(at + 1)
}
