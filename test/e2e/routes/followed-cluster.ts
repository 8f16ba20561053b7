/** A cluster as portolan's own source follows it, for tests that compare what is made of it. */
import { ClusterState } from '../../../src/cluster/state.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { apiserverSource } from '../../../src/sources/apiserver/index.ts'

export interface Followed {
  readonly state: ClusterState
  readonly table: RouteTable
}

/** Resolves when everything was read; follows on until the signal aborts. */
export async function followCluster(
  kubeconfig: string,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Followed> {
  const kinds = ['Service', 'EndpointSlice', 'Node'] as const
  const state = new ClusterState({ kinds })
  const source = apiserverSource({
    access: { from: 'kubeconfig', file: kubeconfig },
    kinds,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: say }),
    metrics: metrics(),
    selfCheckMs: 0,
  })
  await source.follow(state, signal)
  const table = new RouteTable()
  state.follow(table)
  return { state, table }
}
