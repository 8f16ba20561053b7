/** An API source that follows a fake API server under a clock that stands still, with all that it says and does on record. */
import type { Test } from 'tap'
import type { Source } from '../../src/cluster/contract.ts'
import type { Kind } from '../../src/cluster/objects.ts'
import { ClusterState } from '../../src/cluster/state.ts'
import { logger } from '../../src/observe/logger.ts'
import { type Metrics, metrics } from '../../src/observe/metrics.ts'
import { type ApiServerOptions, apiserverSource } from '../../src/sources/apiserver/index.ts'
import { type TestClock, testClock } from './clock.ts'
import { FakeApiServer, type FakeApiServerOptions, until } from './fake-apiserver.ts'

/** Of the self-checks that tests ask for: how far apart they are by the clock, and what each waits before it is sure. */
export const checkMs = 60_000
export const checkPauseMs = 57_000
export const checkGraceMs = 2_000
/** Timers that only watch over requests: connecting, answering, a comparison, and a watch of 450 s, which starts with the watch. */
const watchIdleMs = 480_000
/** Once it had bookmarks. */
const bookmarkIdleMs = 150_000
const watchdogs: ReadonlySet<number> = new Set([5_000, 30_000, 60_000, bookmarkIdleMs, watchIdleMs])
const checkTimers: ReadonlySet<number> = new Set([checkPauseMs, checkPauseMs - checkGraceMs, checkGraceMs])

export interface FollowOptions extends Partial<ApiServerOptions> {
  /** A wall clock that goes its own way. */
  readonly now?: () => number
}

export interface Followed {
  readonly state: ClusterState
  readonly clock: TestClock
  readonly metrics: Metrics
  /** Log lines without their line end. */
  readonly lines: string[]
  /** What `onProblem` was told: `Service forbidden`, `Service undefined`. */
  readonly problems: string[]
  /** Each pause between two attempts in milliseconds, from the moment in which it began. */
  readonly pauses: number[]
  /** The pauses of self-checks that have begun, each in milliseconds. */
  readonly checkPauses: number[]
  readonly source: Source
  /** How often the source has begun to wait for an event. */
  waits(): number
  /** Resolves as `follow` does. */
  readonly synced: Promise<void>
  readonly stop: AbortController
  /** Names of the services, sorted. */
  services(): string[]
  /** Waits until the nth pause has begun, and lets its time pass. */
  passPause(nth: number): Promise<void>
}

export async function fakeApiServer(t: Test, options: FakeApiServerOptions = {}): Promise<FakeApiServer> {
  const api = await new FakeApiServer(options).start()
  t.teardown(() => api.stop())
  return api
}

/** Services alone, unless told otherwise. */
export function follow(t: Test, api: FakeApiServer, { now, ...options }: FollowOptions = {}): Followed {
  const clock = testClock()
  const measured = metrics()
  const lines: string[] = []
  const problems: string[] = []
  const pauses: number[] = []
  const checkPauses: number[] = []
  let waits = 0
  const kinds: readonly Kind[] = options.kinds ?? ['Service']
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const source = apiserverSource({
    access: { from: 'endpoint', url: api.url },
    kinds,
    clock: {
      ...clock,
      now: now ?? clock.now,
      after(delayMs, task) {
        if (checkTimers.has(delayMs)) checkPauses.push(delayMs)
        else if (!watchdogs.has(delayMs)) pauses.push(delayMs)
        if (delayMs === watchIdleMs || delayMs === bookmarkIdleMs) waits++
        return clock.after(delayMs, task)
      },
    },
    random: () => 0.5,
    selfCheckMs: 0,
    log: logger({ format: 'text', write: line => lines.push(line.trimEnd()) }),
    metrics: measured,
    onProblem: (kind, problem) => problems.push(`${kind} ${problem?.reason}`),
    ...options,
  })
  const state = new ClusterState({ kinds })
  const synced = source.follow(state, stop.signal)
  // A test that ends before the first replace leaves a rejection that nobody waits for.
  synced.catch(() => undefined)
  return {
    state,
    clock,
    metrics: measured,
    lines,
    problems,
    pauses,
    checkPauses,
    source,
    waits: () => waits,
    synced,
    stop,
    services: () => [...state.list('Service')].map(({ name }) => name).sort(),
    async passPause(nth) {
      await until(() => pauses.length >= nth, `pause ${nth}`)
      clock.advance(pauses[nth - 1]!)
    },
  }
}

/** The same, and waits until each kind is being watched. */
export async function followed(t: Test, api: FakeApiServer, options: FollowOptions = {}): Promise<Followed> {
  const following = follow(t, api, options)
  await following.synced
  await until(() => following.waits() === (options.kinds ?? ['Service']).length, 'all kinds watched')
  return following
}
