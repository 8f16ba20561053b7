/**
 * One kept-alive connection to the API server for one kind: sends requests with the credentials of the moment, within the limits,
 * and turns everything that can go wrong into an `ApiFailure`. What the bytes mean is left to the reflector.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import type { Clock, Timer } from '../../observe/clock.ts'
import { readObject } from './api-json.ts'
import type { Credentials, Identity } from './credentials.ts'
import { ApiFailure, failureOf, type Reason, refusal, type Verb } from './failure.ts'
import type { RequestLimits } from './request-limits.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { type Collection, target } from './resource.ts'

/** How long the server may keep silent: while connecting, and where an answer is due. */
const connectMs = 5_000
const answerMs = 30_000
/** A peer that has vanished without a word is noticed within half a minute: a watch may well be silent for longer. */
const keepAliveMs = 15_000
const probeMs = 5_000
const probes = 3
/** The longest list page and the longest error page in bytes: no API server sends as much, but what is at the address may be none. */
const pageBytes = 256 * 1024 * 1024
const errorBytes = 1024 * 1024

const renewing: ReadonlySet<Reason> = new Set(['unauthorized', 'tls', 'unreachable'])
const json = 'application/json'

export interface ConnectionOptions {
  readonly resource: Collection
  readonly credentials: Credentials
  readonly limits: RequestLimits
  readonly metrics: RequestMetrics
  readonly clock: Clock
}

