/** The clock by which the answer table's threads agree: monotonic, and one for the whole process. */

/** A thread's own clock counts from the thread's start. */
const sinceStart = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds since some moment that is the same for all threads. Allocates nothing, unlike `process.hrtime`. */
export function processNow(): number {
  return performance.now() + sinceStart
}
