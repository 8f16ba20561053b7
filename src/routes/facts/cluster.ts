/** The cluster that questions are about, and the node that they are asked for. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Node } from '../../cluster/objects.ts'
import { hint } from '../../corefile/nearest.ts'
import type { Routes } from '../table.ts'
import { questionError } from './question.ts'

export interface KnownCluster {
  readonly state: ClusterView
  readonly table: Routes
  /** Whether pods are known. */
  readonly pods: boolean
  /** Why no nodes are known, as a part of a sentence; undefined where there may be none. */
  readonly nodeless: string | undefined
}

/** A node by its name; undefined where none was said. A node that the cluster does not know is a mistake, unless it knows none at all. */
export function nodeOf(name: string | undefined, state: ClusterView): Node | undefined {
  if (name === undefined) return undefined
  const known = state.get('Node', name)
  if (known !== undefined) return known
  const names = [...state.list('Node')].map(node => node.name)
  if (names.length > 0) {
    const some = names.slice(0, 5).join(', ')
    throw questionError(
      `there is no node "${name}"${hint(name, names) || ` (there ${names.length === 1 ? 'is' : 'are'} ${some})`}`,
    )
  }
  return { kind: 'Node', name, namespace: '', labels: {}, internalIPs: [], zone: '', podCIDRs: [] }
}

/** What an answer lacks; undefined where it lacks nothing. */
export function lackOf({ state, nodeless }: KnownCluster, node: Node | undefined): string | undefined {
  if (node === undefined || state.get('Node', node.name) !== undefined) return undefined
  return `${nodeless ?? 'the cluster has no nodes'}: addresses and zone of ${node.name} do not count here`
}
