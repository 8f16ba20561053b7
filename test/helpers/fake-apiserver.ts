/**
 * A small API server on loopback: it keeps objects and their history, lists them in pages, sends changes to watches, and fails in
 * every way that it is told to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { type Key, type Kind, keyOf } from '../../src/cluster/objects.ts'

/** An object as the API has it. Its version is the server's to give. */
export interface ApiObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

export type Verb = 'list' | 'watch'

export interface SeenRequest {
  readonly verb: Verb
  readonly kind: Kind
  readonly parameters: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  /** The client's port, which tells connections apart. */
  readonly port: number
  /** Common name of the client's certificate; empty without one. */
  readonly certificate: string
}

/** What happens to a request instead of its answer. */
export type Fault =
  | { readonly status: number; readonly message?: string; readonly headers?: Record<string, string> }
  /** This body with status 200. */
  | { readonly body: string }
  /** Nothing is ever answered. */
  | 'hang'
  /** The connection is closed without an answer. */
  | 'drop'
  /** The connection is closed in the middle of the answer. */
  | 'cut'

export interface FaultRule {
  readonly kind?: Kind
  readonly verb?: Verb
  /** Only list requests that continue a list. */
  readonly continued?: boolean
  /** How many requests it holds for; for ever if absent. */
  readonly times?: number
}

export interface FakeApiServerOptions {
  readonly tls?: ServerOptions
  /** Objects a page at most, whatever limit is asked for. */
  readonly pageSize?: number
}

interface Change {
  readonly version: number
  readonly kind: Kind
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: ApiObject
}

const paths: Readonly<Record<string, Kind>> = {
  '/api/v1/namespaces': 'Namespace',
  '/api/v1/services': 'Service',
  '/apis/discovery.k8s.io/v1/endpointslices': 'EndpointSlice',
  '/api/v1/pods': 'Pod',
  '/api/v1/nodes': 'Node',
  '/apis/networking.k8s.io/v1/networkpolicies': 'NetworkPolicy',
  '/apis/networking.k8s.io/v1/ingresses': 'Ingress',
  '/apis/networking.k8s.io/v1/ingressclasses': 'IngressClass',
  '/api/v1/secrets': 'Secret',
}

export class FakeApiServer {
  readonly requests: SeenRequest[] = []
  /** Bearer tokens that are let in; everyone is if absent. */
  tokens: ReadonlySet<string> | undefined
  /** What it says it is; does not tell if absent. */
  release: string | undefined
  /** How a watch from a version that is gone is refused: real API servers do both. */
  goneAs: 'status' | 'event' = 'status'
  readonly #server: Server
  readonly #scheme: string
  readonly #pageSize: number
  readonly #objects = new Map<string, ApiObject>()
  readonly #watches = new Map<ServerResponse, Kind>()
  #faults: { rule: FaultRule; fault: Fault; left: number }[] = []
  #history: Change[] = []
  #version = 1000
  #compacted = 0
  #silent = false
  #port = 0

