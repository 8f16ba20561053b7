/**
 * Asks a DNS server by HTTPS (RFC 8484) on an HTTP/2 connection that is kept and shared: each query is a stream of its own, so
 * one connection is enough until it ends, is too old or falls silent.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import { hostPort } from '../corefile/addresses.ts'
import type { PortolanError } from '../errors.ts'
import type { Response } from '../wire/message.ts'
import { connection, type TlsOptions, withoutZone } from './connection.ts'
import { IdleTimer } from './idle-timer.ts'
import { responseTo } from './pending-queries.ts'
import {
  completed,
  socketError,
  stoppedError,
  type Upstream,
  type UpstreamErrorCode,
  type UpstreamOptions,
  upstreamError,
} from './upstream.ts'

export type HttpsMethod = 'GET' | 'POST'

export interface HttpsUpstreamOptions extends UpstreamOptions {
  readonly tls: TlsOptions
  readonly method: HttpsMethod
}

interface Options extends Required<HttpsUpstreamOptions> {
  readonly peer: string
}

/** Queries under way at a time. Those that the upstream does not yet allow to be sent wait for their turn. */
const QUERIES = 1024
const PATH = '/dns-query'
const MEDIA_TYPE = 'application/dns-message'
/** Octets of the largest DNS message. */
const LARGEST = 65_535

/** An upstream over HTTPS. Its path is `/dns-query`, as for CoreDNS. */
export function httpsUpstream({ tls, method, ...given }: HttpsUpstreamOptions): Upstream {
  const peer = `https ${hostPort(given.address, given.port)}`
  const options: Options = { ...completed(given), tls, method, peer }
  const sessions = new Set<Session>()
  let ticket: Buffer | undefined
  let stopped = false

  function present(): Session | undefined {
    if (stopped) throw stoppedError(peer)
    const session = [...sessions].find(({ open }) => open)
    if (session && session.load >= QUERIES) {
      throw upstreamError('PORTOLAN_UPSTREAM_BUSY', peer, 'too many queries under way')
    }
    return session
  }

  function fresh(connectMs: number): Session {
    const session = new Session(options, connectMs, ticket, {
      closed: () => sessions.delete(session),
      ticket: latest => {
        ticket = latest
      },
    })
    sessions.add(session)
    return session
  }

  return {
    async exchange(query, readMs, connectMs = readMs) {
      const kept = present()
      options.onSocket(kept !== undefined)
      if (kept) {
        try {
          return await kept.exchange(query, readMs)
        } catch (error) {
          // Servers close connections as they please; another query may have made a new one meanwhile.
          if ((error as PortolanError).code !== 'PORTOLAN_UPSTREAM_CLOSED') throw error
        }
        options.onSocket(false)
      }
      return (present() ?? fresh(connectMs)).exchange(query, readMs)
    },
    close() {
      stopped = true
      for (const session of sessions) session.close()
    },
  }
}

interface SessionEvents {
  closed(): void
  /** With which a later connection can resume the TLS session. */
  ticket(ticket: Buffer): void
}

class Session {
  /** Queries that wait for the connection or for a reply. */
  load = 0
  readonly #options: Options
  readonly #events: SessionEvents
  readonly #http: ClientHttp2Session
  readonly #idle: IdleTimer
  readonly #madeAt: number
  readonly #opened = Promise.withResolvers<void>()
  /** When something was last received. */
  #heardAt: number
  /** It failed a query in a way that the next one would share. */
  #spent = false
  #error: PortolanError | undefined

  constructor(options: Options, connectMs: number, ticket: Buffer | undefined, events: SessionEvents) {
    const { clock, expireMs } = options
    this.#options = options
    this.#events = events
    this.#idle = new IdleTimer(clock, expireMs, () => this.close())
    this.#madeAt = this.#heardAt = clock.monotonic()
    this.#http = this.#connect(connectMs, ticket)
  }

