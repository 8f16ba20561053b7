/** What becomes of a request to a host of an Ingress: the rule that counts, and whether its service has somebody to answer it. */
import { keyOf } from '../../cluster/objects.ts'
import type { IngressAnswer, IngressRoute } from '../ingress/route.ts'
import type { Standpoint } from './destination.ts'
import type { Explanation } from './explain.ts'
import { endpointLack } from './usable-endpoints.ts'

export interface IngressFacts {
  readonly routes: readonly IngressRouteFacts[]
  readonly judgement: Pick<Explanation, 'verdict' | 'why'>
}

export interface IngressRouteFacts extends Pick<IngressRoute, 'ingress' | 'decides' | 'findings' | 'why' | 'backend'> {
  readonly class: string
  /** A secret's name; undefined for plain HTTP, or where none is named. */
  readonly service: string | undefined
  /** What a controller sends requests to: it goes to endpoints directly, past kube-proxy. */
  readonly endpoints: readonly string[]
  /** Why it has none; undefined where it has. */
  readonly lack: string | undefined
}

export function ingressFacts(stand: Standpoint, { routes, why }: IngressAnswer): IngressFacts {
  const facts = routes.map(route => routeFacts(stand, route))
  const faulty = facts.find(({ findings }) => findings.some(({ fault }) => fault))
  const lacking = facts.find(({ lack }) => lack !== undefined)
  if (lacking !== undefined)
    return { routes: facts, judgement: { verdict: 'no endpoint', why: `${lacking.why}, and ${lacking.lack}` } }
  if (faulty !== undefined) {
    const { text } = faulty.findings.find(({ fault }) => fault)!
    return { routes: facts, judgement: { verdict: 'unknown', why: `${text} (${faulty.why})` } }
  }
  return { routes: facts, judgement: { verdict: 'reachable', why } }
}

function routeFacts({ view, routes }: Standpoint, route: IngressRoute): IngressRouteFacts {
  const { ingress, decides, findings, why, backend, service, servicePort } = route
  const common = {
    ingress,
    decides,
    findings,
    why,
    backend,
    class: route.class.name,
    service: service && keyOf(service),
  }
  if (backend.resource !== undefined) return { ...common, endpoints: [], lack: undefined }
  if (service === undefined) return { ...common, endpoints: [], lack: `there is no service ${backend.service}` }
  if (servicePort === undefined)
    return { ...common, endpoints: [], lack: `service ${keyOf(service)} has no port ${backend.port}` }
  const compiled = routes.service(keyOf(service))
  const destination = Array.isArray(compiled)
    ? compiled.find(({ portName }) => portName === servicePort.name)
    : undefined
  const endpoints =
    destination?.backends
      .filter(({ ready }: { ready: boolean }) => ready)
      .map(({ address }: { address: string }) => address) ?? []
  const lack =
    endpoints.length > 0 || service.type === 'ExternalName' || service.headless
      ? undefined
      : endpointLack(view, service)
  return { ...common, endpoints, lack }
}
