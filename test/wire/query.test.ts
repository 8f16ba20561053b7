import { decode } from 'dns-packet'
import t from 'tap'
import { isWithin, keyFromText, nameFromText, nameToText, ROOT } from '../../src/wire/name.ts'
import { makeQuery, Query, type Refusal, readQuery, skipName } from '../../src/wire/query.ts'
import { Bit, Class, DO, HEADER, Rcode, Type } from '../../src/wire/types.ts'
import { damaged, goodQueries } from './damage.ts'
import { tcp, udp } from './peers.ts'
import { chance, newSeed } from './random.ts'

const bytes = (hex: string) => Buffer.from(hex.replace(/\s/g, ''), 'hex')

const PLAIN = '1234 0110 0001 0000 0000 0000  0141 0474457374 00 001c 0001'
const WITH_OPT = '1234 0100 0001 0000 0000 0001  0141 0474457374 00 001c 0001  00 0029 04d0 00008001 0004 000a 0000'

function accepted(packet: Uint8Array, peer = udp): Query {
  const query = readQuery(packet, peer)
  if (!(query instanceof Query)) throw new Error(`refused: ${JSON.stringify(query)}`)
  return query
}

t.test('what a query says', async t => {
  const packet = bytes(PLAIN)
  const query = accepted(packet)
  t.equal(query.packet, packet)
  t.equal(query.peer, udp)
  t.equal(query.id, 0x1234)
  t.equal(query.opcode, 0)
  t.equal(query.bits, Bit.RD | Bit.CD)
  t.equal(nameToText(query.name), 'A.tEst.')
  t.equal(query.key, keyFromText('a.test'))
  t.equal(query.type, Type.AAAA)
  t.equal(query.class, Class.IN)
  t.equal(query.edns, undefined)
  t.equal(query.dnssecOk, false)
  t.equal(query.origin, ROOT)
  t.equal(query.depth, 0)
  t.equal(isWithin(query.key, keyFromText('test')!), true)
  t.equal(isWithin(query.key, keyFromText('est')!), false)
})

t.test('what its OPT record says', async t => {
  const packet = bytes(WITH_OPT)
  const query = accepted(packet)
  const { edns } = query
  t.strictSame(edns, { size: 1232, version: 0, flags: DO | 1, optionsAt: packet.length - 4, optionsEnd: packet.length })
  t.equal(query.dnssecOk, true)
})

t.test('a changed query leaves the old one as it was', async t => {
  const query = accepted(bytes(WITH_OPT))
  const origin = keyFromText('test')!
  const changed = query.with({ origin, depth: 3 })
  t.ok(changed instanceof Query)
  t.strictSame([changed.origin, changed.depth, changed.name, changed.edns], [origin, 3, query.name, query.edns])
  t.strictSame([query.origin, query.depth], [ROOT, 0])
})

t.test('the limit of its reply', async t => {
  const sized = (size: number) => {
    const packet = bytes(WITH_OPT)
    packet.writeUInt16BE(size, 27)
    return packet
  }
  t.equal(accepted(bytes(PLAIN)).limit, 512)
  t.equal(accepted(bytes(PLAIN), tcp).limit, 65_535)
  t.equal(accepted(sized(0)).limit, 512)
  t.equal(accepted(sized(511)).limit, 512)
  t.equal(accepted(sized(513)).limit, 513)
  t.equal(accepted(sized(65_535)).limit, 65_535)
  t.equal(accepted(sized(700), tcp).limit, 65_535)
})

t.test('where the repeated question of a refusal ends', async t => {
  const at = (hex: string) => readQuery(bytes(hex), udp) as Refusal
  t.strictSame(at('1234 8100 0001 0000 0000 0000'), { rcode: undefined, questionEnd: HEADER })
  t.strictSame(at('1234 0100 0002 0000 0000 0000'), { rcode: Rcode.FORMERR, questionEnd: HEADER })
  t.strictSame(at('1234 0100 0001 0000 0000 0001  00 0001 0001  00 0029 04'), { rcode: Rcode.FORMERR, questionEnd: 17 })
})

t.test('the end of a name', async t => {
  const header = '00'.repeat(HEADER)
  const names: readonly (readonly [string, string, number, number | undefined])[] = [
    ['the root', '00', 12, 13],
    ['labels', '0161 0162 00', 12, 17],
    ['a tail', '0161 0162 00', 14, 17],
    ['a pointer back', '0161 00 c00c', 15, 17],
    ['a label and a pointer back', '0161 00 0162 c00c', 15, 19],
    ['pointers one behind the other', '0161 00 c00c c00f c011', 19, 21],
    ['a pointer to itself', 'c00c', 12, undefined],
    ['a pointer into its own name', '0161 c00c', 12, undefined],
    ['a pointer ahead', 'c00e 00', 12, undefined],
    ['a pointer into the header', 'c00b', 12, undefined],
    ['two pointers in a circle', 'c00e c00c', 14, undefined],
    ['half a pointer', 'c0', 12, undefined],
    ['no end', '0161', 12, undefined],
    ['a label past the end', '0561', 12, undefined],
    ['label type 0x40', '4061 00', 12, undefined],
    ['nothing', '', 12, undefined],
  ]
  for (const [title, hex, at, behind] of names) {
    const packet = bytes(header + hex)
    t.equal(skipName(packet, at, packet.length), behind, title)
  }
})

