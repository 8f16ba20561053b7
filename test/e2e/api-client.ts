/** A few verbs of the Kubernetes API for the comparison: create, merge and delete objects of the kinds that DNS depends on. */
import { Agent, request } from 'node:https'
import { PortolanError } from '../../src/errors.ts'

/** An object as the API takes it. A `status` is written through the status subresource. */
export interface ApiObject {
  readonly kind: 'Namespace' | 'Service' | 'EndpointSlice' | 'Pod'
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly finalizers?: readonly string[]
  }
  readonly [field: string]: unknown
}

const collections = {
  Namespace: 'api/v1',
  Service: 'api/v1',
  Pod: 'api/v1',
  EndpointSlice: 'apis/discovery.k8s.io/v1',
}

export interface ApiAccess {
  readonly port: number
  readonly token: string
  /** PEM of what the server's certificate is checked against. */
  readonly ca: string
}

export class ApiClient implements Disposable {
  readonly #access: ApiAccess
  readonly #agent: Agent

  constructor(access: ApiAccess) {
    this.#access = access
    this.#agent = new Agent({ keepAlive: true, maxSockets: 8, ca: access.ca })
  }

  /** True when the server says that it is ready. */
  async ready(): Promise<boolean> {
    return this.#send('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  async create(object: ApiObject): Promise<void> {
    const { status, ...rest } = object
    const apiVersion = collections[object.kind].replace(/^apis?\//, '')
    await this.#expect('POST', collectionPath(object), { apiVersion, ...rest })
    if (status !== undefined) await this.#expect('PATCH', `${objectPath(object)}/status`, { status })
  }

  /** Applies a JSON merge patch. */
  async merge(object: ApiObject, patch: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#expect('PATCH', objectPath(object), patch)
  }

  async remove(object: ApiObject): Promise<void> {
    await this.#expect('DELETE', objectPath(object))
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #expect(method: string, path: string, body?: unknown): Promise<void> {
    const { status, text } = await this.#send(method, path, body)
    if (status >= 300) throw new PortolanError('PORTOLAN_E2E_API', `${method} ${path}: ${status} ${text}`)
  }

  #send(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
    const headers = {
      authorization: `Bearer ${this.#access.token}`,
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    }
    const sent = request(
      { host: '127.0.0.1', port: this.#access.port, agent: this.#agent, method, path, headers },
      reply => {
        const parts: Buffer[] = []
        reply.on('data', (part: Buffer) => parts.push(part))
        reply.once('end', () => resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
        reply.once('error', reject)
      },
    )
    sent.once('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    return promise
  }
}

function collectionPath({ kind, metadata }: ApiObject): string {
  const within = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `/${collections[kind]}${within}/${kind.toLowerCase()}s`
}

function objectPath(object: ApiObject): string {
  return `${collectionPath(object)}/${object.metadata.name}`
}
