/** Waiting that ends: what every transport does when it closes. */
import type { Clock } from '../observe/clock.ts'

/** Resolves when `done` has, or after `graceMs`. `done` must not reject. */
export function atMost(clock: Clock, graceMs: number, done: Promise<unknown>): Promise<void> {
  return new Promise(resolve => {
    const timer = clock.after(graceMs, resolve)
    void done.then(() => {
      timer.cancel()
      resolve()
    })
  })
}
