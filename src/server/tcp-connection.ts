/**
 * One connection over which length-prefixed messages go (RFC 7766 section 8): queries are taken as they come, answered side by
 * side, and answered out of order where that is sooner. A client that is slow to ask or to read is bounded in time and memory.
 */
import type { Socket } from 'node:net'
import { framed, MessageStream } from '../net/message-stream.ts'
import type { Clock } from '../observe/clock.ts'
import type { Peer } from '../wire/query.ts'
import type { Respond } from './listener.ts'

/** Milliseconds; those of CoreDNS. */
const IDLE_TIMEOUT = 10_000
/** For the first message from the start of the connection, for each message from its first octet on. */
const READ_TIMEOUT = 3_000
const WRITE_TIMEOUT = 5_000

/** Queries of one connection that are answered at a time. What comes beyond waits, as it does while the client leaves replies unread. */
const MAX_IN_FLIGHT = 100

/** What a connection tells its owner. */
export interface ConnectionEvents {
  /** A query is in flight. */
  busy(): void
  /** A message was dealt with, and none is in flight. */
  idle(): void
  closed(): void
}

export class TcpConnection {
  readonly #socket: Socket
  readonly #peer: Peer
  readonly #respond: Respond
  readonly #clock: Clock
  readonly #events: ConnectionEvents
  readonly #stream = new MessageStream()
  /** Messages that were received and not yet taken. */
  #waiting: Buffer[] = []
  #inFlight = 0
  /** By when, on the monotonic clock, something must have happened. */
  #deadline: number
  /** No further queries are taken: the client has sent its last, or the connection is to end. */
  #ending = false

  constructor(socket: Socket, peer: Peer, respond: Respond, clock: Clock, events: ConnectionEvents) {
    this.#socket = socket
    this.#peer = peer
    this.#respond = respond
    this.#clock = clock
    this.#events = events
    this.#deadline = clock.monotonic() + READ_TIMEOUT
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('drain', () => this.#advance())
    socket.on('end', () => this.drain())
    // A client that goes away is no failure of ours; `close` follows.
    socket.on('error', () => undefined)
    socket.on('close', () => events.closed())
  }

  /** Takes no more queries, and ends when those in flight are answered. What still comes is read and forgotten. */
  drain(): void {
    this.#ending = true
    this.#waiting = []
    this.#socket.resume()
    this.#endIfDone()
  }

  /** Ends the connection if its time is up. */
  expire(now: number): void {
    if (now < this.#deadline) return
    // A client that has not read what it was sent would keep an orderly end waiting for ever.
    if (this.#ending || this.#socket.writableLength > 0) this.abort()
    else this.drain()
  }

  /** Ends the connection at once; replies that were not sent are lost. */
  abort(): void {
    this.#ending = true
    this.#socket.resetAndDestroy()
  }

  #received(chunk: Buffer): void {
    if (this.#ending) return
    const continued = this.#stream.unfinished
    const messages = this.#stream.push(chunk)
    this.#waiting.push(...messages)
    this.#advance(continued && messages.length === 0)
  }

  /** Takes as many of the messages as may be taken. `continued`: there is only more of a message that had begun. */
  #advance(continued = false): void {
    if (this.#ending) {
      this.#endIfDone()
      return
    }
    let taken = 0
    this.#socket.cork()
    while (taken < this.#waiting.length && !this.#full) this.#take(this.#waiting[taken++]!)
    this.#socket.uncork()
    this.#waiting.splice(0, taken)
    if (taken > 0 && this.#inFlight === 0) this.#events.idle()
    if (this.#full) this.#socket.pause()
    else this.#socket.resume()
    if (!continued) this.#setDeadline()
  }

  get #full(): boolean {
    return this.#inFlight >= MAX_IN_FLIGHT || this.#socket.writableNeedDrain
  }

  #setDeadline(): void {
    const now = this.#clock.monotonic()
    if (this.#socket.writableNeedDrain) this.#deadline = now + WRITE_TIMEOUT
    else if (this.#inFlight > 0) this.#deadline = Number.POSITIVE_INFINITY
    else this.#deadline = now + (this.#stream.unfinished ? READ_TIMEOUT : IDLE_TIMEOUT)
  }

  #take(packet: Buffer): void {
    const reply = this.#respond(packet, this.#peer)
    if (reply instanceof Promise) this.#sendLater(reply)
    else if (reply !== undefined) this.#send(reply)
  }

  #sendLater(reply: Promise<Uint8Array | undefined>): void {
    if (this.#inFlight++ === 0) this.#events.busy()
    void reply.then(made => {
      this.#inFlight--
      if (this.#socket.destroyed) return
      if (made !== undefined) this.#send(made)
      if (this.#inFlight === 0) this.#events.idle()
      this.#advance()
    })
  }

  #send(reply: Uint8Array): void {
    this.#socket.write(framed(reply))
  }

  #endIfDone(): void {
    if (this.#inFlight > 0) {
      this.#deadline = Number.POSITIVE_INFINITY
      return
    }
    this.#deadline = this.#clock.monotonic() + WRITE_TIMEOUT
    this.#socket.destroySoon()
  }
}
