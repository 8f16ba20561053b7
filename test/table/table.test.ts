import fc from 'fast-check'
import t from 'tap'
import type { Cut, ZoneEntry } from '../../src/table/contract.ts'
import { Control, Entry, Index, MAX_DIRECTORIES } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { bare } from '../../src/wire/answer.ts'
import { type NameKey, nameFromKey } from '../../src/wire/name.ts'
import { findCache, findZone, key, textAnswer, textEntry } from '../helpers/table.ts'
import { collidingNames } from './collisions.ts'

const hashKey = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

t.test('a table holds what a map would, whatever is done to it', async t => {
  const names = Array.from({ length: 40 }, (_, i) => key(i === 0 ? '.' : `${'n'.repeat(i)}.test`))
  const some = fc.integer({ min: 0, max: names.length - 1 })
  const step = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({ op: fc.constant('put' as const), at: some, size: fc.nat(300), which: fc.nat(2) }),
    },
    { weight: 5, arbitrary: fc.record({ op: fc.constant('remove' as const), at: some, which: fc.nat(2) }) },
    fc.record({ op: fc.constantFrom('clear', 'close', 'negative', 'commit', 'enter', 'leave'), which: fc.nat(2) }),
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 300, size: 'max' }), steps => {
      const table = new AnswerTable({ hashKey, now: () => 0 })
      const reader = new TableReader(table.memory, table.openReader())
      const zones = [table.zoneSpace(), table.zoneSpace()]
      let cache = table.cacheSpace()
      const models = [0, 1].map(() => new Map<NameKey, ZoneEntry>())
      const kept = new Map<NameKey, number>()
      const question = (name: NameKey) => ({
        key: name,
        name: nameFromKey(name),
        type: 16,
        dnssecOk: true,
        checkingDisabled: false,
      })
      for (const step of steps) {
        const { op, which } = step
        const zone = zones[which]
        const model = models[which]
        if (op === 'commit') table.commit()
        else if (op === 'enter') reader.enter()
        else if (op === 'leave') reader.leave()
        else if (op === 'close' || op === 'clear') {
          if (zone && model) {
            if (op === 'clear') zone.clear()
            else zone.close()
            if (op === 'close') zones[which] = table.zoneSpace()
            model.clear()
          } else {
            cache.close()
            cache = table.cacheSpace()
            kept.clear()
          }
        } else if (op === 'negative') zone?.setNegative(() => bare(0, which))
        else if (op === 'put') {
          const name = names[step.at]!
          const rdata = new Uint8Array(step.size).fill(step.at)
          if (zone && model) {
            const differs = model.get(name)?.types[0] === undefined || sizeOf(model.get(name)) !== step.size
            if (zone.put(name, textEntry(name, rdata)) !== differs) throw new Error('put says what it did')
            model.set(name, textEntry(name, rdata))
          } else if (cache.put(question(name), textAnswer(name, rdata), { ttl: 1, ageMs: 0 })) {
            kept.set(name, step.size)
          }
        } else if (op === 'remove') {
          const name = names[step.at]!
          if (zone && model && zone.put(name, undefined) !== model.delete(name))
            throw new Error('remove says what it did')
          if (!zone) cache.remove(question(name))
          if (!zone) kept.delete(name)
        }
        for (const name of names) {
          zones.forEach((zone, i) => {
            const found = findZone(reader, zone.id, name) > 0
            if (found !== models[i]!.has(name)) throw new Error(`${op}: ${name} is ${found ? '' : 'not '}found`)
          })
          if (findCache(reader, cache.id, name, 16, 2) > 0 !== kept.has(name)) throw new Error(`${op}: ${name} kept`)
        }
      }
      zones.forEach((zone, i) => {
        t.same([...zone.keys()].sort(), [...models[i]!.keys()].sort())
        for (const [name, entry] of models[i]!) t.same(zone.get(name), entry)
        zone.close()
      })
      cache.close()
      reader.leave()
      table.commit()
      const { entries, limboBytes, usedBytes, slots } = table.usage()
      t.same([entries, limboBytes, usedBytes], [0, 0, slots * 4 + 16], 'nothing but the index is left')
    }),
    { numRuns: 20, seed: 1 },
  )
})

function sizeOf(entry: ZoneEntry | undefined): number {
  const [type] = entry?.types ?? []
  return type && 'answer' in type ? type.answer.body.length - 12 : -1
}

