/** Reads services, and gives those without an address one of the service range, as the API server does when they are created. */
import type { Fields } from '../../cluster/fields.ts'
import { keyOf, type Service } from '../../cluster/objects.ts'
import { canonicalAddress, type Family, familyOf } from '../../wire/address.ts'
import { allocate, type Pool } from './allocate.ts'
import { trimOrThrow } from './problems.ts'
import type { Item } from './select.ts'

export interface ServicePlan {
  /** Without addresses where `addressServices` has yet to give it some. */
  readonly service: Service
  /** The families of its addresses and endpoints, primary first. */
  readonly families: readonly Family[]
}

const policies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const

/** `supported` are the families of the service ranges, the default first. */
export function readService({ fields }: Item, supported: readonly Family[], detail: boolean): ServicePlan {
  const service = trimOrThrow('Service', fields.json, detail)
  const spec: Fields = fields.child('spec')
  const policy = spec.oneOf('ipFamilyPolicy', policies, 'SingleStack')
  const asked = spec.texts('ipFamilies')
  if (!asked.every(isFamily)) spec.refuse('ipFamilies', 'IPv4 and IPv6')
  const given = service.clusterIPs.map(familyOf)
  const known = [...new Set([...given, ...asked, ...supported])]
  const dual = policy !== 'SingleStack' || asked.length > 1 || given.length > 1
  const families = dual ? known : known.slice(0, 1)
  if (policy === 'RequireDualStack' && families.length < 2)
    spec.refuse('ipFamilyPolicy', 'SingleStack: there is one service range')
  if (needsAddress(service) && !families.every(family => given.includes(family) || supported.includes(family))) {
    spec.refuse('ipFamilies', `of a service range: ${supported.join(', ')}`)
  }
  return { service, families }
}

/** Gives each service the addresses that it lacks; the ones it has stay. Throws where a pool is too small. */
export function addressServices(plans: readonly ServicePlan[], pools: readonly Pool[]): ServicePlan[] {
  const taken = new Set(plans.flatMap(({ service }) => service.clusterIPs.map(canonicalAddress)))
  const addresses = pools.map(pool => {
    const lacking = plans.filter(
      ({ service, families }) => needsAddress(service) && lacks(service, families, pool.family),
    )
    const keys = lacking.map(({ service }) => keyOf(service))
    return allocate(pool, keys, taken)
  })
  return plans.map(plan => {
    const { service, families } = plan
    const given = addresses.flatMap(found => found.get(keyOf(service)) ?? [])
    if (given.length === 0) return plan
    const all = [...service.clusterIPs, ...given]
    const clusterIPs = families.flatMap(family => all.filter(ip => familyOf(ip) === family))
    return { ...plan, service: { ...service, clusterIPs } }
  })
}

function needsAddress({ type, headless }: Service): boolean {
  return type !== 'ExternalName' && !headless
}

function lacks({ clusterIPs }: Service, families: readonly Family[], family: Family): boolean {
  return families.includes(family) && !clusterIPs.some(ip => familyOf(ip) === family)
}

function isFamily(text: string): text is Family {
  return text === 'IPv4' || text === 'IPv6'
}
