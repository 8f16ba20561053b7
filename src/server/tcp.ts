/**
 * Listens on TCP (RFC 7766): takes connections, keeps their number within a limit and ends those whose time is up. What goes
 * over a connection is `TcpConnection`'s.
 */
import { once } from 'node:events'
import { createServer, isIPv6, type Server, type Socket } from 'node:net'
import type { Clock } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { type Bound, bindAll, boundAddress, type Endpoint, plainAddress } from './binding.ts'
import { failureLog } from './failure-log.ts'
import { atMost } from './grace.ts'
import type { Listener, Respond } from './listener.ts'
import { TcpConnection } from './tcp-connection.ts'

export interface TcpOptions extends Endpoint {
  readonly clock: Clock
  readonly log: Logger
  /**
   * How many connections there may be at a time. Default 10,000: node-local caches of 5,000 nodes with two each. Idle ones
   * take some 10 KB each. A further one takes the place of the one that has been idle longest.
   */
  readonly maxConnections?: number
}

/** How often connections are looked at for their deadlines, which come to pass up to this much late. */
const SWEEP_PERIOD = 500

interface BoundServer extends Bound {
  readonly server: Server
}

/** A TCP listener; connections in the middle of an answer are let finish on `close`. */
export function tcpListener(options: TcpOptions): Listener {
  return new TcpListener(options)
}

class TcpListener implements Listener {
  readonly protocol = 'tcp'
  readonly #options: TcpOptions
  readonly #limit: number
  readonly #connections = new Set<TcpConnection>()
  /** Those without a query in flight, the longest idle first. */
  readonly #idle = new Set<TcpConnection>()
  #servers: BoundServer[] = []
  #closing: Promise<void> | undefined
  #empty: (() => void) | undefined
  #stopSweeping: () => void = () => undefined

  constructor(options: TcpOptions) {
    this.#options = options
    this.#limit = options.maxConnections ?? 10_000
  }

  get address(): string {
    return boundAddress(this.#options, this.#servers)
  }

  get port(): number {
    return this.#servers[0]?.port ?? this.#options.port
  }

  async listen(respond: Respond): Promise<void> {
    const { clock, log } = this.#options
    this.#servers = await bindAll('tcp', this.#options, log, bind)
    const failed = failureLog(this.#options, 'tcp', { one: 'connection', many: 'connections', what: 'taken' })
    for (const { server } of this.#servers) {
      server.on('connection', socket => this.#accept(socket, respond))
      server.on('error', failed)
    }
    const timer = clock.every(SWEEP_PERIOD, () => {
      const now = clock.monotonic()
      for (const connection of this.#connections) connection.expire(now)
    })
    this.#stopSweeping = () => timer.cancel()
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    for (const server of this.#servers) server.close()
    for (const connection of this.#connections) connection.drain()
    if (this.#connections.size > 0) {
      await atMost(this.#options.clock, graceMs, new Promise<void>(resolve => (this.#empty = resolve)))
    }
    for (const connection of this.#connections) connection.abort()
    this.#stopSweeping()
  }

  #accept(socket: Socket, respond: Respond): void {
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    if (remoteAddress === undefined || remotePort === undefined || !this.#makeRoom()) {
      // It may be gone already, which is no failure of ours.
      socket.on('error', () => undefined)
      socket.resetAndDestroy()
      return
    }
    const peer = {
      protocol: 'tcp',
      address: plainAddress(remoteAddress),
      port: remotePort,
      localAddress: plainAddress(localAddress ?? this.address),
      localPort: localPort ?? this.port,
    } as const
    const connection: TcpConnection = new TcpConnection(socket, peer, respond, this.#options.clock, {
      busy: () => this.#idle.delete(connection),
      idle: () => {
        this.#idle.delete(connection)
        this.#idle.add(connection)
      },
      closed: () => {
        this.#idle.delete(connection)
        this.#connections.delete(connection)
        if (this.#connections.size === 0) this.#empty?.()
      },
    })
    this.#connections.add(connection)
    this.#idle.add(connection)
  }

  /** Ends the connection that has been idle longest where there are too many; false where all are busy. */
  #makeRoom(): boolean {
    if (this.#connections.size < this.#limit) return true
    const [oldest] = this.#idle
    if (oldest === undefined) return false
    // At once, not when it is closed: the next one to come must find another.
    this.#idle.delete(oldest)
    oldest.abort()
    return true
  }
}

async function bind(address: string, port: number): Promise<BoundServer> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  server.listen({ host: address, port, ipv6Only: isIPv6(address) })
  await once(server, 'listening')
  const bound = server.address()
  return { server, port: bound !== null && typeof bound === 'object' ? bound.port : port, close: () => server.close() }
}
