/**
 * Where the Ingresses of a cluster lead a request: the rule that counts, its certificate and its backend. Controllers differ in what
 * the API leaves to them; ingress-nginx is followed there. What becomes of the request at the service is left to others.
 */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Ingress, IngressBackend, IngressPath } from '../../cluster/ingress.ts'
import { type Key, keyOf, type Service, type ServicePort } from '../../cluster/objects.ts'
import { hint } from '../../corefile/nearest.ts'
import { backendOf } from './backend.ts'
import { type Certificate, certificateOf } from './certificate.ts'
import { type ClassOf, classOf } from './class.ts'
import { type Finding, note } from './finding.ts'
import { byPrecedence, fitsPath, type HostFit, hostFit, hostFits } from './match.ts'

export type { Certificate } from './certificate.ts'
export type { ClassOf } from './class.ts'
export type { Finding } from './finding.ts'

export interface IngressRequest {
  readonly scheme: 'http' | 'https'
  /** In lower case, without a port. */
  readonly host: string
  /** Starts with a slash. */
  readonly path: string
}

/** Undefined for a text that is no http or https URL. */
export function parseIngressUrl(text: string): IngressRequest | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  const host = url.hostname.replace(/\.$/, '')
  return { scheme: url.protocol === 'https:' ? 'https' : 'http', host, path: url.pathname }
}

export interface IngressRoute {
  readonly ingress: Key
  readonly class: ClassOf
  /** What of it decides: `spec.rules[0].http.paths[1]`, or `spec.defaultBackend`. */
  readonly decides: string
  readonly backend: IngressBackend
  /** Undefined where there is no such service, or the backend is none. */
  readonly service: Service | undefined
  readonly servicePort: ServicePort | undefined
  /** Undefined for plain HTTP. */
  readonly certificate: Certificate | undefined
  readonly findings: readonly Finding[]
  /** A sentence without its full stop. */
  readonly why: string
}

export interface IngressAnswer {
  /** One for each class that takes the request; which of them does depends on the controller that it is sent to. */
  readonly routes: readonly IngressRoute[]
  /** A sentence without its full stop. */
  readonly why: string
}

/** What the source of the cluster follows: what it does not, nobody can miss. */
export interface IngressKnowledge {
  readonly secrets: boolean
}

export function ingressRoutes(view: ClusterView, request: IngressRequest, known: IngressKnowledge): IngressAnswer {
  const ingresses = [...view.list('Ingress')].sort(byAge)
  const classes = [...Map.groupBy(ingresses, ingress => classOf(view, ingress).name).values()]
  const choices = classes.flatMap(members => choose(members, request) ?? [])
  const closest = Math.max(...choices.map(({ fit }) => hostFits.indexOf(fit)))
  const chosen = choices.filter(({ fit }) => fit !== 'no' || closest === 0)
  const routes = chosen.map(choice => routeOf(view, choice, request, known))
  return { routes, why: routes.length > 0 ? routes.map(({ why }) => why).join('; ') : nothing(ingresses, request) }
}

/** Older ones count first where two say the same. */
function byAge(a: Ingress, b: Ingress): number {
  const age = (a.detail?.createdAt ?? 0) - (b.detail?.createdAt ?? 0)
  return age || (keyOf(a) < keyOf(b) ? -1 : 1)
}

/** What one class does with the request. */
interface Choice {
  readonly ingress: Ingress
  readonly members: readonly Ingress[]
  readonly fit: HostFit
  readonly decides: string
  readonly backend: IngressBackend
  /** Undefined for a default backend. */
  readonly path: IngressPath | undefined
}

function choose(members: readonly Ingress[], request: IngressRequest): Choice | undefined {
  const rules = members.flatMap(ingress =>
    ingress.rules.map((rule, index) => ({ ingress, rule, index, fit: hostFit(rule.host, request.host) })),
  )
  const fit = hostFits.findLast(fit => rules.some(rule => rule.fit === fit)) ?? 'no'
  const closest = fit === 'no' ? [] : rules.filter(rule => rule.fit === fit)
  const [first] = closest
    .flatMap(({ ingress, rule, index }) =>
      rule.paths.map((path, at) => ({ ingress, path, decides: `spec.rules[${index}].http.paths[${at}]` })),
    )
    .filter(({ path }) => fitsPath(path, request.path))
    .sort((a, b) => byPrecedence(a.path, b.path))
  if (first) return { ...first, members, fit, backend: first.path.backend }
  const own = closest.map(({ ingress }) => ingress)
  const fallback = [...own, ...members.filter(({ rules }) => rules.length === 0)].find(
    ({ defaultBackend }) => defaultBackend,
  )
  return (
    fallback && {
      ingress: fallback,
      members,
      fit,
      decides: 'spec.defaultBackend',
      backend: fallback.defaultBackend!,
      path: undefined,
    }
  )
}

function routeOf(view: ClusterView, choice: Choice, request: IngressRequest, known: IngressKnowledge): IngressRoute {
  const { ingress, members, decides, backend, path } = choice
  const found = backendOf(view, ingress, backend)
  const own = classOf(view, ingress)
  const others = members.filter(member => member !== ingress)
  const secure = request.scheme === 'https'
  const certificate = secure ? certificateOf(view, [ingress, ...others], request.host, known.secrets) : undefined
  const findings = [
    ...own.findings,
    ...pathFindings(path, request),
    ...(certificate?.findings ?? []),
    ...found.findings,
  ]
  return {
    ingress: keyOf(ingress),
    class: own,
    decides,
    backend,
    service: found.service,
    servicePort: found.port,
    certificate,
    findings,
    why: `${keyOf(ingress)} leads ${request.host}${request.path} to ${found.text}: ${decides}${path ? ` (${path.pathType} ${path.path || '/'})` : ''}`,
  }
}

function pathFindings(path: IngressPath | undefined, { host, path: asked }: IngressRequest): Finding[] {
  if (path === undefined)
    return [note(`no rule has host ${host} and a path that fits ${asked}, so the default backend gets it`)]
  if (path.pathType !== 'ImplementationSpecific') return []
  return [
    note(
      `what path ${path.path || '/'} of type ImplementationSpecific means is the controller's to say; taken as Prefix`,
    ),
  ]
}

function nothing(ingresses: readonly Ingress[], { host, path }: IngressRequest): string {
  const rules = ingresses.flatMap(ingress => ingress.rules.map(rule => ({ ingress, rule })))
  const fitting = rules.filter(({ rule }) => hostFit(rule.host, host) !== 'no')
  if (fitting.length === 0) {
    const hosts = [...new Set(rules.map(({ rule }) => rule.host))]
    return `no Ingress has the host ${host}${hint(host, hosts)}`
  }
  const paths = fitting.flatMap(({ rule }) => rule.paths.map(({ path, pathType }) => `${pathType} ${path || '/'}`))
  const where = [...new Set(fitting.map(({ ingress }) => keyOf(ingress)))].join(', ')
  return `no path of ${host} fits ${path}: ${where} has ${paths.join(', ') || 'none'}, and there is no default backend`
}
