/** The cluster that a command of `portolan routes` follows for as long as it runs. */
import type { Kind } from '../cluster/objects.ts'
import { ClusterState } from '../cluster/state.ts'
import type { Logger } from '../observe/logger.ts'
import { RouteTable } from '../routes/table.ts'
import type { Arguments } from './arguments.ts'
import { sourceOf } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

const followedKinds: readonly Kind[] = ['Service', 'EndpointSlice', 'Node']

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
  const source = await sourceOf(given, shell, { kinds: followedKinds, log })
  await source.follow(state, signal)
  const table = new RouteTable()
  state.follow(table)
  return { state, table, onChange: changed => void state.follow({ rebuild: changed, update: changed }) }
}
