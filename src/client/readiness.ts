/** Why a pod is not ready, from what the kubelet says of it. */
import { keyOf, type Pod } from '../cluster/objects.ts'

/** A sentence without its full stop; undefined for a pod that is ready. Times are UTC, as the API has them. */
export function unreadiness(pod: Pod): string | undefined {
  const name = `pod ${keyOf(pod)}`
  const { phase, terminating, nodeName, detail } = pod
  if (phase === 'Succeeded' || phase === 'Failed') return `${name} has ended (${phase})`
  if (terminating) return `${name} is being deleted`
  const readiness = detail?.readiness
  // Without a status it is a manifest's, which counts as it says.
  if (readiness === undefined)
    return phase === 'Running' ? undefined : `${name} is ${phase}${nodeName === '' ? ', on no node' : ''}`
  if (readiness.ready) return undefined
  const since = readiness.since === 0 ? '' : ` since ${new Date(readiness.since).toISOString().replace('.000', '')}`
  return `${name} is not ready${since}: ${causes(pod).join('; ') || reasonText(readiness)}`
}

/** What its containers show. One that runs and is not ready fails its probe, or has yet to pass it. */
function causes({ detail }: Pod): string[] {
  return (detail?.containers ?? []).flatMap(({ name, ready, startedAt, problem }) => {
    if (problem !== '') return `container ${name} does not run (${problem})`
    return startedAt > 0 && !ready ? `container ${name} runs and fails its readiness probe` : []
  })
}

function reasonText({ reason, message }: { readonly reason: string; readonly message: string }): string {
  return [reason, message].filter(text => text !== '').join(', ') || 'no reason is given'
}
