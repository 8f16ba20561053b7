/** The clock of the system; what is written against a clock is tested with one that stands still. */
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../src/observe/clock.ts'

t.test('a delay that is longer than Node can count is no short one', async t => {
  let fired = 0
  const timers = [systemClock.after(2 ** 31, () => fired++), systemClock.every(2 ** 40, () => fired++)]
  await wait(10)
  for (const timer of timers) timer.cancel()
  t.equal(fired, 0)
})
