/** Takes connections to a virtual address and leads each to a backend that accepts, without the client noticing those that do not. */
import { once } from 'node:events'
import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net'
import { hostPort } from '../../corefile/addresses.ts'
import { messageOf } from '../../errors.ts'
import type { Backend } from '../route.ts'
import { type Front, type FrontOptions, plainAddress } from './front.ts'
import type { Attempt } from './pool.ts'
import { relay } from './relay.ts'
import { TurnedAway } from './turned-away.ts'

/** Half of a connection may end before the other; a peer that vanished without a word is noticed in some minutes. */
const ways = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 } as const

export function tcpFront(options: FrontOptions): Front {
  return new TcpFront(options)
}

class TcpFront implements Front {
  readonly #options: FrontOptions
  readonly #turnedAway: TurnedAway
  readonly #clients = new Set<Socket>()
  /** To backends. */
  readonly #connecting = new Set<Socket>()
  #server: Server | undefined
  #closing: Promise<void> | undefined
  #empty: (() => void) | undefined

  constructor(options: FrontOptions) {
    this.#options = options
    this.#turnedAway = new TurnedAway(options)
  }

  async listen(host: string, port: number): Promise<void> {
    // Nothing is read before there is somebody to say it to: until then the client's kernel keeps what it says.
    const server = createServer({ ...ways, pauseOnConnect: true })
    server.listen({ host, port, ipv6Only: isIPv6(host) })
    await once(server, 'listening')
    const { log, name } = this.#options
    server.on('connection', socket => void this.#serve(socket))
    server.on('error', error => log.error(`${name}: a connection could not be taken: ${messageOf(error)}`))
    this.#server = server
  }

  /** Connections to backends that are gone go on: these end them when they have served them. */
  changed(): void {}

  close(): Promise<void> {
    this.#closing ??= new Promise(resolve => {
      this.#server?.close()
      this.#empty = resolve
      if (this.#clients.size === 0) resolve()
    })
    return this.#closing
  }

  abort(): void {
    for (const socket of [...this.#clients, ...this.#connecting]) socket.resetAndDestroy()
  }

  async #serve(client: Socket): Promise<void> {
    const { remoteAddress, remotePort } = client
    // What went wrong with it is seen where it is used; unheard, the error would end the process.
    client.on('error', () => undefined)
    if (remoteAddress === undefined || remotePort === undefined) return void client.destroy()
    this.#clients.add(client)
    const address = plainAddress(remoteAddress)
    const refused = await this.#lead(client, address, hostPort(address, remotePort))
    if (refused !== undefined && !client.destroyed) {
      this.#turnedAway.tell(hostPort(address, remotePort), refused)
      client.resetAndDestroy()
    }
    this.#clients.delete(client)
    if (this.#clients.size === 0) this.#empty?.()
  }

  /** Resolves when the connection is over; to the reason where there was nobody to lead it to. */
  async #lead(client: Socket, address: string, title: string): Promise<string | undefined> {
    const { pool, log, name } = this.#options
    const refused = pool.refuse(address)
    if (refused !== undefined) return refused
    const attempts = pool.attempts(address)
    for (let attempt = attempts.next(); attempt !== undefined; attempt = attempts.next()) {
      const reason = await this.#try(client, attempt)
      if (reason === undefined) {
        attempt.ended()
        return undefined
      }
      attempt.failed(reason)
      log.debug(`${name}: ${attempt.backend.address} ${reason}, so ${title} gets another`)
    }
    return attempts.outcome
  }

  /** Undefined where the connection is over, or the client gone; else why the backend did not take it. */
  async #try(client: Socket, { backend, timeoutMs }: Attempt): Promise<string | undefined> {
    if (client.destroyed) return undefined
    const found = await this.#connect(backend, timeoutMs)
    if (typeof found === 'string') return found
    if (client.destroyed) {
      found.resetAndDestroy()
      return undefined
    }
    return (await relay(client, found)) === 'unused' ? 'reset the connection' : undefined
  }

  #connect({ ip, port }: Backend, timeoutMs: number): Promise<Socket | string> {
    return new Promise(resolve => {
      const socket = connect({ ...ways, host: ip, port })
      this.#connecting.add(socket)
      const settle = (outcome: Socket | string) => {
        timer.cancel()
        this.#connecting.delete(socket)
        if (typeof outcome === 'string') socket.destroy()
        resolve(outcome)
      }
      const timer = this.#options.clock.after(timeoutMs, () => settle(`did not answer within ${timeoutMs} ms`))
      const failed = (error: Error) => settle(reasonOf(error))
      const gone = () => settle('was given up')
      socket.on('error', failed).on('close', gone)
      socket.once('connect', () => {
        socket.off('error', failed).off('close', gone)
        settle(isItself(socket) ? 'has nobody listening' : socket)
      })
    })
  }
}

/** A connection to a port of this machine that the kernel has just given to the connection itself succeeds (RFC 9293 section 3.5). */
function isItself({ localPort, remotePort, localAddress, remoteAddress }: Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress
}

function reasonOf(error: Error): string {
  return 'code' in error && error.code === 'ECONNREFUSED' ? 'refused' : `failed (${messageOf(error)})`
}
