/**
 * The environment variables of services that the kubelet gives a pod's containers, and those that a container misses because it is
 * older than the service. Follows pkg/kubelet/envvars and getServiceEnvVarMap of Kubernetes 1.34.
 */
import type { ClusterView } from '../cluster/contract.ts'
import { type Key, keyOf, type Pod, type Service, type ServicePort } from '../cluster/objects.ts'
import { familyOf } from '../wire/address.ts'

export interface Variable {
  readonly name: string
  readonly value: string
}

export interface ServiceVariables {
  readonly service: Key
  readonly variables: readonly Variable[]
  /** Containers that started before the service was created, by name: they get the variables when they start the next time. */
  readonly missedBy: readonly string[]
}

export interface PodEnvironment {
  /** By the key of the service. */
  readonly services: readonly ServiceVariables[]
  /** Names that two services give different values: which one a container gets is not defined. */
  readonly clashes: readonly string[]
  /** Whether it is known when containers started, and so what they miss. */
  readonly timed: boolean
}

/** A container's own `env` counts more than all of this. */
export function environmentOf(view: ClusterView, pod: Pod): PodEnvironment {
  const starts = startsOf(pod)
  const services = linked(view, pod).map(service => ({
    service: keyOf(service),
    variables: variablesOf(service),
    missedBy: starts.filter(({ at }) => at < (service.detail?.createdAt ?? 0)).map(({ name }) => name),
  }))
  return { services, clashes: clashesOf(services.flatMap(({ variables }) => variables)), timed: starts.length > 0 }
}

/** When containers that run were started. The kubelet makes the variables anew at each start, not once for a pod. */
function startsOf({ detail }: Pod): { name: string; at: number }[] {
  const containers = detail?.containers ?? []
  return containers.filter(({ startedAt }) => startedAt > 0).map(({ name, startedAt }) => ({ name, at: startedAt }))
}

/** Services of the pod's namespace, and the API server's, which one of the same name in the pod's own namespace hides. */
function linked(view: ClusterView, { namespace, detail }: Pod): Service[] {
  const own = detail?.enableServiceLinks ?? true
  const byName = new Map<string, Service>()
  const master = view.service('default/kubernetes')
  if (master) byName.set(master.name, master)
  for (const service of view.list('Service')) {
    if (own && service.namespace === namespace && service.clusterIPs.length > 0) byName.set(service.name, service)
  }
  const services = [...byName.values()].filter(({ clusterIPs, ports }) => clusterIPs.length > 0 && ports.length > 0)
  return services.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

/** Of the first family only, in the kubelet's order. */
export function variablesOf({ name, clusterIPs: [ip = ''], ports }: Service): Variable[] {
  const prefix = variableName(name)
  const host = familyOf(ip) === 'IPv6' ? `[${ip}]` : ip
  const named = ports.filter(port => port.name !== '')
  return [
    { name: `${prefix}_SERVICE_HOST`, value: ip },
    { name: `${prefix}_SERVICE_PORT`, value: `${ports[0]?.port}` },
    ...named.map(({ name, port }) => ({ name: `${prefix}_SERVICE_PORT_${variableName(name)}`, value: `${port}` })),
    ...ports.slice(0, 1).map(port => ({ name: `${prefix}_PORT`, value: urlOf(port, host) })),
    ...ports.flatMap(port => linkOf(prefix, port, ip, host)),
  ]
}

/** What Docker gave to linked containers. */
function linkOf(prefix: string, port: ServicePort, ip: string, host: string): Variable[] {
  const name = `${prefix}_PORT_${port.port}_${port.protocol}`
  return [
    { name, value: urlOf(port, host) },
    { name: `${name}_PROTO`, value: port.protocol.toLowerCase() },
    { name: `${name}_PORT`, value: `${port.port}` },
    { name: `${name}_ADDR`, value: ip },
  ]
}

function urlOf({ protocol, port }: ServicePort, host: string): string {
  return `${protocol.toLowerCase()}://${host}:${port}`
}

function variableName(text: string): string {
  return text.replaceAll('-', '_').toUpperCase()
}

/** `web-service` gives `WEB_SERVICE_PORT` another value than `web` does. */
function clashesOf(variables: readonly Variable[]): string[] {
  const values = Map.groupBy(variables, ({ name }) => name)
  return [...values].filter(([, all]) => new Set(all.map(({ value }) => value)).size > 1).map(([name]) => name)
}
