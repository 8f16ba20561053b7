/**
 * Listens on UDP through Node's own sockets. What a packet means is left to `respond`; no packet, client or state of the
 * network makes it throw.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { Clock } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { type Bound, bindAll, boundAddress, type Endpoint, plainAddress } from './binding.ts'
import { failureLog } from './failure-log.ts'
import { atMost } from './grace.ts'
import type { Respond, UdpListener } from './listener.ts'
import { RECEIVE_BUFFER } from './receive-buffer.ts'

export interface UdpOptions extends Endpoint {
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Node tells a reply's fate in a tick of its own, which costs 0.4 us of the 9 a query takes (measured 2026-11). So one reply in so
 * many is watched, and after a failure each of the next ones.
 */
const WATCH_EVERY = 32
const WATCHED_AFTER_FAILURE = 10_000

/** More queries than a receive buffer holds: what is read on `close` at most. */
const MOST_WAITING = 32_768

interface BoundSocket extends Bound {
  readonly socket: Socket
}

/**
 * A UDP listener. It binds without any option to share the port, so that a second server on it is noticed. What had arrived
 * before `close` is answered; replies that cannot be sent are counted in the log.
 */
export function udpListener(options: UdpOptions): UdpListener {
  return new DgramListener(options)
}

class DgramListener implements UdpListener {
  readonly protocol = 'udp'
  readonly #options: UdpOptions
  #sockets: BoundSocket[] = []
  #received = 0
  /** Replies that are still being made. */
  #pending = 0
  #settled: (() => void) | undefined
  #closing: Promise<void> | undefined
  /** The sockets are closed. */
  #over = false
  readonly #failed: (error: Error) => void

  constructor(options: UdpOptions) {
    this.#options = options
    this.#failed = failureLog(options, 'udp', { one: 'reply', many: 'replies', what: 'sent' })
  }

  get address(): string {
    return boundAddress(this.#options, this.#sockets)
  }

  get port(): number {
    return this.#sockets[0]?.port ?? this.#options.port
  }

  get receiveBuffer(): number {
    return Math.min(...this.#sockets.map(({ socket }) => socket.getRecvBufferSize()))
  }

  async listen(respond: Respond): Promise<void> {
    this.#sockets = await bindAll('udp', this.#options, this.#options.log, bind)
    for (const bound of this.#sockets) this.#serve(bound, respond)
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    await atMost(this.#options.clock, graceMs, this.#settle())
    this.#over = true
    for (const socket of this.#sockets) socket.close()
  }

  /** Resolves when what had arrived is read and answered. */
  async #settle(): Promise<void> {
    const most = this.#received + MOST_WAITING
    let seen: number
    do {
      seen = this.#received
      // The first turn may be one that has looked at the sockets already.
      for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate)
    } while (this.#received > seen && seen < most)
    if (this.#pending > 0) await new Promise<void>(resolve => (this.#settled = resolve))
  }

  #serve({ socket, port: localPort }: BoundSocket, respond: Respond): void {
    const localAddress = plainAddress(socket.address().address)
    let watched = WATCHED_AFTER_FAILURE
    let unwatched = 0
    const sent = (error: Error | null) => {
      if (error === null) return
      watched = WATCHED_AFTER_FAILURE
      this.#failed(error)
    }
    const send = (reply: Uint8Array, { port, address }: RemoteInfo) => {
      if (watched > 0 ? watched-- : ++unwatched % WATCH_EVERY === 0) socket.send(reply, port, address, sent)
      else socket.send(reply, port, address)
    }
    const late = (reply: Uint8Array | undefined, to: RemoteInfo) => {
      if (reply && !this.#over) send(reply, to)
      if (--this.#pending === 0) this.#settled?.()
    }
    socket.on('error', error => this.#failed(error))
    socket.on('message', (packet, from) => {
      // Nothing can be sent to port 0: only a forged packet comes from there.
      if (from.port === 0) return
      this.#received++
      const address = plainAddress(from.address)
      const reply = respond(packet, { protocol: 'udp', address, port: from.port, localAddress, localPort })
      if (reply instanceof Promise) {
        this.#pending++
        void reply.then(made => late(made, from))
      } else if (reply !== undefined) {
        send(reply, from)
      }
    })
  }
}

async function bind(address: string, port: number): Promise<BoundSocket> {
  const ipv6 = isIPv6(address)
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    // Addresses are never names here, and Node's own look-up would put each reply off to a later tick.
    lookup: (ip, _options, done) => done(null, ip, ipv6 ? 6 : 4),
  })
  try {
    // Waited for from before: with this look-up the socket is bound when `bind` returns.
    const listening = once(socket, 'listening')
    socket.bind(port, address)
    await listening
    enlarge(socket)
  } catch (error) {
    socket.close()
    throw error
  }
  return { socket, port: socket.address().port, close: () => socket.close() }
}

/** A bigger receive buffer lets bursts wait instead of being lost. Where the system refuses, the usual one must do. */
function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SOCKET_BUFFER_SIZE')) throw error
  }
}
