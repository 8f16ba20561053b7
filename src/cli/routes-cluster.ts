/** The cluster that a command speaks of: from manifests, or from an API server as kubectl finds it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from '../cluster/contract.ts'
import type { Kind } from '../cluster/objects.ts'
import { ClusterState } from '../cluster/state.ts'
import { PortolanError } from '../errors.ts'
import { type Logger, logger } from '../observe/logger.ts'
import { metrics } from '../observe/metrics.ts'
import type { KnownCluster } from '../routes/facts/cluster.ts'
import { RouteTable } from '../routes/table.ts'
import type { Access } from '../sources/apiserver/index.ts'
import { type Arguments, usageError } from './arguments.ts'
import type { Shell } from './shell.ts'

/** How long an API server may take. */
const patienceMs = 60_000

/** Reads the cluster in full. `pods` says whether pods are needed too. */
export async function readCluster(given: Arguments, shell: Shell, pods: boolean): Promise<KnownCluster> {
  const kinds: Kind[] = ['Service', 'EndpointSlice', 'Node', ...(pods ? (['Pod'] as const) : [])]
  const { state } = await readState(given, shell, { kinds })
  const table = new RouteTable()
  table.rebuild(state)
  return { state, table, pods, nodeless: undefined }
}

export interface Wanted {
  readonly kinds: readonly Kind[]
  /** Kinds that may be forbidden, or not be there. */
  readonly optional?: readonly Kind[]
  /** Whether to keep what only explanations need. */
  readonly detail?: boolean
}

export interface ReadState {
  readonly state: ClusterState
  /** The optional kinds that could not be read, and why. */
  readonly lacking: ReadonlyMap<Kind, string>
}

/** Reads objects in full, once. */
export async function readState(given: Arguments, shell: Shell, wanted: Wanted): Promise<ReadState> {
  const { kinds, optional = [] } = wanted
  const state = new ClusterState({ kinds: [...kinds, ...optional] })
  const lacking = new Map<Kind, string>()
  const stop = new AbortController()
  const failed = Promise.withResolvers<never>()
  const late = shell.clock.after(patienceMs, () =>
    failed.reject(new PortolanError('PORTOLAN_ROUTES_SLOW', `the cluster was not read in ${patienceMs / 1000} s`)),
  )
  const read = async (kinds: readonly Kind[], forgiving: boolean): Promise<void> => {
    const missed = Promise.withResolvers<void>()
    const fail = (problem: PortolanError) => {
      if (!forgiving) return failed.reject(problem)
      for (const kind of kinds) lacking.set(kind, problem.message)
      missed.resolve()
    }
    const source = await sourceOf(given, shell, { kinds, detail: wanted.detail ?? false, fail })
    await Promise.race([source.follow(state, stop.signal), missed.promise])
  }
  try {
    // Manifests are read once for all kinds; of an API server each kind that may be missing is read by itself.
    const groups = given.has('manifests') ? [] : optional.map(kind => [kind])
    const main = given.has('manifests') ? [...kinds, ...optional] : kinds
    await Promise.race([Promise.all([read(main, false), ...groups.map(group => read(group, true))]), failed.promise])
  } finally {
    late.cancel()
    stop.abort()
  }
  return { state, lacking }
}

export interface SourceWanted {
  readonly kinds: readonly Kind[]
  readonly detail?: boolean
  /** Where it goes on after the first reading: it never gives up, and what goes wrong is logged here. Without it everything is read once. */
  readonly log?: Logger
  /** Told what goes wrong with an API server. */
  readonly fail?: (problem: PortolanError) => void
}

/** As often as the server does: an event that never came is not missed for long. */
const selfCheckMs = 60_000

/** The source of the cluster that the options name. */
export async function sourceOf(
  given: Arguments,
  shell: Shell,
  { kinds, detail = false, log, fail }: SourceWanted,
): Promise<Source> {
  const { clock, random } = shell
  const path = given.text('manifests')
  if (path !== undefined) {
    if (given.has('kubeconfig')) throw usageError('-manifests and -kubeconfig are two clusters: give one')
    const { manifestsSource } = await import('../sources/manifests/index.ts')
    const watched = log === undefined ? ({ watch: 'never' } as const) : { clock, log }
    return manifestsSource({ path, kinds, detail, ...watched })
  }
  const access = accessOf(given, shell)
  const { apiserverSource } = await import('../sources/apiserver/index.ts')
  return apiserverSource({
    ...{ access, kinds, detail, clock, random },
    // What goes wrong with one that is read once is the command's to say.
    log: log ?? logger({ format: 'text', write: () => undefined }),
    metrics: metrics(),
    selfCheckMs: log === undefined ? 0 : selfCheckMs,
    onProblem: (_, problem) => {
      if (problem !== undefined) fail?.(problem)
    },
  })
}

/** How the cluster of the options is reached. */
export function accessOf(given: Arguments, shell: Shell): Access {
  return { from: 'kubeconfig', file: kubeconfigOf(given, shell), context: given.text('context') }
}

/** As kubectl finds it; of several files in $KUBECONFIG the first that there is. */
function kubeconfigOf(given: Arguments, { env }: Shell): string {
  const named = given.text('kubeconfig')
  if (named !== undefined) return named
  const usual = env['HOME'] === undefined ? [] : [join(env['HOME'], '.kube', 'config')]
  const candidates = env['KUBECONFIG'] ? env['KUBECONFIG'].split(':').filter(file => file !== '') : usual
  const found = candidates.find(file => existsSync(file))
  if (found !== undefined) return found
  const tried = candidates.length === 0 ? '' : ` (there is no ${candidates.join(', ')})`
  throw usageError(`which cluster? give -manifests PATH, -kubeconfig FILE or -server URL${tried}`)
}
