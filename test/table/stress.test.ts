import t from 'tap'
import { runCourse } from '../stress/table-course.ts'

/** A short run of `npm run stress:table`. */
const short = { changes: 50_000, names: 3000, witnesses: 2, hold: { changes: 10_000, ms: 0 } }

t.test('threads see whole, present answers while everything changes', async t => {
  const figures = await runCourse({ ...short, seed: 1, reclaim: 'epochs' })
  t.equal(figures.faults, 0)
  t.ok(figures.seen.found > 1000 && figures.seen.absent > 100)
  t.ok(figures.rebuilds > 2 && figures.growths > 1)
  t.ok(figures.limboHeld > 2 ** 20 && figures.limboHeld <= figures.replacedHeld, 'the one that holds is waited for')
  t.ok(figures.limboAfter < 2 ** 20, 'not longer')
  t.ok(figures.thrownInBatch)
  t.equal(figures.left, 0)
})

t.test('the same sees faults where memory is used again at once', async t => {
  const { faults } = await runCourse({ ...short, seed: 1, reclaim: 'at once' })
  t.ok(faults > 0)
})
