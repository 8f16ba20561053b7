/**
 * An EndpointSlice that holds its endpoints as one short text and makes objects of them whenever they are read: a cluster has ten
 * times as many endpoints as anything else, and each is looked at only when something about its service changes.
 */
import { type Endpoint, type EndpointHints, type EndpointPort, type EndpointSlice, NO_HINTS } from './objects.ts'

type SliceFields = Omit<EndpointSlice, 'kind'>

/** `[addresses, hostname, flags, targetName, nodeName, zone]`, and hints where there are any; of one address the text alone. */
type Packed = readonly [string | readonly string[], string, number, string, string, string, EndpointHints?]

const READY = 1
const SERVING = 2
const TERMINATING = 4

export class PackedSlice implements EndpointSlice {
  readonly kind = 'EndpointSlice'
  readonly name: string
  readonly namespace: string
  readonly labels: SliceFields['labels']
  readonly serviceName: string
  readonly lastChangeTriggerTime: number
  readonly addressType: SliceFields['addressType']
  readonly ports: readonly EndpointPort[]
  /** Public so that slices are compared by it. */
  readonly packed: string

  constructor(fields: SliceFields) {
    this.name = fields.name
    this.namespace = fields.namespace
    this.labels = fields.labels
    this.serviceName = fields.serviceName
    this.lastChangeTriggerTime = fields.lastChangeTriggerTime
    this.addressType = fields.addressType
    this.ports = fields.ports
    this.packed = `[${fields.endpoints.map(endpoint => JSON.stringify(pack(endpoint))).join(SEPARATOR)}]`
  }

  get endpoints(): readonly Endpoint[] {
    return (JSON.parse(this.packed) as Packed[]).map(unpack)
  }

  /** The endpoints in whose packed text something is found; only these are made objects of. */
  matching(search: Search): Endpoint[] {
    const found: Endpoint[] = []
    for (let end = 0, at = search(this.packed, end); at >= 0; at = search(this.packed, end)) {
      const before = this.packed.lastIndexOf(SEPARATOR, at)
      const after = this.packed.indexOf(SEPARATOR, at)
      const start = before < 0 ? 1 : before + SEPARATOR.length
      end = after < 0 ? this.packed.length - 1 : after
      found.push(unpack(JSON.parse(this.packed.slice(start, end)) as Packed))
    }
    return found
  }
}

/** Where something stands in a text at `from` or behind, -1 where it does not: as `indexOf` says. */
export type Search = (text: string, from: number) => number

/** Between endpoints; within JSON no line ends. */
const SEPARATOR = ',\n'

/** The slice with no other endpoints than those in whose text, as JSON has it, something is found: a large one is not unpacked for one. */
export function narrowed(slice: EndpointSlice, search: Search): EndpointSlice {
  if (!(slice instanceof PackedSlice)) return slice
  const { name, namespace, labels, serviceName, lastChangeTriggerTime, addressType, ports } = slice
  const endpoints = slice.matching(search)
  const kind = 'EndpointSlice'
  return { kind, name, namespace, labels, serviceName, lastChangeTriggerTime, addressType, ports, endpoints }
}

function pack(endpoint: Endpoint): Packed {
  const { addresses, hostname, targetName, nodeName, zone, hints } = endpoint
  const flags =
    (endpoint.ready ? READY : 0) | (endpoint.serving ? SERVING : 0) | (endpoint.terminating ? TERMINATING : 0)
  const packed = [
    addresses.length === 1 ? addresses[0]! : addresses,
    hostname,
    flags,
    targetName,
    nodeName,
    zone,
  ] as const
  return hints.forZones.length + hints.forNodes.length === 0 ? packed : [...packed, hints]
}

function unpack([addresses, hostname, flags, targetName, nodeName, zone, hints = NO_HINTS]: Packed): Endpoint {
  return {
    addresses: typeof addresses === 'string' ? [addresses] : addresses,
    hostname,
    ready: (flags & READY) !== 0,
    serving: (flags & SERVING) !== 0,
    terminating: (flags & TERMINATING) !== 0,
    targetName,
    nodeName,
    zone,
    hints,
  }
}