t.test('the index grows and shrinks, and readers go on through both', async t => {
  const table = new AnswerTable({ hashKey })
  const zone = table.zoneSpace()
  const early = new TableReader(table.memory, table.openReader())
  const names = Array.from({ length: 20_000 }, (_, i) => key(`s${i}.example.test`))
  const anchor = key('anchor.test')
  zone.put(anchor, textEntry(anchor, new Uint8Array(10)))
  const arenaBytes = table.usage().arenaBytes
  early.enter()
  const held = findZone(early, zone.id, anchor)
  const before = early.words.slice(held, held + 20)
  let lost = 0
  for (const name of names) {
    zone.put(name, textEntry(name, new Uint8Array(100)))
    if (findZone(early, zone.id, name) <= 0 || findZone(early, zone.id, anchor) <= 0) lost++
  }
  t.equal(lost, 0)
  t.ok(table.usage().slots >= 2 * 20_000)
  t.ok(table.usage().arenaBytes > arenaBytes)
  zone.put(anchor, undefined)
  for (const name of names) zone.put(name, undefined)
  t.ok(names.every(name => findZone(early, zone.id, name) <= 0))
  t.same(early.words.slice(held, held + 20), before, 'what was found in a batch stays as it is')
  table.commit()
  t.ok(table.usage().limboBytes > 20_000 * 100)
  early.leave()
  table.commit()
  t.same([table.usage().limboBytes, table.usage().slots, table.usage().usedBytes], [0, 1024, 1024 * 4 + 16])
})

t.test('names that were made to collide are as quick to find as others', async t => {
  const table = new AnswerTable({ hashKey })
  const zone = table.zoneSpace()
  const names = collidingNames(100_000)
  const entry: ZoneEntry = { other: 0, below: 0, types: [] }
  for (const name of names) zone.put(name, entry)
  const { mean, most } = distances(table)
  t.equal(table.usage().entries, 100_000)
  t.ok(mean < 1 && most < 64, `a mean of ${mean.toFixed(2)} steps more than one, ${most} at most`)
  t.ok(names.every(name => zone.has(name)))
})

/** How far entries stand from the slot where a look-up begins. */
function distances({ memory }: AnswerTable): { mean: number; most: number } {
  const words = new Int32Array(memory.arena)
  const index = new Int32Array(memory.control)[Control.ROOT]! << 2
  const capacity = words[index + Index.CAPACITY]!
  const found: number[] = []
  for (let slot = 0; slot < capacity; slot++) {
    const ref = words[index + Index.SLOTS + slot]!
    if (ref > 1) found.push((slot - words[(ref << 2) + Entry.HASH]!) & (capacity - 1))
  }
  return {
    mean: found.reduce((sum, distance) => sum + distance, 0) / found.length,
    most: found.reduce((most, distance) => Math.max(most, distance), 0),
  }
}

t.test('a look-up ends after as many slots as it may take', async t => {
  const table = new AnswerTable({ hashKey })
  const { arena, control } = table.memory
  const words = new Int32Array(arena)
  const index = new Int32Array(control)[Control.ROOT]! << 2
  words.fill(1, index + Index.SLOTS, index + Index.SLOTS + words[index]!)
  const reader = new TableReader(table.memory, table.openReader())
  t.equal(findZone(reader, 0, key('a.test')), -1)
})

const cut: Cut = {
  suffix: key('b\\255\\000\\".test'),
  ask: false,
  front: -1,
  zone: 3,
  cache: -1,
  closed: true,
  positives: true,
  negatives: true,
  sampled: false,
  rotate: false,
  size: 1232,
  negativeTtl: [0, 30],
  counter: 7,
}

t.test('a directory comes to readers as it was set, under a number of its own', async t => {
  const table = new AnswerTable()
  const reader = new TableReader(table.memory, table.openReader())
  const number = table.openDirectory()
  t.equal(reader.directory(number), 0)
  t.equal(reader.readDirectory(0), undefined)
  const directories = [[cut], [{ ...cut, zone: 4 }, cut], [cut]]
  const serials = directories.map(directory => {
    table.setDirectory(number, directory)
    const at = reader.directory(number)
    t.same(reader.readDirectory(at), directory)
    table.commit()
    return reader.serial(at)
  })
  t.equal(new Set(serials).size, 3)
  table.setDirectory(number, undefined)
  t.equal(reader.directory(number), 0)
  table.setDirectory(number, [cut])
  table.closeDirectory(number)
  t.equal(reader.directory(number), 0)
  t.equal(table.openDirectory(), number)
  for (let i = 1; i < MAX_DIRECTORIES; i++) table.openDirectory()
  t.throws(() => table.openDirectory(), { code: 'PORTOLAN_TABLE_DIRECTORIES' })
})

t.test('places in a table are numbers of 32 bits', async t => {
  t.throws(() => new AnswerTable({ limit: 2 ** 31 }), RangeError)
  t.doesNotThrow(() => new AnswerTable({ limit: 2 ** 31 - 1 }))
})

t.test('readers are numbered, and a closed one holds nothing', async t => {
  const table = new AnswerTable()
  const zone = table.zoneSpace()
  const number = table.openReader()
  const name = key('a.test')
  new TableReader(table.memory, number).enter()
  for (let i = 0; i < 3; i++) zone.put(name, textEntry(name, new Uint8Array(i)))
  zone.commit()
  t.ok(table.usage().limboBytes > 0)
  table.closeReader(number)
  table.commit()
  t.equal(table.usage().limboBytes, 0)
})
