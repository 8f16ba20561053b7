/** What becomes of a request to a host of an Ingress: the rule that counts, and whether its service has somebody to answer it. */
import { hostPort } from '../../corefile/addresses.ts'
import type { IngressAnswer, IngressRoute } from '../ingress/route.ts'
import type { Judgement } from './asker.ts'
import type { Standpoint } from './destination.ts'
import { endpointLack } from './usable-endpoints.ts'

export interface IngressFacts {
  readonly routes: readonly IngressRouteFacts[]
  readonly judgement: Judgement
}

export interface IngressRouteFacts extends Pick<IngressRoute, 'ingress' | 'decides' | 'findings' | 'why' | 'backend'> {
  readonly class: string
  /** Undefined for a backend that is no service. */
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

function routeFacts({ view }: Standpoint, route: IngressRoute): IngressRouteFacts {
  const { ingress, decides, findings, why, backend, service, servicePort } = route
  const common = { ingress, decides, findings, why, backend, class: route.class.name }
  if (backend.resource !== undefined) return { ...common, service: undefined, endpoints: [], lack: undefined }
  const key = `${ingress.split('/')[0]}/${backend.service}`
  // That it is missing is a fault that was found already.
  if (service === undefined || servicePort === undefined)
    return { ...common, service: key, endpoints: [], lack: undefined }
  const { name, protocol } = servicePort
  const endpoints = view.slices(key).flatMap(slice => {
    const port = slice.ports.find(own => own.name === name && own.protocol === protocol)?.port
    const ready = port === undefined ? [] : slice.endpoints.filter(endpoint => endpoint.ready)
    return ready.map(({ addresses }) => hostPort(addresses[0]!, port!))
  })
  const lack = endpoints.length > 0 || service.type === 'ExternalName' ? undefined : endpointLack(view, service)?.why
  return { ...common, service: key, endpoints, lack }
}
