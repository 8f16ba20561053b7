import fc from 'fast-check'
import t from 'tap'
import { Tally } from '../../../src/plugins/top/tally.ts'
import { testClock } from '../../helpers/clock.ts'

const seen = (name: string, client = 'shop/cart') => ({ name, client })
const shown = (tally: Tally) => tally.report().counted.map(({ name, client, count }) => `${name} ${client} ${count}`)

t.test('the most first, by name and client', async t => {
  const tally = new Tally({ clock: testClock(), size: 4, windowMs: 1000 })
  tally.add(seen('a.test'), 16)
  tally.add(seen('b.test'), 16)
  tally.add(seen('b.test'), 16)
  tally.add(seen('b.test', 'data/db'), 16)
  t.same(shown(tally), ['b.test shop/cart 32', 'a.test shop/cart 16', 'b.test data/db 16'])
  t.equal(tally.report().total, 64)
})

t.test('forgets what is older than two windows', async t => {
  const clock = testClock()
  const tally = new Tally({ clock, size: 4, windowMs: 1000 })
  tally.add(seen('old.test'), 16)
  clock.advance(1000)
  t.same(shown(tally), ['old.test shop/cart 16'], 'the window before')
  tally.add(seen('old.test'), 16)
  tally.add(seen('new.test'), 16)
  t.same(shown(tally), ['old.test shop/cart 32', 'new.test shop/cart 16'], 'both together')
  t.match(tally.report(), { seconds: 1, total: 48 })
  clock.advance(1000)
  t.same(shown(tally), ['old.test shop/cart 16', 'new.test shop/cart 16'])
  clock.advance(2000)
  t.same(tally.report(), { seconds: 0, total: 0, counted: [] })
})

t.test('memory is bounded, no count is too low, and none by more than its error too high', async t => {
  const size = 5
  const names = fc.array(
    fc.nat(20).map(n => `n${n}`),
    { maxLength: 300 },
  )
  const property = fc.property(names, all => {
    const tally = new Tally({ clock: testClock(), size, windowMs: 1000 })
    for (const name of all) tally.add(seen(name), 1)
    const { counted, total } = tally.report()
    const right = Map.groupBy(all, name => name)
    const known = new Set(counted.map(({ name }) => name))
    const often = [...right].filter(([, own]) => own.length > all.length / size)
    return (
      total === all.length &&
      counted.length <= size &&
      often.every(([name]) => known.has(name)) &&
      counted.every(({ name, count, error }) => {
        const own = right.get(name)!.length
        return own <= count && count - error <= own
      })
    )
  })
  t.doesNotThrow(() => fc.assert(property))
})
