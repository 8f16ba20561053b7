/** The cluster that `portolan routes` speaks of: from manifests, or from an API server as kubectl finds it; read once. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from '../cluster/contract.ts'
import type { Kind, Node } from '../cluster/objects.ts'
import { ClusterState } from '../cluster/state.ts'
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'
import { logger } from '../observe/logger.ts'
import { metrics } from '../observe/metrics.ts'
import type { RenderOptions } from '../routes/setting.ts'
import { RouteTable } from '../routes/table.ts'
import type { Family } from '../wire/address.ts'
import { parseRange } from '../wire/range.ts'
import { type Arguments, usageError } from './arguments.ts'
import type { Shell } from './shell.ts'

export interface RoutesCluster {
  readonly state: ClusterState
  readonly table: RouteTable
  /** Of `-node`; undefined where it was not given. */
  readonly node: Node | undefined
}

/** How long an API server may take. */
const patienceMs = 60_000

/** Reads the cluster in full. `pods` says whether pods are needed too. */
export async function readCluster(given: Arguments, shell: Shell, pods: boolean): Promise<RoutesCluster> {
  const kinds: Kind[] = ['Service', 'EndpointSlice', 'Node', ...(pods ? (['Pod'] as const) : [])]
  const state = new ClusterState({ kinds })
  const stop = new AbortController()
  const failed = Promise.withResolvers<never>()
  const late = shell.clock.after(patienceMs, () =>
    failed.reject(new PortolanError('PORTOLAN_ROUTES_SLOW', `the cluster was not read in ${patienceMs / 1000} s`)),
  )
  try {
    const source = await sourceOf(given, shell, kinds, failed.reject)
    await Promise.race([source.follow(state, stop.signal), failed.promise])
  } finally {
    late.cancel()
    stop.abort()
  }
  const table = new RouteTable()
  table.rebuild(state)
  return { state, table, node: nodeOf(given.text('node'), state) }
}

async function sourceOf(
  given: Arguments,
  shell: Shell,
  kinds: readonly Kind[],
  fail: (error: PortolanError) => void,
): Promise<Source> {
  const path = given.text('manifests')
  if (path !== undefined) {
    if (given.has('kubeconfig')) throw usageError('-manifests and -kubeconfig are two clusters: give one')
    const { manifestsSource } = await import('../sources/manifests/index.ts')
    return manifestsSource({ path, watch: 'never' })
  }
  const access = { from: 'kubeconfig', file: kubeconfigOf(given, shell), context: given.text('context') } as const
  const { apiserverSource } = await import('../sources/apiserver/index.ts')
  return apiserverSource({
    access,
    kinds,
    clock: shell.clock,
    random: shell.random,
    // What goes wrong is the command's to say.
    log: logger({ format: 'text', write: () => undefined }),
    metrics: metrics(),
    // It ends before there was time for one.
    selfCheckMs: 0,
    onProblem: (_, problem) => {
      if (problem !== undefined) fail(problem)
    },
  })
}

/** As kubectl finds it; of several files in $KUBECONFIG the first that there is. */
export function kubeconfigOf(given: Arguments, { env }: Shell): string {
  const named = given.text('kubeconfig')
  if (named !== undefined) return named
  const usual = env['HOME'] === undefined ? [] : [join(env['HOME'], '.kube', 'config')]
  const candidates = env['KUBECONFIG'] ? env['KUBECONFIG'].split(':').filter(file => file !== '') : usual
  const found = candidates.find(file => existsSync(file))
  if (found !== undefined) return found
  const tried = candidates.length === 0 ? '' : ` (there is no ${candidates.join(', ')})`
  throw usageError(`which cluster? give -manifests PATH or -kubeconfig FILE${tried}`)
}

/** A node that the cluster does not know is a mistake, unless it knows none at all. */
export function nodeOf(name: string | undefined, state: ClusterState): Node | undefined {
  if (name === undefined) return undefined
  const known = state.get('Node', name)
  if (known !== undefined) return known
  const names = [...state.list('Node')].map(node => node.name)
  if (names.length > 0) {
    const some = names.slice(0, 5).join(', ')
    throw usageError(
      `there is no node "${name}"${hint(name, names) || ` (there ${names.length === 1 ? 'is' : 'are'} ${some})`}`,
    )
  }
  return { kind: 'Node', name, namespace: '', labels: {}, internalIPs: [], zone: '', podCIDRs: [] }
}

/** What the options say of a node's rules. Throws PORTOLAN_USAGE for a range that is none. */
export function renderOptionsOf(given: Arguments, node: Node | undefined): Omit<RenderOptions, 'family'> {
  return {
    node: node ?? { name: '', zone: '', internalIPs: [] },
    clusterCIDRs: rangesOf(given, 'cluster-cidr'),
    masqueradeAll: given.has('masquerade-all'),
    nodePortAddresses: rangesOf(given, 'nodeport-addresses', 'primary'),
  }
}

/** The families of `-family`; both where it was not given. */
export function familiesOf(given: Arguments): Family[] {
  const family = given.oneOf('family', ['4', '6', 'both'], 'both')
  return family === 'both' ? ['IPv4', 'IPv6'] : [`IPv${family}`]
}

function rangesOf(given: Arguments, option: string, word?: string): string[] {
  const texts = (given.text(option) ?? '')
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
  if (word !== undefined && texts.length === 1 && texts[0] === word) return texts
  for (const text of texts) {
    if (parseRange(text) === undefined)
      throw usageError(`-${option}: "${text}" is no range, write one like 10.244.0.0/16`)
  }
  return texts
}
