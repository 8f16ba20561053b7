/**
 * Names that are made when they are asked for, as there is no end of them or nobody is expected to ask: pods, endpoints of
 * services that have an address of their own, ports in spellings of all kinds, topology zones.
 */
import type { EndpointSlice } from '../cluster/objects.ts'
import { narrowed } from '../cluster/packed-slice.ts'
import { namesakes } from './address.ts'
import { type PodMode, podItems } from './pod-names.ts'
import type { Selection } from './selection.ts'
import {
  type Item,
  type NamingOptions,
  portItems,
  rareEndpointItems,
  ZONAL_LABEL,
  zonalItems,
} from './service-names.ts'

export interface RareNameOptions extends NamingOptions {
  readonly pods: PodMode
}

/** What stands behind such a name, whose labels are relative to the origin. Undefined where there is no such name. */
export function rareItems(
  labels: readonly string[],
  selection: Selection,
  options: RareNameOptions,
): readonly Item[] | undefined {
  const branch = labels.at(-1)
  if (branch === 'pod') return some(podItems(labels, options.pods, selection))
  return branch === 'svc' ? serviceItems(labels, selection, options) : undefined
}

/** `[...left, service, namespace, 'svc']` */
function serviceItems(
  labels: readonly string[],
  selection: Selection,
  options: RareNameOptions,
): readonly Item[] | undefined {
  const [name, namespace] = labels.slice(-3) as [string, string]
  const left = labels.slice(0, -3)
  if (left.length === 0 || !selection.exposes(namespace)) return undefined
  const key = `${namespace}/${name}`
  const service = selection.service(key)
  if (service === undefined) return undefined
  const slices = selection.slices(key)
  if (left.length === 1) {
    const search = namesakes(left[0]!)
    const candidates = slices.map(slice => narrowed(slice, search))
    return rareEndpointItems(service, candidates, options).get(left[0]!)
  }
  if (left.length === 2) {
    const [port, protocol] = left.map(label => label.replace(/^_/, '')) as [string, string]
    return some(portItems(service, slices, options, { port, protocol }))
  }
  if (!options.zonal || !service.headless || left.at(-1) !== ZONAL_LABEL) return undefined
  return zoneItems(left.slice(0, -1), slices, options)
}

/** `[...zone, directive]`: a zone's name may hold dots. */
function zoneItems(
  labels: readonly string[],
  slices: readonly EndpointSlice[],
  options: NamingOptions,
): readonly Item[] | undefined {
  const directive = labels.at(-1)
  if (directive !== 'pin' && directive !== 'prefer') return undefined
  const items = zonalItems(slices, options, labels.slice(0, -1).join('.'))
  if (items.length > 0 || directive === 'pin') return items
  return zonalItems(slices, options, undefined)
}

function some(items: readonly Item[]): readonly Item[] | undefined {
  return items.length > 0 ? items : undefined
}