export class Connection {
  readonly #resource: Collection
  readonly #credentials: Credentials
  readonly #limits: RequestLimits
  readonly #metrics: RequestMetrics
  readonly #clock: Clock
  readonly #agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: 1 }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: 1 }),
  }

  constructor({ resource, credentials, limits, metrics, clock }: ConnectionOptions) {
    this.#resource = resource
    this.#credentials = credentials
    this.#limits = limits
    this.#metrics = metrics
    this.#clock = clock
  }

  /** The body of a list request, as it arrives; `accept` is the form that is asked for, where it is not the usual one. */
  async *list(
    parameters: Record<string, string>,
    signal: AbortSignal,
    accept = this.#resource.accept.list,
  ): AsyncGenerator<Buffer> {
    const identity = await this.#credentials.identity()
    const { host, server } = identity
    const asked = this.#clock.monotonic()
    await this.#limits.turn(signal)
    const started = this.#clock.monotonic()
    this.#metrics.waited((started - asked) / 1000, host)
    try {
      const response = await this.#request(identity, 'list', parameters, signal, accept)
      yield* limited(
        this.#chunks(response, () => answerMs, server.origin),
        pageBytes,
      )
    } finally {
      this.#metrics.took((this.#clock.monotonic() - started) / 1000, host)
    }
  }

  /** Opens a watch; resolves when the server has agreed. The stream fails after `idleMs`, asked at each byte, without another. */
  async watch(
    parameters: Record<string, string>,
    idleMs: () => number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Buffer>> {
    const identity = await this.#credentials.identity()
    const { accept } = this.#resource
    const response = await this.#request(identity, 'watch', { watch: 'true', ...parameters }, signal, accept.watch)
    return this.#chunks(response, idleMs, identity.server.origin)
  }

  /** What the server says it is, such as `v1.34.4`; undefined where it does not tell this user. */
  async version(): Promise<string | undefined> {
    const identity = await this.#credentials.identity()
    const { origin } = identity.server
    try {
      const response = await this.#send(identity, '/version', json, new AbortController().signal)
      const body = await this.#text(response, origin)
      if (response.statusCode !== 200) return undefined
      const { gitVersion } = readObject(body) as { gitVersion?: unknown }
      return typeof gitVersion === 'string' ? gitVersion : undefined
    } catch (error) {
      throw failureOf(error, origin)
    }
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  async #request(
    identity: Identity,
    verb: Verb,
    parameters: Record<string, string>,
    signal: AbortSignal,
    accept: string,
  ): Promise<http.IncomingMessage> {
    const { host } = identity
    const { origin } = identity.server
    // As in CoreDNS a request takes its place until the headers are there: a watch would hold it for minutes.
    const leave = await this.#limits.enter()
    let response: http.IncomingMessage
    try {
      response = await this.#send(identity, target(this.#resource, parameters), accept, signal)
      this.#metrics.answered(String(response.statusCode), host)
    } catch (error) {
      this.#metrics.answered('<error>', host)
      throw this.#refused(failureOf(error, origin))
    } finally {
      leave()
    }
    if (response.statusCode === 200) return response
    const body = await this.#text(response, origin)
    throw this.#refused(refusal(response, body, verb, this.#resource))
  }

  /** Where the credentials were refused, or nobody is at the address, the next request reads anew what the configuration says. */
  #refused(failure: ApiFailure): ApiFailure {
    if (renewing.has(failure.reason)) this.#credentials.forget()
    return failure
  }

  #send(identity: Identity, path: string, accept: string, signal: AbortSignal): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { server, options } = identity
      const secure = server.protocol === 'https:'
      const request = (secure ? https : http).get({
        agent: this.#agents[secure ? 'https:' : 'http:'],
        ...options,
        protocol: server.protocol,
        // URL keeps the brackets of an IPv6 address, which a socket does not take.
        hostname: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port,
        path: server.pathname.replace(/\/$/, '') + path,
        headers: { accept, 'user-agent': 'portolan', ...options.headers },
        signal,
      })
      const expire = (ms: number, failure: () => ApiFailure) => this.#clock.after(ms, () => request.destroy(failure()))
      // Until the answer comes. Node's own `reusedSocket` leaves out requests that waited for the connection to become free.
      let reused = false
      let timer = expire(connectMs, () => unreachable(server.origin))
      const connected = () => {
        timer.cancel()
        timer = expire(answerMs, () => silent(server.origin, answerMs))
      }
      request.once('socket', socket => {
        socket.setKeepAlive(true, keepAliveMs, probeMs, probes)
        reused = !socket.connecting
        if (reused) connected()
        else socket.once(secure ? 'secureConnect' : 'connect', connected)
      })
      request.once('response', response => {
        timer.cancel()
        reused = false
        resolve(response)
      })
      request.on('error', error => {
        timer.cancel()
        // The server may close an idle connection in the moment in which it is used again: that is no failure of the request.
        if (reused && 'code' in error && error.code === 'ECONNRESET')
          resolve(this.#send(identity, path, accept, signal))
        else reject(error)
      })
    })
  }

  /** The whole of an answer that is not long. */
  async #text(response: http.IncomingMessage, origin: string): Promise<string> {
    const pieces: Buffer[] = []
    const chunks = this.#chunks(response, () => answerMs, origin)
    for await (const piece of limited(chunks, errorBytes)) pieces.push(piece)
    return Buffer.concat(pieces).toString('utf8')
  }

  async *#chunks(body: http.IncomingMessage, idleMs: () => number, origin: string): AsyncGenerator<Buffer> {
    const watchdog = (): Timer => {
      const ms = idleMs()
      return this.#clock.after(ms, () => body.destroy(silent(origin, ms)))
    }
    let timer = watchdog()
    try {
      for await (const chunk of body) {
        timer.cancel()
        yield chunk
        timer = watchdog()
      }
    } catch (error) {
      throw error instanceof ApiFailure ? error : cutOff(origin, error)
    } finally {
      timer.cancel()
    }
  }
}

async function* limited(chunks: AsyncIterable<Buffer>, limit: number): AsyncGenerator<Buffer> {
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > limit) throw new ApiFailure('failed', `the API server sent more than ${limit} bytes`)
    yield chunk
  }
}

function unreachable(origin: string): ApiFailure {
  return new ApiFailure('unreachable', `cannot reach ${origin}: no connection within ${connectMs / 1000} s`, {
    advice: 'check its address, and that no firewall or NetworkPolicy stands between',
  })
}

function cutOff(origin: string, cause: unknown): ApiFailure {
  return new ApiFailure('unreachable', `${origin} closed the connection before its answer was complete`, { cause })
}

function silent(origin: string, ms: number): ApiFailure {
  return new ApiFailure('slow', `${origin} sent nothing for ${ms / 1000} s`)
}
