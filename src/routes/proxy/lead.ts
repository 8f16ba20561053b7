/** Where a route leads on a node, or for somebody who is on none, as a front needs to know it. */
import { pathOf } from '../path.ts'
import type { Route } from '../route.ts'
import type { Setting } from '../setting.ts'
import { usable, verdict } from '../usable.ts'
import type { Lead } from './pool.ts'

/**
 * Who is on no node (its name is empty) has no endpoint near, and could use nothing that a Local policy holds: there the policies do
 * not apply. On a node they hold for everybody, pods and the node itself as well: a socket does not tell them from others.
 */
export function leadOf(given: Route, setting: Setting): Lead {
  const route = setting.place.node === '' ? unlimited(given) : given
  const { destination, kind } = route
  const said = verdict(destination, usable(destination, setting.place), kind === 'ClusterIP' ? 'internal' : 'external')
  const { affinitySeconds, sourceRanges } = destination
  if (said.action !== 'forward') return { backends: [], affinitySeconds, refuse: () => said.why }
  const guarded = kind === 'LoadBalancer' && sourceRanges.length > 0
  return {
    backends: said.backends,
    affinitySeconds,
    refuse(client) {
      if (!guarded) return undefined
      const { outcome } = pathOf(route, setting, client)
      return outcome.action !== 'forward' && outcome.reason === 'source ranges' ? outcome.why : undefined
    },
  }
}

function unlimited(route: Route): Route {
  const { destination } = route
  return { ...route, destination: { ...destination, internalPolicy: 'Cluster', externalPolicy: 'Cluster' } }
}
