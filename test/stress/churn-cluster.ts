/**
 * A small cluster on a real API server in which everything changes: services of every kind that become others, slices, pods,
 * namespaces that are deleted with all that is in them. Which change comes when is chance, from a seed.
 */
import { PortolanError } from '../../src/errors.ts'
import type { ApiClient, ApiObject, ApiReply } from '../e2e/api-client.ts'
import { type Endpoint, externalName, namespace, pod, service, slice } from '../e2e/objects.ts'
import { chance } from '../wire/random.ts'

const [namespaces, services, pods, addresses] = [6, 40, 40, 400]
const ports = ['http:80', 'dns:53/UDP']

/** The first is the kind that a service has most of the time. */
const kinds = ['ClusterIP', 'headless', 'ExternalName', 'NodePort'] as const

/** Everything there can ever be a name for. */
export const everything = {
  namespaces: names('ns', namespaces),
  services: names('svc', services),
  hostnames: names('host', 4),
  addresses: Array.from({ length: addresses }, (_, n) => `10.99.${n >> 8}.${n & 255}`),
}

export class ChangingCluster {
  readonly #client: ApiClient
  readonly #below: (n: number) => number
  /** Namespaces that were deleted and may still be there. */
  readonly #ending = new Set<string>()

  constructor(client: ApiClient, seed: number) {
    this.#client = client
    this.#below = chance(seed).below
  }

  async fill(): Promise<void> {
    for (const name of everything.namespaces) await this.#client.create(namespace(name))
  }

  /** Makes one change; returns what it was. */
  async change(): Promise<string> {
    const what = this.#below(100)
    if (what < 1) return this.#endNamespace()
    if (what < 5) return this.#beginNamespace()
    if (what < 35) return this.#changeService()
    return what < 70 ? this.#changeSlice() : this.#changePod()
  }

  async #endNamespace(): Promise<string> {
    const name = this.#one(everything.namespaces)
    this.#ending.add(name)
    return this.#sent('delete namespace', 'DELETE', `/api/v1/namespaces/${name}`)
  }

  async #beginNamespace(): Promise<string> {
    const [name] = this.#ending
    if (name === undefined) return this.#changeService()
    const { status } = await this.#client.send('GET', `/api/v1/namespaces/${name}`)
    if (status !== 404) return this.#changePod()
    this.#ending.delete(name)
    await this.#client.create(namespace(name))
    return 'create namespace'
  }

  async #changeService(): Promise<string> {
    const key = `${this.#one(everything.namespaces)}/${this.#one(everything.services)}`
    const path = pathOf('api/v1', 'services', key)
    const made = this.#service(key, this.#one(kinds))
    switch (this.#below(4)) {
      case 0:
        return this.#sent('delete service', 'DELETE', path)
      case 1:
        return this.#sent('service becomes ExternalName', 'PATCH', path, {
          spec: { type: 'ExternalName', externalName: this.#target(), clusterIP: '', clusterIPs: null },
        })
      case 2:
        return this.#sent('ExternalName becomes ClusterIP', 'PATCH', path, {
          spec: { type: 'ClusterIP', externalName: null, ports: [{ name: 'http', port: 80 + this.#below(9) }] },
        })
      default:
        // What has an address cannot become headless, nor the other way round: it is another service of the same name.
        await this.#sent('', 'DELETE', path)
        return this.#created('replace service', made)
    }
  }

  #service(key: string, kind: (typeof kinds)[number]): ApiObject {
    if (kind === 'ExternalName') return externalName(key, this.#target(), ports)
    const some = ports.slice(0, 1 + this.#below(2))
    const own = service(key, 'None', some, { spec: { publishNotReadyAddresses: this.#below(2) === 0 } })
    if (kind === 'headless') return own
    const { clusterIP, clusterIPs, ...spec } = own['spec'] as Record<string, unknown>
    return { ...own, spec: { ...spec, type: kind } }
  }

  #target(): string {
    const inside = `${this.#one(everything.services)}.${this.#one(everything.namespaces)}.svc.cluster.local`
    return this.#below(2) === 0 ? inside : `host${this.#below(9)}.example.test`
  }

  async #changeSlice(): Promise<string> {
    const key = `${this.#one(everything.namespaces)}/${this.#one(everything.services)}`
    const name = `part-${this.#below(3)}`
    const made = slice(key, this.#endpoints(), ports.slice(0, 1 + this.#below(2)), { name, addressType: 'IPv4' })
    const path = pathOf('apis/discovery.k8s.io/v1', 'endpointslices', `${key}-${name}`)
    if (this.#below(5) === 0) return this.#sent('delete slice', 'DELETE', path)
    const { endpoints } = made
    const changed = await this.#client.send('PATCH', path, { endpoints })
    return changed.status === 404 ? this.#created('create slice', made) : told('change slice', changed)
  }

  #endpoints(): Endpoint[] {
    return Array.from({ length: this.#below(6) }, () => ({
      at: this.#one(everything.addresses),
      ...(this.#below(3) === 0 ? { hostname: this.#one(everything.hostnames) } : {}),
      conditions: { ready: this.#below(4) > 0 },
    }))
  }

  async #changePod(): Promise<string> {
    const key = `${this.#one(everything.namespaces)}/pod-${this.#below(pods)}`
    const path = pathOf('api/v1', 'pods', key)
    const { status, ...made } = pod(key, [this.#one(everything.addresses)])
    if (this.#below(3) === 0) return this.#sent('delete pod', 'DELETE', path, { gracePeriodSeconds: 0 })
    const changed = await this.#client.send('PATCH', `${path}/status`, { status })
    if (changed.status !== 404) return told('change pod', changed)
    // Another change gives it its address.
    return this.#created('create pod', made)
  }

  async #created(what: string, object: ApiObject): Promise<string> {
    const { namespace = '' } = object.metadata
    const [group, plural] =
      object.kind === 'EndpointSlice'
        ? ['discovery.k8s.io/v1', 'endpointslices']
        : ['v1', `${object.kind.toLowerCase()}s`]
    const root = object.kind === 'EndpointSlice' ? 'apis' : 'api'
    return this.#sent(what, 'POST', `/${root}/${group}/namespaces/${namespace}/${plural}`, {
      apiVersion: group,
      ...object,
    })
  }

  async #sent(what: string, method: string, path: string, body?: unknown): Promise<string> {
    return told(what, await this.#client.send(method, path, body))
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#below(of.length)]!
  }
}

/**
 * What is not there cannot change (404), what is there already is not made (409), a namespace that ends takes nothing new (403), and
 * not every service can become every other (422): all these are part of the game. Anything else is not.
 */
function told(what: string, { status, text }: ApiReply): string {
  if (status < 300) return what
  if ([403, 404, 409, 422].includes(status)) return 'refused'
  throw new PortolanError('PORTOLAN_STRESS_API', `${what}: ${status} ${text}`)
}

function pathOf(group: string, plural: string, key: string): string {
  const [namespace, name] = key.split('/')
  return `/${group}/namespaces/${namespace}/${plural}/${name}`
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}-${n}`)
}
