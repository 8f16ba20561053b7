import t from 'tap'
import type { CacheQuestion, ZoneEntry } from '../../src/table/contract.ts'
import { AnswerRecord, Below, Entry, Template, Verdict } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { AnswerTable, type TableOptions } from '../../src/table/table.ts'
import { type Answer, bare, COPIED } from '../../src/wire/answer.ts'
import { nameFromText } from '../../src/wire/name.ts'
import { Rotation } from '../../src/wire/rotation.ts'
import { Bit, Rcode, Type } from '../../src/wire/types.ts'
import { answerTo } from '../helpers/answer.ts'
import { findCache, findZone, key, textAnswer, textEntry } from '../helpers/table.ts'

const tableOf = (options: TableOptions = {}) => {
  const table = new AnswerTable({ hashKey: new Uint8Array(8), ...options })
  return { table, reader: new TableReader(table.memory, table.openReader()) }
}

const name = key('www.example.test')
const answerOf = (...answers: string[]) =>
  answerTo({ name: nameFromText('www.example.test')! }, { answers }, { bits: Bit.AA })
const addresses = answerOf('www.example.test. 5 IN A 192.0.2.1', 'www.example.test. 5 IN A 192.0.2.2')

t.test('a zone gives back what was put', async t => {
  const { table } = tableOf()
  const zone = table.zoneSpace()
  const srv = answerTo(
    { name: nameFromText('www.example.test')! },
    {
      answers: ['www.example.test. 7 IN SRV 0 50 80 a.example.test.'],
      authorities: ['example.test. 7 IN NS ns.example.test.'],
      additionals: ['a.example.test. 7 IN A 192.0.2.1', 'a.example.test. 7 IN A 192.0.2.3'],
    },
    { rcode: Rcode.NOERROR, bits: Bit.AA | Bit.RA },
  )
  const entry: ZoneEntry = {
    other: Verdict.NXDOMAIN,
    below: Below.TWO_LABELS,
    types: [
      { type: Type.A, verdict: Verdict.ANSWER, answer: addresses },
      { type: Type.TXT, verdict: Verdict.NXDOMAIN },
      { type: Type.AAAA, verdict: Verdict.ASK },
      { type: Type.SRV, verdict: Verdict.ANSWER, answer: srv },
      { type: Type.ANY, verdict: Verdict.ANSWER, answer: { ...bare(Rcode.NOERROR, Bit.AA), options: undefined } },
    ],
  }
  t.ok(zone.put(name, entry))
  t.same(zone.get(name), { ...entry, types: [...entry.types].sort((a, b) => a.type - b.type) })
  t.notOk(zone.put(name, { ...entry, types: entry.types.toReversed() }), 'the same in another order')
  t.ok(zone.put(name, { ...entry, below: Below.ALL }))
  t.ok(zone.put(name, undefined))
  t.notOk(zone.put(name, undefined))
  t.equal(zone.get(name), undefined)
  t.notOk(zone.has(name))
})

t.test('an entry is laid out for readers', async t => {
  const { table, reader } = tableOf()
  const zone = table.zoneSpace()
  const rebuilt = answerOf('www.example.test. 3 IN MX 1 a.test.', 'www.example.test. 3 IN MX 2 b.test.')
  const types = [
    { type: Type.A, verdict: Verdict.ANSWER, answer: addresses },
    { type: Type.MX, verdict: Verdict.ANSWER, answer: rebuilt },
    { type: 65_535, verdict: Verdict.ASK },
  ] as const
  zone.put(name, { other: Verdict.NODATA, below: 5, types })
  const entry = findZone(reader, zone.id, name)
  const { words, octets } = reader
  t.equal(words[entry + Entry.META], (3 << 16) | (5 << 8))
  const first = entry + Entry.NAME + Math.ceil(name.length / 4)
  const record = (i: number) => Array.from(words.subarray(first + i * 7, first + i * 7 + 7))
  const bodyAt = words[first + AnswerRecord.BODY_AT]!
  t.same(record(0), [(1 << 16) | (3 << 8) | Rotation.SHUFFLE, (Bit.AA << 16) | COPIED, 2 << 16, 0, 5, bodyAt, 32])
  t.same(Buffer.from(octets.subarray(entry * 4 + bodyAt, entry * 4 + bodyAt + 32)), Buffer.from(addresses.body))
  t.equal(bodyAt % 4, 0)
  t.equal(record(1)[AnswerRecord.TYPE], (15 << 16) | (3 << 8) | Rotation.REBUILD)
  t.equal(record(1)[AnswerRecord.TTL], 3)
  t.equal(record(2)[AnswerRecord.TYPE], (65_535 << 16) | (2 << 8))
})

