/** Time and chance as values that are passed in, so that tests can hold them still. */

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  now(): number
  /** Milliseconds since some fixed moment; never goes backwards. For durations and ages. */
  monotonic(): number
  /** Runs `task` once after `delayMs`. Timers do not keep the process alive. */
  after(delayMs: number, task: () => void): Timer
  every(periodMs: number, task: () => void): Timer
}

/** Uniformly distributed in [0, 1). */
export type Random = () => number

/** Node's timers take a longer delay for 1 ms. */
const LONGEST_MS = 2 ** 31 - 1

/** A delay of more than 24.8 days is cut to that. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(delayMs, LONGEST_MS)).unref()
    return { cancel: () => clearTimeout(timer) }
  },
  every(periodMs, task) {
    const timer = setInterval(task, Math.min(periodMs, LONGEST_MS)).unref()
    return { cancel: () => clearInterval(timer) }
  },
}

/** Resolves after `delayMs` on the given clock; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}
