/** Commands that show the cause of a verdict, or mend it. */
import type { Pod } from '../../cluster/objects.ts'
import type { DestinationFacts } from './destination.ts'
import type { Explanation } from './explain.ts'

export function adviceOf({ verdict, why, dns, destinations, walk }: Explanation, { namespace }: Pod): string[] {
  const deciding = [...dns, ...destinations]
  switch (verdict) {
    case 'denied':
      return denials(deciding)
    case 'no endpoint':
      return lackingEndpoints(destinations)
    case 'not resolvable':
      return missingNames(
        why,
        walk.steps.map(({ name }) => name),
        namespace,
      )
    default:
      return []
  }
}

function denials(destinations: readonly DestinationFacts[]): string[] {
  const closed = destinations.filter(({ outcome }) => outcome === 'denied')
  const sides = closed.flatMap(({ backends }) =>
    backends.flatMap(({ policy: { egress, ingress } }) => [egress, ingress]),
  )
  const policies = new Set(sides.filter(({ allowed }) => !allowed).flatMap(({ isolatedBy }) => isolatedBy))
  return [...policies].slice(0, 3).map(key => command('describe networkpolicy', key))
}

function lackingEndpoints(destinations: readonly DestinationFacts[]): string[] {
  const services = new Set(
    destinations.flatMap(({ service, outcome }) => (outcome === 'no endpoint' ? (service?.split(':')[0] ?? []) : [])),
  )
  return [...services].slice(0, 2).flatMap(key => {
    const [namespace = '', name = ''] = key.split('/')
    return [
      `kubectl -n ${namespace} get endpointslices -l kubernetes.io/service-name=${name}`,
      command('describe service', key),
    ]
  })
}

function missingNames(why: string, names: readonly string[], namespace: string): string[] {
  const pod = /\bpod ([\w.-]+\/[\w.-]+)/.exec(why)?.[1]
  if (pod !== undefined) return [command('describe pod', pod)]
  const missing = /no service ([\w-]+) in namespace ([\w-]+)/.exec(why)
  if (missing !== null) return [`kubectl -n ${missing[2]} get services`]
  if (/no namespace/.test(why)) return ['kubectl get namespaces']
  return names.length > 0 && /service/.test(why) ? [`kubectl -n ${namespace} get services`] : []
}

function command(what: string, key: string): string {
  const [namespace, name] = key.split('/')
  return `kubectl -n ${namespace} ${what} ${name}`
}
