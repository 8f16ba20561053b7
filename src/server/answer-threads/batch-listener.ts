/**
 * Listens on UDP through answer threads. They answer what they can; what they pass on is answered here, on the same socket and from
 * the address that was asked.
 */
import type { Libc } from '../../net/udp-batch/libc.ts'
import { isIPv6Origin, type Origin, readOrigin } from '../../net/udp-batch/origin.ts'
import type { Sender } from '../../net/udp-batch/sender.ts'
import { openSocket, type UdpSocket } from '../../net/udp-batch/socket.ts'
import type { Peer } from '../../wire/query.ts'
import { EVERY_ADDRESS, listenError } from '../binding.ts'
import { atMost } from '../grace.ts'
import type { Respond, UdpListener } from '../listener.ts'
import { RECEIVE_BUFFER } from '../receive-buffer.ts'
import type { UdpOptions } from '../udp.ts'
import type { Port } from './answer-threads.ts'
import type { RingReader } from './ring.ts'
import type { ThreadSocket } from './shared.ts'

/** What listeners have in common. */
export interface BatchSurroundings {
  readonly libc: Libc
  readonly threads: { readonly count: number; add(port: Port): Promise<void>; remove(port: Port): Promise<void> }
  readonly sender: Sender
  /** Sends what is queued at the end of this turn. */
  readonly flushSoon: () => void
  /** A number that no other socket has. */
  readonly nextNumber: () => number
  /** Has the socket in the metrics until the returned function is called. */
  readonly watch: (socket: UdpSocket) => () => void
}

interface Member {
  readonly served: ThreadSocket
  readonly socket: UdpSocket
  readonly unwatch: () => void
}

export class BatchListener implements UdpListener, Port {
  readonly protocol = 'udp'
  readonly #surroundings: BatchSurroundings
  readonly #options: UdpOptions
  readonly #directory: number
  #members: readonly Member[] = []
  #respond: Respond = () => undefined
  /** Replies that are still being made. */
  #pending = 0
  #settled: (() => void) | undefined
  #closing: Promise<void> | undefined
  /** The sockets are closed. */
  #over = false

  /** Answers by the table's directory of that number. */
  constructor(surroundings: BatchSurroundings, options: UdpOptions, directory: number) {
    this.#surroundings = surroundings
    this.#options = options
    this.#directory = directory
  }

  get address(): string {
    const { address } = this.#options
    if (!EVERY_ADDRESS.has(address)) return address
    return this.#members[0]?.socket.isIPv6 ? '::' : '0.0.0.0'
  }

  get port(): number {
    return this.#members[0]?.socket.port ?? this.#options.port
  }

  get receiveBuffer(): number {
    return Math.min(...this.#members.map(({ socket }) => socket.receiveBuffer))
  }

  get sockets(): readonly ThreadSocket[] {
    return this.#members.map(({ served }) => served)
  }

  async listen(respond: Respond): Promise<void> {
    const { libc, threads } = this.#surroundings
    const { address, log } = this.#options
    this.#respond = respond
    try {
      const first = openSocket(libc, { ...this.#options, receiveBuffer: RECEIVE_BUFFER })
      this.#join(first)
      if (EVERY_ADDRESS.has(address) && !first.isIPv6) {
        log.info(`this machine has no IPv6: udp port ${first.port} is served on IPv4 alone`)
      }
      this.widen(threads.count)
    } catch (error) {
      this.#closeSockets()
      throw listenError('udp', this.#options, error)
    }
    await threads.add(this)
  }

  widen(sockets: number): void {
    while (this.#members.length < sockets) this.#join(this.#members[0]!.socket.join())
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    const { threads, sender } = this.#surroundings
    for (const { socket } of this.#members) socket.wake()
    const left = threads.remove(this)
    await atMost(
      this.#options.clock,
      graceMs,
      left.then(() => this.#answered()),
    )
    await left
    this.#over = true
    sender.flush()
    this.#closeSockets()
  }

  /** Resolves when the replies that are being made are there. */
  async #answered(): Promise<void> {
    if (this.#pending > 0) await new Promise<void>(resolve => (this.#settled = resolve))
  }

  take(ring: RingReader): void {
    const member = this.#members.find(({ served }) => served.number === ring.socket)
    if (member === undefined || this.#over) return
    const { sender } = this.#surroundings
    const { fd } = member.socket
    const origin = ring.copy()
    const reply = this.#respond(origin.subarray(ring.requestAt), new Client(origin, this.port))
    if (reply instanceof Promise) {
      this.#pending++
      void reply.then(made => this.#late(fd, origin, made))
    } else if (reply !== undefined) {
      sender.queue(fd, origin, reply)
    }
  }

  #late(fd: number, origin: Uint8Array, reply: Uint8Array | undefined): void {
    if (reply && !this.#over) {
      this.#surroundings.sender.queue(fd, origin, reply)
      this.#surroundings.flushSoon()
    }
    if (--this.#pending === 0) this.#settled?.()
  }

  #join(socket: UdpSocket): void {
    const { nextNumber, watch } = this.#surroundings
    const served = { number: nextNumber(), fd: socket.fd, directory: this.#directory }
    this.#members = [...this.#members, { served, socket, unwatch: watch(socket) }]
  }

  /** Forgets them first: their descriptors may be others' from now on. */
  #closeSockets(): void {
    const members = this.#members
    this.#members = []
    for (const { socket, unwatch } of members) {
      unwatch()
      socket.close()
    }
  }
}

/** Whom a query came from; most of it is only read where somebody asks. */
class Client implements Peer {
  readonly protocol = 'udp'
  readonly localPort: number
  readonly #octets: Uint8Array
  #origin: Origin | undefined

  constructor(octets: Uint8Array, localPort: number) {
    this.#octets = octets
    this.localPort = localPort
  }

  get address(): string {
    return this.#read().address
  }

  get isIPv6(): boolean {
    return isIPv6Origin(this.#octets, 0)
  }

  get port(): number {
    return this.#read().port
  }

  get localAddress(): string {
    return this.#read().localAddress
  }

  #read(): Origin {
    this.#origin ??= readOrigin(this.#octets, 0)
    return this.#origin
  }
}