  /** Whether it takes new queries. */
  get open(): boolean {
    const { clock, maxAgeMs } = this.#options
    if (this.#spent || this.#http.closed || this.#http.destroyed) return false
    return maxAgeMs === 0 || clock.monotonic() - this.#madeAt < maxAgeMs
  }

  async exchange(query: Uint8Array, readMs: number): Promise<Response> {
    this.load++
    this.#idle.used()
    try {
      await this.#opened.promise
      return await this.#ask(query, readMs)
    } finally {
      if (--this.load === 0) {
        if (this.open) this.#idle.unused()
        else this.close()
      }
    }
  }

  close(error = stoppedError(this.#options.peer)): void {
    if (this.#error) return
    this.#error = error
    this.#idle.stop()
    this.#http.destroy()
    this.#events.closed()
    this.#opened.reject(error)
  }

  #connect(connectMs: number, ticket: Buffer | undefined): ClientHttp2Session {
    const { peer, address, port, clock } = this.#options
    const socket = connection({ ...this.#options, session: ticket, protocols: ['h2'] })
    socket.on('session', latest => this.#events.ticket(latest))
    const http = connect(`https://${hostPort(withoutZone(address), port)}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    })
    let connected = false
    const timer = clock.after(connectMs, () => {
      this.close(upstreamError('PORTOLAN_UPSTREAM_TIMEOUT', peer, `no connection within ${connectMs} ms: i/o timeout`))
    })
    const noHttp2 = () => this.close(upstreamError('PORTOLAN_UPSTREAM_UNREACHABLE', peer, 'it does not speak HTTP/2'))
    http.on('connect', () => {
      if (http.alpnProtocol !== 'h2') noHttp2()
    })
    // Streams beyond what the upstream takes wait for their turn, but only once it has said how many these are.
    http.on('remoteSettings', () => {
      connected = true
      timer.cancel()
      this.#opened.resolve()
    })
    http.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL') noHttp2()
      else this.close(socketError(`PORTOLAN_UPSTREAM_${connected ? 'CLOSED' : 'UNREACHABLE'}`, peer, cause))
    })
    http.on('close', () => {
      timer.cancel()
      this.close(cutOff(peer))
    })
    return http
  }

  /** One stream from the request to its end, whoever ends it. */
  #ask(query: Uint8Array, readMs: number): Promise<Response> {
    const { peer, clock } = this.#options
    if (this.#http.closed || this.#http.destroyed) throw this.#error ?? cutOff(peer)
    const sentAt = clock.monotonic()
    const stream = this.#request(query)
    const chunks: Buffer[] = []
    let length = 0
    let answered = false
    let cause: Error | undefined
    let failure: PortolanError | undefined
    const giveUp = (code: UpstreamErrorCode, what: string) => {
      failure = upstreamError(code, peer, what)
      stream.close(constants.NGHTTP2_CANCEL)
      stream.destroy()
    }
    const timer = clock.after(readMs, () => {
      // A connection that brought nothing meanwhile, for no query, may have died without a word.
      if (this.#heardAt <= sentAt) this.#spent = true
      giveUp('PORTOLAN_UPSTREAM_TIMEOUT', `no reply within ${readMs} ms: i/o timeout`)
    })
    stream.on('response', headers => {
      this.#heardAt = clock.monotonic()
      answered = true
      const problem = problemOf(headers)
      if (problem !== undefined) giveUp('PORTOLAN_UPSTREAM_REPLY', problem)
    })
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > LARGEST) giveUp('PORTOLAN_UPSTREAM_REPLY', `a reply of more than ${LARGEST} octets`)
    })
    stream.on('error', error => {
      cause = error
    })
    return new Promise((resolve, reject) => {
      stream.on('close', () => {
        timer.cancel()
        if (failure) return reject(failure)
        if (!answered || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
          this.#spent = true
          return reject(this.#error ?? cutOff(peer, cause))
        }
        const response = responseTo(query, Buffer.concat(chunks))
        if (response) resolve(response)
        else reject(upstreamError('PORTOLAN_UPSTREAM_REPLY', peer, 'a reply that does not answer the query'))
      })
    })
  }

  /** RFC 8484 section 4.1: the id is 0, for the sake of caches on the way. */
  #request(query: Uint8Array): ClientHttp2Stream {
    const { address, port, tls, method } = this.#options
    query.fill(0, 0, 2)
    const headers = {
      ':method': method,
      ':authority': tls.serverName ?? hostPort(withoutZone(address), port),
      accept: MEDIA_TYPE,
    }
    if (method === 'GET') {
      const text = Buffer.from(query).toString('base64url')
      return this.#http.request({ ...headers, ':path': `${PATH}?dns=${text}` })
    }
    const length = { 'content-type': MEDIA_TYPE, 'content-length': query.length }
    return this.#http.request({ ...headers, ...length, ':path': PATH }).end(query)
  }
}

/** What keeps a reply of HTTP from being one of DNS. */
function problemOf(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): string | undefined {
  const { ':status': status, 'content-type': type = '' } = headers
  if (status !== constants.HTTP_STATUS_OK) return `HTTP status ${status}`
  if (type.replace(/ *;.*/, '').toLowerCase() === MEDIA_TYPE) return undefined
  return `a reply of content type "${type}", not ${MEDIA_TYPE}`
}

function cutOff(peer: string, cause?: Error): PortolanError {
  const what = cause?.message ?? 'closed by the upstream before it replied: EOF'
  return upstreamError('PORTOLAN_UPSTREAM_CLOSED', peer, what, cause)
}
