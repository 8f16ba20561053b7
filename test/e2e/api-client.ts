/** A few verbs of the Kubernetes API: create, read, merge and delete objects, and what else a test has to ask of an API server. */
import { Agent, request } from 'node:https'
import { PortolanError } from '../../src/errors.ts'

/** Where the API server keeps each kind. */
const groups = {
  Namespace: 'api/v1',
  Node: 'api/v1',
  Service: 'api/v1',
  Pod: 'api/v1',
  ConfigMap: 'api/v1',
  Endpoints: 'api/v1',
  Secret: 'api/v1',
  ServiceAccount: 'api/v1',
  IPAddress: 'apis/networking.k8s.io/v1',
  NetworkPolicy: 'apis/networking.k8s.io/v1',
  EndpointSlice: 'apis/discovery.k8s.io/v1',
  Deployment: 'apis/apps/v1',
  PodDisruptionBudget: 'apis/policy/v1',
  ClusterRole: 'apis/rbac.authorization.k8s.io/v1',
  ClusterRoleBinding: 'apis/rbac.authorization.k8s.io/v1',
  Role: 'apis/rbac.authorization.k8s.io/v1',
  RoleBinding: 'apis/rbac.authorization.k8s.io/v1',
}

/** An object as the API takes it. A `status` is written through the status subresource. */
export interface ApiObject {
  readonly kind: keyof typeof groups
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly finalizers?: readonly string[]
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

export interface ApiAccess {
  readonly port: number
  readonly token: string
  /** PEM of what the server's certificate is checked against. */
  readonly ca: string
}

/** What the API server said. */
export interface ApiReply {
  readonly status: number
  readonly text: string
}

/** The API server answered, but not as it was to. */
export class ApiRefusal extends PortolanError {
  readonly status: number

  constructor(what: string, { status, text }: ApiReply) {
    super('PORTOLAN_E2E_API', `${what}: ${status} ${text}`)
    this.status = status
  }
}

export class ApiClient implements Disposable {
  readonly #access: ApiAccess
  #agent: Agent

  constructor(access: ApiAccess) {
    this.#access = access
    this.#agent = agentFor(access.ca)
  }

  /** From now on the server's certificate is checked against this PEM. */
  trust(ca: string): void {
    this.#agent.destroy()
    this.#agent = agentFor(ca)
  }

  /** True when the server says that it is ready. */
  async ready(): Promise<boolean> {
    return this.send('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  async create(object: ApiObject): Promise<void> {
    const { status, ...rest } = object
    const apiVersion = groups[object.kind].replace(/^apis?\//, '')
    await this.#expect('POST', collectionPath(object), { apiVersion, ...rest })
    if (status !== undefined) await this.writeStatus(object)
  }

  /** Writes the object's status, and nothing else of it. */
  async writeStatus(object: ApiObject): Promise<void> {
    await this.#expect('PATCH', `${objectPath(object)}/status`, { status: object['status'] })
  }

  /** The object as the server has it; undefined where it has none. */
  async read(object: ApiObject): Promise<ApiObject | undefined> {
    const { status, text } = await this.send('GET', objectPath(object))
    if (status === 404) return undefined
    return JSON.parse(expected('GET', objectPath(object), { status, text }))
  }

  /** Creates the object unless it is there; for who does not know whether an earlier attempt came through. */
  async ensure(object: ApiObject): Promise<void> {
    await this.create(object).catch(unless(409))
  }

  /** Deletes the object unless it is gone. */
  async removeIfThere(object: ApiObject): Promise<void> {
    await this.remove(object).catch(unless(404))
  }

  /** Applies a JSON merge patch. */
  async merge(object: ApiObject, patch: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#expect('PATCH', objectPath(object), patch)
  }

  /** Puts the object into the place of the one that there is, whatever version that has; its status too where it has one. */
  async replace(object: ApiObject): Promise<void> {
    const { status, ...rest } = object
    const apiVersion = groups[object.kind].replace(/^apis?\//, '')
    await this.#expect('PUT', objectPath(object), { apiVersion, ...rest })
    if (status !== undefined) await this.writeStatus(object)
  }

  /** Deletes an object, a pod without waiting for a node to end it. */
  async remove(object: ApiObject): Promise<void> {
    await this.#expect('DELETE', objectPath(object), object.kind === 'Pod' ? { gracePeriodSeconds: 0 } : undefined)
  }

  /** A token for a service account (TokenRequest), which holds as long as the object that it is bound to. */
  async token(account: ApiObject, boundTo: ApiObject): Promise<string> {
    const uid = (await this.read(boundTo))?.metadata['uid']
    const boundObjectRef = { apiVersion: 'v1', kind: boundTo.kind, name: boundTo.metadata.name, uid }
    const reply = await this.#expect('POST', `${objectPath(account)}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3600, boundObjectRef },
    })
    return JSON.parse(reply).status.token
  }

  /** Sends any request; what comes back, a refusal too, is the caller's to judge. Rejects when there is no reply. */
  send(method: string, path: string, body?: unknown): Promise<ApiReply> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiReply>()
    const content = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      // Node leaves it out of a DELETE, whose body the server then takes for the next request.
      ...(content === undefined ? {} : { 'content-length': Buffer.byteLength(content) }),
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
    sent.end(content)
    return promise
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #expect(method: string, path: string, body?: unknown): Promise<string> {
    return expected(method, path, await this.send(method, path, body))
  }
}

function expected(method: string, path: string, reply: ApiReply): string {
  if (reply.status >= 300) throw new ApiRefusal(`${method} ${path}`, reply)
  return reply.text
}

function unless(status: number): (error: unknown) => void {
  return error => {
    if (!(error instanceof ApiRefusal && error.status === status)) throw error
  }
}

function agentFor(ca: string): Agent {
  return new Agent({ keepAlive: true, maxSockets: 8, ca })
}

function collectionPath({ kind, metadata }: ApiObject): string {
  const within = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `/${groups[kind]}${within}/${pluralOf(kind.toLowerCase())}`
}

function pluralOf(kind: string): string {
  if (kind.endsWith('y')) return `${kind.slice(0, -1)}ies`
  if (kind.endsWith('ts')) return kind
  return `${kind}${kind.endsWith('s') ? 'es' : 's'}`
}

function objectPath(object: ApiObject): string {
  return `${collectionPath(object)}/${object.metadata.name}`
}
