/** The cluster of the bench on an API server: it grows, and its endpoints change one at a time. */
import type { ApiClient, ApiObject } from '../../e2e/api-client.ts'
import { nodeIPs } from '../../e2e/routes/plan.ts'
import { chance } from '../../wire/random.ts'
import { type Entry, objectsOf } from '../data.ts'

/** Requests at once; the client opens no more connections. */
const writers = 8
const seed = 11

/** The node that rules are for: one of those that the endpoints are on. */
export const node = { name: 'node0', zone: 'zone0', podRanges: ['10.128.0.0/9', 'fd00:10::/32'] } as const

export type ChangeKind = 'replaced' | 'added' | 'removed'

/** What one change does. */
export interface Change {
  readonly kind: ChangeKind
  readonly service: string
  /** The address that came, or for a removal the one that went. */
  readonly address: string
}

interface Member {
  readonly addresses: readonly string[]
  readonly [field: string]: unknown
}

export class BenchCluster {
  readonly #client: ApiClient
  readonly #entries: readonly Entry[]
  readonly #say: (line: string) => void
  readonly #chance = chance(seed)
  /** The endpoints of slices that have changed. */
  readonly #members = new Map<ApiObject, readonly Member[]>()
  #size = 0
  #fresh = 0

  constructor(client: ApiClient, entries: readonly Entry[], say: (line: string) => void) {
    this.#client = client
    this.#entries = entries
    this.#say = say
  }

  /** Has the API server hold the first so many services, with the node; there are never fewer than before. */
  async grow(size: number): Promise<void> {
    if (this.#size === 0) {
      await this.#client.create(nodeObject())
      for (const object of objectsOf([])) await this.#client.create(object)
    }
    const objects = this.#entries.slice(this.#size, size).flatMap(entry => entry.objects)
    if (objects.length === 0) return
    this.#size = size
    this.#say(`posting ${objects.length} objects: ${size} services`)
    const queue = objects.values()
    const writer = async (): Promise<void> => {
      for (const object of queue) await this.#client.create(object)
    }
    await Promise.all(Array.from({ length: writers }, writer))
  }

  /** Changes one ready endpoint of a service with cluster addresses that chance picks. Resolves at the API server's reply. */
  async change(kind: ChangeKind): Promise<Change> {
    const entries = this.#entries.slice(0, this.#size)
    const plain = entries.filter(
      ({ kind, clusterIPs, members }) => kind === 'ClusterIP' && clusterIPs.length === 1 && members.length > 1,
    )
    const entry = this.#chance.pick(plain)
    const slice = entry.objects[1]!
    const members = this.#members.get(slice) ?? (slice['endpoints'] as readonly Member[])
    const [first, ...rest] = members as [Member, ...Member[]]
    const fresh = { ...first, addresses: [this.#freshAddress()] }
    const after = { replaced: [fresh, ...rest], added: [fresh, ...members], removed: rest }[kind]
    this.#members.set(slice, after)
    await this.#client.merge(slice, { endpoints: after })
    return { kind, service: entry.name, address: kind === 'removed' ? first.addresses[0]! : fresh.addresses[0]! }
  }

  #freshAddress(): string {
    const n = this.#fresh++
    return `10.250.${n >> 8}.${n & 255}`
  }
}

function nodeObject(): ApiObject {
  return {
    kind: 'Node',
    metadata: { name: node.name, labels: { 'topology.kubernetes.io/zone': node.zone } },
    status: { addresses: nodeIPs.map(address => ({ type: 'InternalIP', address })) },
  }
}
