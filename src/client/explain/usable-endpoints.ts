/** Why a service has no endpoint that anybody may use: from its selector, its pods and its slices. */
import type { ClusterView } from '../../cluster/contract.ts'
import { type Endpoint, keyOf, type Pod, type Service } from '../../cluster/objects.ts'
import { unreadiness } from '../readiness.ts'

/** How many pods are named one by one. */
const most = 10

export interface EndpointLack {
  /** A sentence without its full stop. */
  readonly why: string
  /** The same of each endpoint, or of each pod that could be one. */
  readonly each: readonly string[]
}

/** Undefined where an endpoint is ready. */
export function endpointLack(view: ClusterView, service: Service): EndpointLack | undefined {
  const endpoints = view.slices(keyOf(service)).flatMap(slice => slice.endpoints)
  if (endpoints.some(({ ready }) => ready)) return simple(portLack(view, service))
  if (endpoints.length > 0)
    return unready(
      'endpoints',
      endpoints.map(endpoint => endpointText(view, service, endpoint)),
    )
  if (Object.keys(service.selector).length === 0)
    return simple(`service ${keyOf(service)} has no selector, and no EndpointSlice is labelled with its name`)
  const pods = selected(view, service)
  const selector = `the selector ${labelsText(service.selector)}`
  if (pods.length === 0)
    return simple(`${selector} selects no pod of namespace ${service.namespace}${nearMiss(view, service)}`)
  const texts = pods.flatMap(pod => unreadiness(pod) ?? [])
  if (texts.length === pods.length) return unready('selected pods', texts)
  const unlisted = `${selector} selects ${pods.length === 1 ? 'a pod' : `${pods.length} pods`}, and no EndpointSlice has any of them yet`
  return simple(portLack(view, service) ?? unlisted)
}

function simple(why: string | undefined): EndpointLack | undefined {
  return why === undefined ? undefined : { why, each: [] }
}

/** The first stands for all in the sentence. */
function unready(what: string, texts: readonly string[]): EndpointLack {
  const others = texts.length > 1 ? `; ${texts.length - 1} more` : ''
  const each = texts.length > most ? [...texts.slice(0, most), `${texts.length - most} more`] : texts
  return { why: `0 of ${texts.length} ${what} ready: ${texts[0]}${others}`, each: texts.length > 1 ? each : [] }
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

function endpointText(
  view: ClusterView,
  { namespace }: Service,
  { targetName, addresses, terminating }: Endpoint,
): string {
  const pod = view.get('Pod', `${namespace}/${targetName}`)
  const text = pod && unreadiness(pod)
  const who = targetName === '' ? addresses[0] : `pod ${namespace}/${targetName}`
  return text ?? `${who} is ${terminating ? 'terminating' : 'not ready, says its EndpointSlice'}`
}
