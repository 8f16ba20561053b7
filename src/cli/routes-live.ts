/** The cluster that a command of `portolan routes` follows for as long as it runs. */
import { ClusterState } from '../cluster/state.ts'
import type { Logger } from '../observe/logger.ts'
import { RouteTable } from '../routes/table.ts'
import type { Arguments } from './arguments.ts'
import { followedKinds, liveSource } from './routes-follow.ts'
import type { Shell } from './shell.ts'

export interface FollowedCluster {
  readonly state: ClusterState
  readonly table: RouteTable
  /** Has it called after each change, in the same synchronous stretch, and once at first. */
  onChange(changed: () => void): void
}

/**
 * Resolves when everything was read once. What goes wrong with an API server is logged and tried again, however often. Rejects where
 * trying again is no use, and with the signal's reason when it aborts.
 */
export async function followCluster(
  given: Arguments,
  shell: Shell,
  log: Logger,
  signal: AbortSignal,
): Promise<FollowedCluster> {
  const state = new ClusterState({ kinds: followedKinds })
  const source = await liveSource(given, shell, log)
  await source.follow(state, signal)
  const table = new RouteTable()
  state.follow(table)
  return { state, table, onChange: changed => void state.follow({ rebuild: changed, update: changed }) }
}
