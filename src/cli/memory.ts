/**
 * How much memory the program takes for what no longer lives. Both V8 and the C library are made for machines of which a program has
 * much to itself; a name server has the 170 MiB that its manifest grants.
 */
import { getHeapStatistics } from 'node:v8'
import type { Clock, Timer } from '../observe/clock.ts'

/**
 * The young generation, of which V8 takes up to 16 MiB three times over, and how much the old one may grow between two collections
 * (measured with 10,000 services: 60 MiB less for 5 % more work of the control thread). And a way to have it collect at once. They
 * are read at the start of a process only.
 */
const NODE_OPTIONS = ['--max-semi-space-size=4', '--heap-growing-percent=30', '--expose-gc']

/** glibc keeps what was freed in an arena for each thread, and the more the larger the pieces were (malloc(3)). */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' }

/**
 * Has the process begin anew, under the same number, with settings that save memory. Returns where it did already, where somebody
 * chose a setting of their own, and where the system does not know how.
 */
export function saveMemory({ execPath, execArgv, argv, env, execve }: NodeJS.Process): void {
  const given = [...execArgv, env.NODE_OPTIONS ?? ''].join(' ')
  if (execve === undefined || /semi-space|heap-growing/.test(given)) return
  execve(execPath, [execPath, ...NODE_OPTIONS, ...execArgv, ...argv.slice(1)], { ...ENVIRONMENT, ...env })
}

/** What `tidy` looks at, and what it does. */
export interface Heap {
  /** Octets that it takes from the system, for what lives and what does not. */
  size(): number
  /** The share of the time since the last call in which the control thread was busy, from 0 to 1. */
  busy(): number
  /** Gives back what can be had, which takes the control thread some 60 ms for each 50 MiB that live. */
  collect(): void
}

/** How often it is looked. */
const LOOK_EVERY_MS = 10_000
/** Above this share of the time somebody would wait. */
const QUIET = 0.05
/** How much larger than after the last collection the heap has to be: V8 lets it grow nearly so far under the least load. */
const WORTHWHILE = 1.5
/** Between two collections, at least. */
const PAUSE_MS = 60_000

/**
 * Collects what a burst of work left behind (the first list, a flood), in a quiet moment after it: V8 does so only when more is
 * needed, and Node never tells it that there is nothing to do. Goes on until the returned timer is cancelled.
 */
export function tidy(clock: Clock, heap: Heap): Timer {
  let tidySize = 0
  let collectedAt = Number.NEGATIVE_INFINITY
  return clock.every(LOOK_EVERY_MS, () => {
    const isQuiet = heap.busy() < QUIET
    const isDue = clock.monotonic() - collectedAt >= PAUSE_MS
    if (!isQuiet || !isDue || heap.size() < tidySize * WORTHWHILE) return
    heap.collect()
    tidySize = heap.size()
    collectedAt = clock.monotonic()
  })
}

/** The heap of this process; undefined where V8 was not told to have a collector at hand. */
export function ownHeap(): Heap | undefined {
  const { gc } = globalThis
  if (gc === undefined) return undefined
  let before = performance.eventLoopUtilization()
  return {
    size: () => getHeapStatistics().total_heap_size,
    busy() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      return utilization
    },
    collect: () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
  }
}