t.test('answers that the layout has no room for are no answers of a zone', async t => {
  const { table } = tableOf()
  const zone = table.zoneSpace()
  const wrong: Answer[] = [
    textAnswer(key('x.test'), Buffer.from('\x01x')),
    { ...addresses, options: Uint8Array.of(0, 15, 0, 2, 0, 14) },
    { ...addresses, rcode: 16 },
    { ...addresses, body: new Uint8Array(65_400) },
    answerOf('www.example.test. 5 IN A 192.0.2.1', 'www.example.test. 6 IN A 192.0.2.2'),
  ]
  for (const answer of wrong) {
    const entry: ZoneEntry = { other: 0, below: 0, types: [{ type: 1, verdict: Verdict.ANSWER, answer }] }
    t.throws(() => zone.put(name, entry), { code: 'PORTOLAN_TABLE_ANSWER' })
  }
  t.notOk(zone.has(name))
})

t.test('spaces do not know each other', async t => {
  const { table, reader } = tableOf()
  const [a, b, cache] = [table.zoneSpace(), table.zoneSpace(), table.cacheSpace()]
  a.put(name, textEntry(name, Buffer.from('\x01a')))
  b.put(name, textEntry(name, Buffer.from('\x01b')))
  a.put(key('only.test'), textEntry(key('only.test'), Buffer.from('\x01a')))
  t.notOk(b.has(key('only.test')))
  t.notOk(a.has(key('example.test')), 'nor what a name ends in')
  t.same([...a.keys()].sort(), [key('only.test'), name].sort())
  a.clear()
  t.same([...a.keys()], [])
  t.same(b.get(name), textEntry(name, Buffer.from('\x01b')))
  t.equal(findZone(reader, cache.id, name), 0)
})

t.test('a closed space is gone, and its number is given again when no reader is left', async t => {
  const { table, reader } = tableOf()
  const [zone, cache] = [table.zoneSpace(), table.cacheSpace()]
  zone.put(name, textEntry(name, Buffer.from('\x01a')))
  zone.setNegative(() => addresses)
  reader.enter()
  zone.close()
  t.throws(() => zone.has(name), { code: 'PORTOLAN_TABLE_CLOSED' })
  t.throws(() => zone.put(name, undefined), { code: 'PORTOLAN_TABLE_CLOSED' })
  t.doesNotThrow(() => zone.close())
  t.equal(findZone(reader, zone.id, name), 0)
  t.equal(reader.template(zone.id), 0)
  t.not(table.zoneSpace().id, zone.id)
  reader.leave()
  table.commit()
  t.equal(table.zoneSpace().id, zone.id)
  cache.close()
  t.notOk(cache.put(question(), addresses, { ttl: 5, ageMs: 0 }), 'a cache that is closed keeps nothing')
  cache.remove(question())
  cache.close()
  t.equal(table.usage().entries, 0)
})

t.test('there are 1024 spaces', async t => {
  const { table } = tableOf()
  for (let i = 0; i < 1024; i++) table.cacheSpace()
  t.throws(() => table.zoneSpace(), { code: 'PORTOLAN_TABLE_SPACES' })
})

t.test('a negative template says where its pointers are', async t => {
  const { table, reader } = tableOf()
  const zone = table.zoneSpace()
  // The SOA's owner, a pointer at it in its rdata, octets that look like pointers, and a name length for which there is a carry.
  const answerFor = (length: number): Answer => {
    const pointer = (value: number) => [0xc0 | (value >> 8), value & 255]
    const owner = pointer(12 + length - 11)
    const body = [
      ...owner,
      0,
      6,
      0,
      1,
      0,
      0,
      0,
      5,
      0,
      8,
      0xc0,
      0xc0,
      ...pointer(length),
      ...pointer(length + 4),
      0xc0,
      255,
    ]
    return {
      ...bare(Rcode.NOERROR, Bit.AA),
      authorities: 1,
      body: Uint8Array.from(body),
      starts: [0, 20],
      nameLength: length,
    }
  }
  zone.setNegative(answerFor)
  const at = reader.template(zone.id)
  const { words, octets } = reader
  const fields = Array.from(words.subarray(at, at + 8))
  t.same(fields, [(Bit.AA << 16) | COPIED, 1, 4, 0, 5, 255, 3, 20])
  const offsets = words.subarray(at + Template.OFFSETS, at + Template.OFFSETS + 3)
  t.same([...offsets], [0, 14, 16])
  for (const length of [11, 40, 128, 250, 251, 252, 255]) {
    const start = (at + Template.OFFSETS + 3) * 4
    const body = Buffer.from(octets.slice(start, start + 20))
    for (const offset of offsets) body.writeUInt16BE(body.readUInt16BE(offset) + length - 255, offset)
    t.same(body, Buffer.from(answerFor(length).body), `patched for ${length}`)
  }
  const before = table.usage()
  zone.setNegative(answerFor)
  t.same(table.usage(), before, 'the same octets are left where they are')
  zone.setNegative(() => bare(Rcode.NOERROR))
  t.equal(reader.words[reader.template(zone.id) + Template.TTL], 0, 'a zone without SOA')
  const unlike = (length: number) => ({ ...answerFor(7), body: Uint8Array.of(length) })
  t.throws(() => zone.setNegative(unlike), { code: 'PORTOLAN_TABLE_ANSWER' })
  const longer = (length: number) => ({ ...answerFor(7), body: new Uint8Array(length) })
  t.throws(() => zone.setNegative(longer), { code: 'PORTOLAN_TABLE_ANSWER' })
})

