/** Check of names of the cluster that hide names of the outside: with a search list, `github.com` is `github` in the namespace `com`. */
import { keyOf, type Service } from '../../cluster/objects.ts'
import { isCertainlyPublic, isPublicEnd } from '../public-ends.ts'
import { type Check, type Finding, fault, isMissing, kubectl, note, some, warning } from './check.ts'
import type { World } from './world.ts'

export const shadowsCheck: Check = {
  name: 'shadows',
  examine(world) {
    const findings = [...namespaceFindings(world), ...serviceFindings(world)]
    return { summary: 'no namespace or service is called as a public suffix is', findings }
  },
}

/** Whether the name that was given is one of the captured. */
function isTarget({ target }: World, namespace: string): boolean {
  if (isMissing(target)) return false
  return target.destinations.some(({ service }) => service?.startsWith(`${namespace}/`))
}

function namespaceFindings(world: World): Finding[] {
  const { view, zone } = world
  const services = Map.groupBy(view.list('Service'), ({ namespace }) => namespace)
  return [...view.list('Namespace')]
    .filter(({ name }) => isPublicEnd(name))
    .map(({ name }) => {
      const captured = (services.get(name) ?? []).map(service => `${service.name}.${name}`)
      const next = [
        `kubectl -n ${name} get services`,
        'give the namespace another name, or write names of the outside with a dot at the end',
      ]
      if (!isCertainlyPublic(name))
        return note(
          `namespace ${name} is called as a public suffix is: ${some(captured, 3) || `x.${name}`} is never the one outside`,
        )
      if (captured.length === 0)
        return warning(
          `namespace ${name} is called as a public suffix is`,
          `a service x there would hide x.${name} from all pods`,
          next,
        )
      return fault(
        `namespace ${name} is called as a public suffix is, and has ${some(captured)}`,
        `${captured[0]} of the outside cannot be reached from any pod: svc.${zone} in the search list makes it ${captured[0]}.svc.${zone}`,
        next,
        isTarget(world, name) ? ['name', 'endpoints', 'target port', 'network policy'] : [],
      )
    })
}

/** A headless service whose endpoints have hostnames hides `hostname.service` from the pods of its namespace. */
function serviceFindings({ view }: World): Finding[] {
  return [...view.list('Service')]
    .filter(service => service.headless && isPublicEnd(service.name))
    .flatMap(service => {
      const hosts = hostnamesOf(service, view)
      if (hosts.length === 0) return []
      const seen = `service ${keyOf(service)} is called as a public suffix is, and its endpoints have hostnames: ${some(hosts)}`
      return [
        warning(seen, `pods of namespace ${service.namespace} get it for ${hosts[0]}.${service.name}`, [
          kubectl('get service', keyOf(service)),
        ]),
      ]
    })
}

function hostnamesOf(service: Service, view: World['view']): string[] {
  return view.slices(keyOf(service)).flatMap(({ endpoints }) => endpoints.flatMap(({ hostname }) => hostname || []))
}
