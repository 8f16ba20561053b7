/** A clock that stands still until `advance` is called; timers run in the order of their time. */
import type { Clock, Timer } from '../../src/observe/clock.ts'

export interface TestClock extends Clock {
  /** Moves time forward and runs what falls due. */
  advance(ms: number): void
}

export function testClock(startMs = Date.UTC(2026, 0, 1)): TestClock {
  let passed = 0
  const timers: { due: number; period: number | undefined; task: () => void }[] = []
  const add = (delayMs: number, period: number | undefined, task: () => void): Timer => {
    const timer = { due: passed + delayMs, period, task }
    timers.push(timer)
    return {
      cancel() {
        const index = timers.indexOf(timer)
        if (index >= 0) timers.splice(index, 1)
      },
    }
  }
  return {
    now: () => startMs + passed,
    monotonic: () => passed,
    after: (delayMs, task) => add(delayMs, undefined, task),
    every: (periodMs, task) => add(periodMs, periodMs, task),
    advance(ms) {
      const until = passed + ms
      for (;;) {
        timers.sort((a, b) => a.due - b.due)
        const next = timers[0]
        if (next === undefined || next.due > until) break
        passed = Math.max(passed, next.due)
        if (next.period === undefined) timers.shift()
        else next.due += next.period
        next.task()
      }
      passed = until
    },
  }
}
