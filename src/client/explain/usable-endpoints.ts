/** Why a service has no endpoint that anybody may use: from its selector, its pods and its slices. */
import type { ClusterView } from '../../cluster/contract.ts'
import { type Endpoint, keyOf, type Pod, type Service } from '../../cluster/objects.ts'
import { unreadiness } from '../readiness.ts'

/** How many pods are named one by one. */
const named = 3

/** A sentence without its full stop; undefined where an endpoint is ready. */
export function endpointLack(view: ClusterView, service: Service): string | undefined {
  const endpoints = view.slices(keyOf(service)).flatMap(slice => slice.endpoints)
  if (endpoints.some(({ ready }) => ready)) return portLack(view, service)
  if (endpoints.length > 0) return `0 of ${endpoints.length} endpoints ready: ${unreadyText(view, service, endpoints)}`
  if (Object.keys(service.selector).length === 0)
    return `service ${keyOf(service)} has no selector, and no EndpointSlice is labelled with its name`
  const pods = selected(view, service)
  if (pods.length === 0)
    return `the selector ${labelsText(service.selector)} selects no pod of namespace ${service.namespace}${nearMiss(view, service)}`
  const unready = pods.flatMap(pod => unreadiness(pod) ?? [])
  if (unready.length === pods.length) return `0 of ${pods.length} selected pods ready: ${listed(unready)}`
  return portLack(view, service) ?? `${pods.length} pods are selected, and the EndpointSlices have none of them yet`
}

/** A named target port that no container has: then slices have the port without a number, or no endpoints for it. */
function portLack(view: ClusterView, service: Service): string | undefined {
  const pods = selected(view, service)
  if (pods.length === 0 || pods.some(({ detail }) => detail === undefined)) return undefined
  const names = new Set(
    pods.flatMap(({ detail }) => detail!.containers.flatMap(({ ports }) => ports)).map(({ name }) => name),
  )
  const unknown = service.ports.find(({ targetPort }) => typeof targetPort === 'string' && !names.has(targetPort))
  if (unknown === undefined) return undefined
  const known = [...names].filter(name => name !== '')
  const has = known.length > 0 ? `they have ${known.join(', ')}` : 'they name no port'
  return `targetPort "${unknown.targetPort}" of port ${unknown.port} is no port of the containers of ${keyOf(pods[0]!)}: ${has}`
}

function selected(view: ClusterView, { namespace, selector }: Service): Pod[] {
  const wanted = Object.entries(selector)
  if (wanted.length === 0) return []
  return [...view.list('Pod')].filter(
    pod => pod.namespace === namespace && wanted.every(([key, value]) => pod.labels[key] === value),
  )
}

/** What pods there have in the place of what is selected: the usual slip is in one value. */
function nearMiss(view: ClusterView, { namespace, selector }: Service): string {
  const pods = [...view.list('Pod')].filter(pod => pod.namespace === namespace)
  if (pods.length === 0) return ', which has no pods'
  for (const [key, value] of Object.entries(selector)) {
    const values = new Set(pods.flatMap(({ labels }) => labels[key] ?? []))
    if (values.has(value)) continue
    const some = [...values].slice(0, 5).join(', ')
    return values.size === 0 ? `: no pod there has the label ${key}` : `: pods there have ${key}=${some}`
  }
  return ''
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}

function unreadyText(view: ClusterView, { namespace }: Service, endpoints: readonly Endpoint[]): string {
  return listed(
    endpoints.map(({ targetName, addresses, terminating }) => {
      const pod = view.get('Pod', `${namespace}/${targetName}`)
      const text = pod && unreadiness(pod)
      const who = targetName === '' ? addresses[0] : `pod ${namespace}/${targetName}`
      return text ?? `${who} is ${terminating ? 'terminating' : 'not ready, says its EndpointSlice'}`
    }),
  )
}

function listed(texts: readonly string[]): string {
  const more = texts.length > named ? [`${texts.length - named} more`] : []
  return [...texts.slice(0, named), ...more].join('; ')
}