t.test('the length of a compressed name counts in full', async t => {
  const label = `3f${'61'.repeat(63)}`
  const packet = (first: number) =>
    bytes(`${'00'.repeat(HEADER)} ${label.repeat(3)} 00  ${first.toString(16)} ${'62'.repeat(first)} c00c`)
  const at = HEADER + 3 * 64 + 1
  t.equal(skipName(packet(61), at, at + 64), at + 64, '255 octets')
  t.equal(skipName(packet(62), at, at + 65), undefined, '256 octets')
})

t.test('queries of our own', async t => {
  const client = accepted(bytes(WITH_OPT)).with({ depth: 1 })
  const name = nameFromText('Other.test')!
  const query = makeQuery(name, Type.SRV, client)
  t.equal(query.peer, udp)
  t.equal(query.id, client.id)
  t.equal(query.bits, Bit.RD)
  t.equal(query.depth, 2)
  t.equal(query.key, keyFromText('other.test'))
  t.strictSame(query.edns, { size: 1232, version: 0, flags: DO | 1, optionsAt: 0, optionsEnd: 0 })
  const again = accepted(query.packet)
  t.strictSame([again.name, again.type, again.class, again.bits], [query.name, Type.SRV, Class.IN, Bit.RD])
  t.equal(makeQuery(name, Type.A, { peer: tcp }).bits, Bit.RD, 'RD where nothing is said')
  t.equal(makeQuery(name, Type.A, { peer: tcp, bits: 0x2010 }).bits, Bit.CD, 'always of opcode QUERY')
})

/** Whether dns-packet reads the same question; the counts of records are cleared, so that it looks at nothing else. */
function agrees(query: Query): boolean {
  const packet = Buffer.from(query.packet.subarray(0, HEADER + query.name.length + 4))
  packet.fill(0, 6, HEADER)
  const { id, questions } = decode(packet)
  const [question] = questions!
  return (
    id === query.id &&
    question!.name === plainText(query.name) &&
    numberOf(question!.type, TYPES) === query.type &&
    // It takes the highest bit of the class for that of multicast DNS.
    (query.class > 0x7fff || numberOf(question!.class!, CLASSES) === query.class)
  )
}

/** The name as dns-packet shows it: labels read as UTF-8, without escapes. */
function plainText(octets: Uint8Array): string {
  const name = Buffer.from(octets)
  const labels: string[] = []
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) labels.push(name.toString('utf8', at + 1, at + 1 + name[at]!))
  return labels.length === 0 ? '.' : labels.join('.')
}

const CLASSES = new Map<string, number>(Object.entries({ ...Class, CS: 2 }))
/** With what dns-packet knows besides. */
const TYPES = new Map<string, number>(
  Object.entries({ ...Type, KEY: 25, APL: 42, IPSECKEY: 45, DHCID: 49, HIP: 55, TA: 32_768, DLV: 32_769 }),
)

function numberOf(text: string, names: ReadonlyMap<string, number>): number {
  return names.get(text) ?? Number(text.replace(/^UNKNOWN_/, ''))
}

t.test('skipName: a chain of pointers has an end', async t => {
  const chain = Buffer.alloc(HEADER + 1 + 2 * 200)
  for (let at = HEADER + 1, target = HEADER; at < chain.length; target = at, at += 2)
    chain.writeUInt16BE(0xc000 | target, at)
  t.equal(skipName(chain, HEADER + 1 + 2 * 125, chain.length), HEADER + 1 + 2 * 126, '126 pointers')
  t.equal(skipName(chain, HEADER + 1 + 2 * 126, chain.length), undefined, '127')
})

t.test('a million packets: refused, or understood as an independent reader does', async t => {
  const source = chance(newSeed(t))
  const corpus = goodQueries()
  let understood = 0
  for (let i = 0; i < 1_000_000; i++) {
    const packet = damaged(corpus, source)
    const query = readQuery(packet, udp)
    if (query instanceof Query) {
      understood++
      if (!agrees(query)) t.fail(`read as ${nameToText(query.name)} ${query.type}: ${packet.toString('hex')}`)
    } else if (query.rcode !== undefined && query.questionEnd > packet.length) {
      t.fail(`repeats what is not there: ${packet.toString('hex')}`)
    }
  }
  t.ok(understood > 300_000, 'most were not damaged beyond recognition')
})
