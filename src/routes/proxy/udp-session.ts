/** One client of a UDP service and the backend that it has, until it has been silent for a while. */
import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { messageOf } from '../../errors.ts'
import type { Attempt, Attempts, Pool } from './pool.ts'

export interface SessionOptions {
  /** The client's address. */
  readonly client: string
  readonly pool: Pool
  /** Sends to the client. */
  answer(packet: Uint8Array): void
  /** Called once, when it ends by itself; `reason` where no backend was there. */
  over(reason: string): void
}

/** Of what has not been answered so much is kept for the next backend: the newest. */
const MOST_KEPT = 16
const MOST_KEPT_OCTETS = 65_536

/** What may wait in a socket, in octets; what comes then is dropped, as a full queue of a network does. */
const MOST_QUEUED = 1_048_576

/** Sends a datagram, unless so much is waiting already that it is dropped. `address` is left out where the socket is connected. */
export function sendUnlessFull(socket: Socket, packet: Uint8Array, port?: number, address?: string): void {
  if (socket.getSendQueueSize() > MOST_QUEUED) return
  // What a network does not take is lost, as any datagram may be; a refusal comes as an event of the socket.
  if (port === undefined) socket.send(packet, () => undefined)
  else socket.send(packet, port, address, () => undefined)
}

export class UdpSession {
  readonly #options: SessionOptions
  #attempts: Attempts
  #attempt: Attempt | undefined
  #socket: Socket | undefined
  #connected = false
  #answered = false
  /** What was sent since the last answer, for the backend that comes after one that refuses. */
  #kept: Uint8Array[] = []
  #closed = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#attempts = options.pool.attempts(options.client)
    this.#next()
  }

  send(packet: Uint8Array): void {
    this.#keep(packet)
    if (this.#connected) sendUnlessFull(this.#socket!, packet)
  }

  /** Whether its backend is no longer one of the pool's. */
  get stranded(): boolean {
    return this.#attempt !== undefined && !this.#options.pool.has(this.#attempt.backend)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket?.close()
    this.#attempt?.ended()
  }

  #next(): void {
    this.#connected = false
    this.#attempt = this.#attempts.next()
    if (this.#attempt === undefined) {
      this.#closed = true
      // Not within the constructor: its owner does not know it yet.
      queueMicrotask(() => this.#options.over(this.#attempts.outcome))
      return
    }
    this.#connect(this.#attempt)
  }

  #connect(attempt: Attempt): void {
    const { ip, port } = attempt.backend
    const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4')
    this.#socket = socket
    socket.on('message', packet => this.#answer(packet))
    socket.on('error', error => this.#failed(socket, attempt, error))
    socket.on('connect', () => {
      this.#connected = true
      for (const packet of this.#kept) sendUnlessFull(socket, packet)
    })
    socket.connect(port, ip)
  }

  #answer(packet: Uint8Array): void {
    this.#answered = true
    this.#kept = []
    this.#options.answer(packet)
  }

  /** Nobody listens there, as an ICMP message says, or there is no way to it. */
  #failed(socket: Socket, attempt: Attempt, error: Error): void {
    if (this.#closed || socket !== this.#socket) return
    socket.close()
    attempt.failed('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : `failed (${messageOf(error)})`)
    if (this.#answered) this.#attempts = this.#options.pool.attempts(this.#options.client)
    this.#answered = false
    this.#next()
  }

  #keep(packet: Uint8Array): void {
    this.#kept.push(packet)
    let octets = this.#kept.reduce((sum, { length }) => sum + length, 0)
    while (this.#kept.length > MOST_KEPT || octets > MOST_KEPT_OCTETS) octets -= this.#kept.shift()!.length
  }
}
