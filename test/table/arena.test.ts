import fc from 'fast-check'
import t from 'tap'
import { Arena } from '../../src/table/arena.ts'
import { UNIT, UNITS } from '../../src/table/layout.ts'
import { chance } from '../wire/random.ts'

const MIB = 2 ** 20

/** Fills a block with its own ref, but for the word that says its size. */
function fill(arena: Arena, ref: number, units: number): void {
  arena.words.fill(ref, ref << 2, (ref + units) << 2)
  arena.words[(ref << 2) + UNITS] = units
}

const isWhole = (arena: Arena, ref: number, units: number): boolean => {
  const words = arena.words.subarray(ref << 2, (ref + units) << 2)
  return words.every((word, i) => word === (i === UNITS ? units : ref))
}

t.test('blocks never overlap, and all the room comes back as one piece', async t => {
  const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5000 }))
  const step = fc.oneof(size, fc.integer({ min: -1000, max: -1 }))
  const property = fc.property(fc.array(step, { maxLength: 200 }), steps => {
    const arena = new Arena(64 * MIB)
    const blocks: [ref: number, units: number][] = []
    const drop = (index: number) => {
      const [[ref, units]] = blocks.splice(index, 1) as [[number, number]]
      if (!isWhole(arena, ref, units)) throw new Error(`block ${ref} was written to`)
      arena.free(ref)
    }
    for (const units of steps) {
      if (units < 0 && blocks.length > 0) drop(-units % blocks.length)
      if (units < 0) continue
      const ref = arena.allocate(units)
      if (ref < 2) throw new Error(`no room for ${units}`)
      blocks.push([ref, units])
      fill(arena, ref, units)
    }
    while (blocks.length > 0) drop(blocks.length - 1)
    const before = arena.buffer.byteLength
    const whole = arena.allocate(before / UNIT - 2)
    return arena.used > 0 && whole === 2 && arena.buffer.byteLength === before
  })
  t.doesNotThrow(() => fc.assert(property))
})

t.test('grows in place up to its limit, and keeps what is there', async t => {
  const arena = new Arena(4 * MIB)
  const refs: number[] = []
  for (let ref = arena.allocate(1000); ref !== 0; ref = arena.allocate(1000)) {
    fill(arena, ref, 1000)
    refs.push(ref)
  }
  t.equal(arena.buffer.byteLength, 4 * MIB)
  t.ok(refs.length * 1000 * UNIT > 3.9 * MIB)
  t.ok(refs.every(ref => isWhole(arena, ref, 1000)))
  t.ok(arena.allocate(1), 'a smaller one still fits')
  arena.free(refs[7]!)
  t.equal(arena.allocate(1000), refs[7], 'and the very room that became free is used again')
  t.equal(arena.allocate(5 * MIB), 0)
})

t.test('stays in bounds while blocks of all sizes come and go', async t => {
  const { below } = chance(1)
  const arena = new Arena(512 * MIB)
  const refs: number[] = []
  const size = () => Math.ceil(2 ** (below(11_000) / 1000))
  let largest = 0
  for (let i = 0; i < 400_000; i++) {
    // Sizes change their mix as time goes by, which is what fragments.
    const units = (i >> 16) & 1 ? size() : Math.ceil(size() / 8)
    if (refs.length < 10_000) {
      refs.push(arena.allocate(units))
    } else {
      const at = below(refs.length)
      arena.free(refs[at]!)
      refs[at] = arena.allocate(units)
    }
    largest = Math.max(largest, arena.used)
  }
  const ratio = arena.buffer.byteLength / UNIT / largest
  t.ok(ratio < 1.25, `the arena is ${ratio.toFixed(2)} times what was in use at most`)
})
