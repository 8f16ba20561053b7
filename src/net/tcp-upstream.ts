/**
 * Asks a DNS server by TCP or TLS (RFC 7766, RFC 7858) on connections that are kept and shared: an unused one is taken first, then
 * a new one made, and only when there are many do queries follow each other on one connection.
 */
import type { Socket } from 'node:net'
import { hostPort } from '../corefile/addresses.ts'
import type { PortolanError } from '../errors.ts'
import type { Response } from '../wire/message.ts'
import { connection, type TlsOptions } from './connection.ts'
import { IdleTimer } from './idle-timer.ts'
import { framed, MessageStream } from './message-stream.ts'
import { PendingQueries } from './pending-queries.ts'
import { completed, socketError, stoppedError, type Upstream, type UpstreamOptions, upstreamError } from './upstream.ts'

export interface TcpUpstreamOptions extends UpstreamOptions {
  /** Without it, plain TCP. */
  readonly tls?: TlsOptions | undefined
}

interface Options extends Required<UpstreamOptions> {
  readonly peer: string
  readonly tls: TlsOptions | undefined
}

/** Connections that take new queries at a time. */
const CONNECTIONS = 16
/** Queries under way on one connection. */
const PIPELINED = 64

/** An upstream over TCP or TLS. */
export function tcpUpstream({ tls, ...given }: TcpUpstreamOptions): Upstream {
  const options: Options = {
    ...completed(given),
    tls,
    peer: `${tls ? 'tls' : 'tcp'} ${hostPort(given.address, given.port)}`,
  }
  const connections = new Set<Connection>()
  let session: Buffer | undefined
  let stopped = false

  /** The least used connection, if it is unused or no more may be made. */
  function present(): Connection | undefined {
    let best: Connection | undefined
    let young = 0
    for (const connection of connections) {
      if (connection.aged) continue
      young++
      if (connection.load < (best?.load ?? PIPELINED)) best = connection
    }
    if (best?.load === 0 || young >= CONNECTIONS) {
      if (best === undefined) throw upstreamError('PORTOLAN_UPSTREAM_BUSY', options.peer, 'too many queries under way')
      return best
    }
    return undefined
  }

  function fresh(): Connection {
    const connection = new Connection(options, session, {
      closed: () => connections.delete(connection),
      unused: () => {
        const idle = [...connections].filter(({ load }) => load === 0)
        if (connection.aged || (options.maxIdle > 0 && idle.length > options.maxIdle)) connection.close()
      },
      session: ticket => {
        session = ticket
      },
    })
    connections.add(connection)
    return connection
  }

  return {
    async exchange(query, readMs, connectMs = readMs) {
      if (stopped) throw stoppedError(options.peer)
      const kept = present()
      options.onSocket(kept !== undefined)
      if (kept) {
        try {
          return await kept.exchange(query, readMs, connectMs)
        } catch (error) {
          // Servers close connections as they please, some after each reply: a connection of its own gets one for certain.
          if ((error as PortolanError).code !== 'PORTOLAN_UPSTREAM_CLOSED') throw error
        }
        options.onSocket(false)
      }
      return fresh().exchange(query, readMs, connectMs)
    },
    close() {
      stopped = true
      for (const connection of connections) connection.close()
    },
  }
}

interface ConnectionEvents {
  closed(): void
  /** Its last query has ended. */
  unused(): void
  /** A TLS session that a later connection can resume. */
  session(ticket: Buffer): void
}

class Connection {
  /** Queries that wait for the connection or for a reply. */
  load = 0
  readonly #options: Options
  readonly #session: Buffer | undefined
  readonly #events: ConnectionEvents
  readonly #pending: PendingQueries
  readonly #idle: IdleTimer
  readonly #madeAt: number
  readonly #opened = Promise.withResolvers<void>()
  #socket: Socket | undefined
  #error: PortolanError | undefined

  constructor(options: Options, session: Buffer | undefined, events: ConnectionEvents) {
    const { peer, clock, random16, expireMs } = options
    this.#options = options
    this.#session = session
    this.#events = events
    this.#pending = new PendingQueries({ peer, clock, random16, onEmpty: () => undefined })
    this.#idle = new IdleTimer(clock, expireMs, () => this.close())
    this.#madeAt = clock.monotonic()
  }

  /** Too old for new queries. */
  get aged(): boolean {
    const { clock, maxAgeMs } = this.#options
    return maxAgeMs > 0 && clock.monotonic() - this.#madeAt >= maxAgeMs
  }

  async exchange(query: Uint8Array, readMs: number, connectMs: number): Promise<Response> {
    this.load++
    this.#idle.used()
    try {
      if (this.#socket === undefined) this.#open(connectMs)
      await this.#opened.promise
      if (this.#error) throw this.#error
      const reply = this.#pending.add(query, readMs)
      this.#socket?.write(framed(query))
      return await reply
    } finally {
      if (--this.load === 0 && this.#error === undefined) {
        this.#idle.unused()
        this.#events.unused()
      }
    }
  }

  close(error = stoppedError(this.#options.peer)): void {
    if (this.#error) return
    this.#error = error
    this.#idle.stop()
    this.#socket?.destroy()
    this.#events.closed()
    this.#opened.reject(error)
    this.#pending.fail(error)
  }

  #open(connectMs: number): void {
    const { peer, clock } = this.#options
    const socket = connection({ ...this.#options, session: this.#session })
    this.#socket = socket
    let connected = false
    const timer = clock.after(connectMs, () => {
      this.close(upstreamError('PORTOLAN_UPSTREAM_TIMEOUT', peer, `no connection within ${connectMs} ms: i/o timeout`))
    })
    socket.setNoDelay()
    socket.on(this.#options.tls ? 'secureConnect' : 'connect', () => {
      connected = true
      timer.cancel()
      this.#opened.resolve()
    })
    const messages = new MessageStream()
    socket.on('data', (chunk: Buffer) => {
      for (const message of messages.push(chunk)) this.#pending.receive(message)
    })
    socket.on('session', ticket => this.#events.session(ticket))
    socket.on('error', cause => {
      this.close(socketError(`PORTOLAN_UPSTREAM_${connected ? 'CLOSED' : 'UNREACHABLE'}`, peer, cause))
    })
    socket.on('close', () => {
      timer.cancel()
      this.close(upstreamError('PORTOLAN_UPSTREAM_CLOSED', peer, 'the connection was closed by the upstream: EOF'))
    })
    socket.on('end', () => socket.destroy())
  }
}