function question(over: Partial<CacheQuestion> = {}): CacheQuestion {
  const spelled = nameFromText('WWW.Example.test')!
  return { key: name, name: spelled, type: Type.A, dnssecOk: false, checkingDisabled: false, ...over }
}

t.test('a cache keeps answers apart by type, DO and CD, with their age', async t => {
  let now = 2 ** 32 + 10_000.5
  const { table, reader } = tableOf({ now: () => now })
  const cache = table.cacheSpace()
  t.ok(cache.put(question(), addresses, { ttl: 5, ageMs: 1_000 }))
  t.equal(findCache(reader, cache.id, name, Type.AAAA, 0), 0)
  t.equal(findCache(reader, cache.id, name, Type.A, 2), 0)
  t.equal(findZone(reader, cache.id, name), 0)
  const entry = findCache(reader, cache.id, name, Type.A, 0)
  const { words, octets } = reader
  const nameWords = Math.ceil(name.length / 4)
  const spelledAt = (entry + Entry.NAME + nameWords) * 4
  t.equal(
    Buffer.from(octets.slice(spelledAt, spelledAt + name.length)).toString('latin1'),
    '\x03WWW\x07Example\x04test\0',
  )
  const at = entry + Entry.NAME + 2 * nameWords
  t.equal(words[entry + Entry.META], 1 << 16)
  t.equal(words[at + AnswerRecord.TTL], 5)
  t.same([...words.subarray(at + AnswerRecord.STORED_LOW, at + AnswerRecord.STORED_HIGH + 1)], [9_000, 1])
  for (const [flags, over] of [
    [1, { checkingDisabled: true }],
    [2, { dnssecOk: true }],
    [3, { dnssecOk: true, checkingDisabled: true }],
  ] as const) {
    t.ok(cache.put(question(over), addresses, { ttl: 5, ageMs: 0 }))
    t.ok(findCache(reader, cache.id, name, Type.A, flags) > 0)
  }
  now += 1000
  t.ok(cache.put(question(), addresses, { ttl: 7, ageMs: 0 }))
  t.equal(table.usage().entries, 4)
  cache.remove(question())
  cache.remove(question())
  t.equal(findCache(reader, cache.id, name, Type.A, 0), 0)
  t.equal(table.usage().entries, 3)
  cache.close()
  t.equal(table.usage().cacheBytes, 0)
})

t.test('what cannot be kept leaves nothing older behind', async t => {
  const life = { ttl: 5, ageMs: 0 }
  const numbered = (i: number) => {
    const text = `host-${String(i).padStart(4, '0')}.example.test`
    const over = question({ key: key(text), name: nameFromText(text)! })
    return [over, textAnswer(over.key, new Uint8Array(200))] as const
  }
  const { table, reader } = tableOf({ cacheLimit: 2 ** 16, limboLimit: 2 ** 12, limit: 2 ** 20 })
  const cache = table.cacheSpace()
  cache.put(question(), addresses, life)
  t.notOk(cache.put(question(), { ...addresses, options: Uint8Array.of(0, 3, 0, 0) }, life), 'an answer with options')
  t.equal(findCache(reader, cache.id, name, Type.A, 0), 0)
  let kept = 0
  while (cache.put(...numbered(kept), life)) kept++
  t.ok(kept > 150 && table.usage().cacheBytes <= 2 ** 16, 'full')
  t.ok(cache.put(...numbered(0), life), 'what replaces something needs no more room')
  cache.remove(numbered(1)[0])
  t.ok(cache.put(...numbered(1), life))

  reader.enter()
  let replaced = 0
  while (cache.put(...numbered(replaced), life)) replaced++
  t.ok(table.usage().limboBytes > 2 ** 12 && replaced < 20, 'too much waits for readers')
  t.equal(findCache(reader, cache.id, numbered(replaced)[0].key, Type.A, 0), 0)
  reader.leave()
  t.ok(cache.put(...numbered(replaced), life), 'and when they have left, it goes on by itself')

  const zone = table.zoneSpace()
  const large = textEntry(name, new Uint8Array(60_000))
  const fill = () => {
    for (let i = 0; i < 100; i++) {
      const owner = key(`n${i}.example.test`)
      zone.put(owner, textEntry(owner, new Uint8Array(40_000)))
    }
  }
  t.throws(fill, { code: 'PORTOLAN_TABLE_FULL' }, 'the zone says that there is no room')
  t.throws(() => zone.put(name, large), { code: 'PORTOLAN_TABLE_FULL' })
  t.notOk(zone.has(name))
  const huge = textAnswer(name, new Uint8Array(50_000))
  t.notOk(cache.put(question(), huge, life), 'a cache does without')
  zone.clear()
  table.commit()
  t.ok(zone.put(name, large))
})
