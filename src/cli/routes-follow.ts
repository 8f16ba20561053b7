/** The cluster that `portolan routes apply` follows: the same as other commands read once. */
import type { Source } from '../cluster/contract.ts'
import type { Kind } from '../cluster/objects.ts'
import type { Logger } from '../observe/logger.ts'
import { metrics } from '../observe/metrics.ts'
import { type Arguments, usageError } from './arguments.ts'
import { kubeconfigOf } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

export const followedKinds: readonly Kind[] = ['Service', 'EndpointSlice', 'Node']

/** As often as the server does: an event that never came is not missed for long. */
const selfCheckMs = 60_000

/** A source that never gives up; what goes wrong with it is logged. */
export async function liveSource(given: Arguments, { clock, random, ...shell }: Shell, log: Logger): Promise<Source> {
  const path = given.text('manifests')
  if (path !== undefined) {
    if (given.has('kubeconfig')) throw usageError('-manifests and -kubeconfig are two clusters: give one')
    const { manifestsSource } = await import('../sources/manifests/index.ts')
    return manifestsSource({ path, clock, log })
  }
  const { apiserverSource } = await import('../sources/apiserver/index.ts')
  return apiserverSource({
    access: {
      from: 'kubeconfig',
      file: kubeconfigOf(given, { clock, random, ...shell }),
      context: given.text('context'),
    },
    kinds: followedKinds,
    clock,
    random,
    log,
    metrics: metrics(),
    selfCheckMs,
  })
}
