/** Every way of choosing an endpoint, by its name. */
import type { Clock, Random } from '../../observe/clock.ts'
import { withAffinity } from './affinity.ts'
import { destinationHashing, sourceHashing } from './hashing.ts'
import { leastConnections, neverQueue, shortestExpectedDelay, weightedLeastConnections } from './least.ts'
import { random } from './random.ts'
import { roundRobin, weightedRoundRobin } from './round-robin.ts'
import { type Discipline, ListScheduler, type Scheduler, type WeightOf } from './scheduler.ts'

/** The schedulers of IPVS that stand here too, under its names. */
export const ipvsSchedulers = ['rr', 'wrr', 'lc', 'wlc', 'dh', 'sh', 'sed', 'nq'] as const

/** `random` is what iptables and nftables do. */
export const schedulerNames = ['random', ...ipvsSchedulers] as const

export type SchedulerName = (typeof schedulerNames)[number]

export interface SchedulerOptions {
  readonly name: SchedulerName
  /** The address that is connected to; `dh` depends on it. */
  readonly virtualIP: string
  /** For how many seconds a client keeps its backend; 0 for no affinity. */
  readonly affinitySeconds: number
  readonly clock: Clock
  readonly random: Random
  /** Whole numbers from 0. Default: 1 for each. */
  readonly weightOf?: WeightOf
}

/** A scheduler without backends yet. */
export function scheduler(options: SchedulerOptions): Scheduler {
  const { name, affinitySeconds, clock, weightOf } = options
  const list = new ListScheduler(disciplines[name](options), weightOf)
  return affinitySeconds > 0 ? withAffinity(list, affinitySeconds, clock) : list
}

const disciplines: Readonly<Record<SchedulerName, (options: SchedulerOptions) => Discipline>> = {
  random: options => random(options.random),
  rr: roundRobin,
  wrr: weightedRoundRobin,
  lc: leastConnections,
  wlc: weightedLeastConnections,
  dh: ({ virtualIP }) => destinationHashing(virtualIP),
  sh: sourceHashing,
  sed: shortestExpectedDelay,
  nq: neverQueue,
}