  constructor({ tls, pageSize = Number.POSITIVE_INFINITY }: FakeApiServerOptions = {}) {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      try {
        this.#answer(request, response)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        refuse(response, error.status, error.message)
      }
    }
    this.#server = tls ? createTlsServer(tls, answer) : createServer(answer)
    this.#scheme = tls ? 'https' : 'http'
    this.#pageSize = pageSize
  }

  /** Listens on a free port, or after a stop on the same one. */
  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
    return this
  }

  /** Closes the port and all connections; objects and history stay. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise(resolve => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`
  }

  get url(): string {
    return `${this.#scheme}://${this.host}`
  }

  /** The version of the newest change. */
  get version(): string {
    return String(this.#version)
  }

  put(kind: Kind, object: ApiObject): void {
    const id = idOf(kind, object)
    const versioned = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
    this.#change(kind, this.#objects.has(id) ? 'MODIFIED' : 'ADDED', versioned)
    this.#objects.set(id, versioned)
  }

  delete(kind: Kind, key: Key): void {
    const id = `${kind} ${key}`
    const object = this.#objects.get(id)
    if (!object) throw new Error(`there is no ${id}`)
    this.#objects.delete(id)
    this.#change(kind, 'DELETED', {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.#version) },
    })
  }

  /** Tells all watches the current version, as if something had changed that they do not watch. */
  bookmark(): void {
    const resourceVersion = String(++this.#version)
    for (const [response, kind] of this.#watches)
      send(response, { type: 'BOOKMARK', object: { kind, metadata: { resourceVersion } } })
  }

  /** Forgets the history: older versions, and lists under way, are gone. */
  compact(): void {
    this.#history = []
    this.#compacted = ++this.#version
  }

  /** How many watches of a kind are open. */
  watches(kind: Kind): number {
    return this.#open(kind).length
  }

  /** Writes into the open watches of a kind, as it is. */
  write(kind: Kind, text: string): void {
    for (const response of this.#open(kind)) response.write(text)
  }

  /** Nothing comes from the open watches of a kind any more, and they stay open. */
  stall(kind: Kind): void {
    for (const response of this.#open(kind)) this.#watches.delete(response)
  }

  /** Lets changes be made that no open watch is told of. */
  silently(change: () => void): void {
    this.#silent = true
    change()
    this.#silent = false
  }

  /** Ends the watches of a kind: in good order, or with a reset of the connection. */
  end(kind: Kind, how: 'end' | 'drop' = 'end'): void {
    for (const response of this.#open(kind)) {
      this.#watches.delete(response)
      if (how === 'end') response.end()
      else response.socket?.resetAndDestroy()
    }
  }

  /** Lets matching requests fail; the newest rule that matches holds. */
  fail(rule: FaultRule, fault: Fault): void {
    this.#faults.unshift({ rule, fault, left: rule.times ?? Number.POSITIVE_INFINITY })
  }

  /** Takes all faults back. */
  heal(): void {
    this.#faults = []
  }

  asked(kind: Kind, verb: Verb): SeenRequest[] {
    return this.requests.filter(request => request.kind === kind && request.verb === verb)
  }

  #open(kind: Kind): ServerResponse[] {
    return [...this.#watches].filter(([, watched]) => watched === kind).map(([response]) => response)
  }

  #change(kind: Kind, type: Change['type'], object: ApiObject): void {
    const change = { version: this.#version, kind, type, object }
    this.#history.push(change)
    if (this.#silent) return
    for (const response of this.#open(kind)) send(response, { type, object: this.#form(response, object) })
  }

  /** What a watch gets of an object: as much as it asked for. */
  #form(response: ServerResponse, object: ApiObject): ApiObject {
    return response.req.headers.accept?.includes('as=PartialObjectMetadata') ? metadataOf(object) : object
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url)
    if (url.pathname === '/version' && this.release !== undefined) {
      reply(response, 200, { major: '1', gitVersion: this.release })
      return
    }
    const kind = paths[url.pathname]
    if (!kind) throw new Refusal(404, 'the server could not find the requested resource')
    const parameters = Object.fromEntries(url.searchParams)
    const verb = parameters['watch'] === 'true' ? 'watch' : 'list'
    const { headers, socket } = request
    const certificate = commonName(socket)
    this.requests.push({ verb, kind, parameters, headers, port: socket.remotePort ?? 0, certificate })
    const token = headers.authorization?.replace(/^Bearer /, '') ?? ''
    if (this.tokens && !this.tokens.has(token)) throw new Refusal(401, 'Unauthorized')
    const fault = this.#fault(kind, verb, 'continue' in parameters)
    if (fault !== undefined) spoil(response, fault)
    else if (verb === 'list') this.#list(kind, parameters, headers.accept ?? '', response)
    else this.#watch(kind, Number(parameters['resourceVersion']), response)
  }

  #fault(kind: Kind, verb: Verb, continued: boolean): Fault | undefined {
    const found = this.#faults.find(
      ({ rule, left }) =>
        left > 0 &&
        (rule.kind ?? kind) === kind &&
        (rule.verb ?? verb) === verb &&
        (rule.continued ?? continued) === continued,
    )
    if (found) found.left--
    return found?.fault
  }

  /** A continue token is the version of the list and how many objects were sent: changes in between do not show in the tests. */
  #list(kind: Kind, parameters: Record<string, string>, accept: string, response: ServerResponse): void {
    const [version = this.version, sent = '0'] = parameters['continue']?.split(':') ?? []
    if (Number(version) < this.#compacted) throw new Refusal(410, 'The provided continue parameter is too old')
    const all = [...this.#objects].filter(([id]) => id.startsWith(`${kind} `)).map(([, object]) => object)
    const end = Number(sent) + Math.min(Number(parameters['limit'] ?? this.#pageSize), this.#pageSize)
    const metadata = { resourceVersion: version, ...(end < all.length ? { continue: `${version}:${end}` } : {}) }
    const partial = accept.includes('as=PartialObjectMetadataList')
    const items = all.slice(Number(sent), end).map(object => (partial ? metadataOf(object) : object))
    reply(response, 200, { kind: partial ? 'PartialObjectMetadataList' : `${kind}List`, metadata, items })
  }

  #watch(kind: Kind, from: number, response: ServerResponse): void {
    const gone = { kind: 'Status', code: 410, reason: 'Expired', message: `too old resource version: ${from}` }
    if (from < this.#compacted && this.goneAs === 'status') throw new Refusal(410, gone.message)
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (from < this.#compacted) {
      send(response, { type: 'ERROR', object: gone })
      response.end()
      return
    }
    for (const { type, object } of this.#history.filter(change => change.kind === kind && change.version > from))
      send(response, { type, object: this.#form(response, object) })
    this.#watches.set(response, kind)
    response.once('close', () => this.#watches.delete(response))
  }
}

function metadataOf({ metadata }: ApiObject): ApiObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}

class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Lets things happen until this holds; fails after five seconds. */
export async function until(holds: () => boolean, what = holds.toString()): Promise<void> {
  const deadline = performance.now() + 5000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`did not come about within 5 s: ${what}`)
    await setImmediate()
  }
}

function commonName(socket: Socket): string {
  if (!(socket instanceof TLSSocket)) return ''
  const { CN = '' } = socket.getPeerCertificate().subject ?? {}
  return [CN].flat().join()
}

function idOf(kind: Kind, { metadata: { namespace = '', name } }: ApiObject): string {
  return `${kind} ${keyOf({ namespace, name })}`
}

function send(response: ServerResponse, event: object): void {
  response.write(`${JSON.stringify(event)}\n`)
}

function reply(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function refuse(response: ServerResponse, status: number, message: string, headers?: Record<string, string>): void {
  reply(response, status, { kind: 'Status', status: 'Failure', message, code: status }, headers)
}

function spoil(response: ServerResponse, fault: Fault): void {
  if (fault === 'hang') return
  if (fault === 'drop') response.destroy()
  else if (fault === 'cut') {
    response.writeHead(200, { 'content-length': 1000 })
    response.write('{"metadata": {', () => response.destroy())
  } else if ('body' in fault) response.writeHead(200).end(fault.body)
  else refuse(response, fault.status, fault.message ?? '', fault.headers)
}
