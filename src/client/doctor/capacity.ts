/** Check of what the API cuts off: an Endpoints object holds a thousand addresses, and says in an annotation where there are more. */
import { type Check, fault, isMissing, kubectl } from './check.ts'

/** What the endpoints controller keeps (Kubernetes 1.22 and newer). */
const mostAddresses = 1_000

export const capacityCheck: Check = {
  name: 'capacity',
  examine({ truncated, view }) {
    if (isMissing(truncated)) return truncated
    const findings = truncated.map(key => {
      const all = view.slices(key).flatMap(({ endpoints }) => endpoints).length
      const has = all > mostAddresses ? `, of ${all} that its slices have` : ''
      return fault(
        `Endpoints ${key} was cut off (endpoints.kubernetes.io/over-capacity): it holds ${mostAddresses} addresses at most${has}`,
        'whatever reads Endpoints and not EndpointSlices sends nothing to the others',
        [kubectl('get endpoints -o yaml', key), 'have its readers follow EndpointSlices'],
      )
    })
    return { summary: 'no Endpoints object is cut off', findings }
  },
}
