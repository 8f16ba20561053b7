/** Destinations of two moments, mixed service by service. */
import type { Key } from '../../cluster/objects.ts'
import type { Destination } from '../route.ts'

export function byService(destinations: readonly Destination[]): Map<Key, Destination[]> {
  return Map.groupBy(destinations, ({ service }) => service)
}

/** Of the services that `isNew` names what is new, of all others what is old; in the table's order. */
export function chosen(
  old: readonly Destination[],
  fresh: readonly Destination[],
  isNew: (service: Key) => boolean,
): readonly Destination[] {
  const [before, after] = [byService(old), byService(fresh)]
  const services = [...new Set([...before.keys(), ...after.keys()])].sort()
  return services.flatMap(service => (isNew(service) ? after : before).get(service) ?? [])
}
