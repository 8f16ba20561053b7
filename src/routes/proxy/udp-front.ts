/** Takes datagrams to a virtual address: each client has a session with one backend. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { hostPort } from '../../corefile/addresses.ts'
import { messageOf } from '../../errors.ts'
import type { Timer } from '../../observe/clock.ts'
import { type Front, type FrontOptions, plainAddress } from './front.ts'
import { TurnedAway } from './turned-away.ts'
import { sendUnlessFull, UdpSession } from './udp-session.ts'

export interface UdpFrontOptions extends FrontOptions {
  /** For how long a client may be silent, and its backend too, before its session ends. */
  readonly idleMs: number
}

/** Each session has a socket; a further one takes the place of the one that has been idle longest. */
const MOST_SESSIONS = 4096

export function udpFront(options: UdpFrontOptions): Front {
  return new UdpFront(options)
}

interface Entry {
  readonly session: UdpSession
  usedAt: number
}

class UdpFront implements Front {
  readonly #options: UdpFrontOptions
  readonly #turnedAway: TurnedAway
  /** By the client's address and port, the longest idle first. */
  readonly #sessions = new Map<string, Entry>()
  #socket: Socket | undefined
  #sweep: Timer | undefined

  constructor(options: UdpFrontOptions) {
    this.#options = options
    this.#turnedAway = new TurnedAway(options)
  }

  async listen(address: string, port: number): Promise<void> {
    const { log, name, clock, idleMs } = this.#options
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address) })
    socket.bind({ address, port, exclusive: true })
    await once(socket, 'listening').catch(error => {
      socket.close()
      throw error
    })
    socket.on('message', (packet, from) => this.#take(packet, from))
    socket.on('error', error => log.error(`${name}: ${messageOf(error)}`))
    this.#socket = socket
    this.#sweep = clock.every(Math.max(1, idleMs / 4), () => this.#endIdle())
  }

  changed(): void {
    for (const [key, { session }] of this.#sessions) if (session.stranded) this.#end(key)
  }

  async close(): Promise<void> {
    this.#sweep?.cancel()
    this.#socket?.close()
    this.#socket = undefined
    for (const key of this.#sessions.keys()) this.#end(key)
  }

  abort(): void {}

  #take(packet: Uint8Array, from: RemoteInfo): void {
    const key = hostPort(from.address, from.port)
    const entry = this.#sessions.get(key) ?? this.#begin(key, from)
    if (entry === undefined) return
    this.#touch(key, entry)
    entry.session.send(packet)
  }

  #begin(key: string, from: RemoteInfo): Entry | undefined {
    const { pool, clock } = this.#options
    const client = plainAddress(from.address)
    const refused = pool.refuse(client)
    if (refused !== undefined) return void this.#turnedAway.tell(key, refused)
    if (this.#sessions.size >= MOST_SESSIONS) this.#end(this.#sessions.keys().next().value!)
    const entry: Entry = {
      session: new UdpSession({
        client,
        pool,
        answer: reply => {
          this.#touch(key, entry)
          if (this.#socket !== undefined) sendUnlessFull(this.#socket, reply, from.port, from.address)
        },
        over: reason => {
          this.#turnedAway.tell(key, reason)
          if (this.#sessions.get(key) === entry) this.#sessions.delete(key)
        },
      }),
      usedAt: clock.monotonic(),
    }
    return entry
  }

  #touch(key: string, entry: Entry): void {
    entry.usedAt = this.#options.clock.monotonic()
    this.#sessions.delete(key)
    this.#sessions.set(key, entry)
  }

  #endIdle(): void {
    const { clock, idleMs } = this.#options
    const limit = clock.monotonic() - idleMs
    for (const [key, { usedAt }] of this.#sessions) {
      if (usedAt > limit) return
      this.#end(key)
    }
  }

  #end(key: string): void {
    this.#sessions.get(key)?.session.close()
    this.#sessions.delete(key)
  }
}
