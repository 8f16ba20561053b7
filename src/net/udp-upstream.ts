/**
 * Asks a DNS server by UDP. Queries leave from a few sockets on random ports that are replaced all the time, so that a forger has
 * to guess the port as well as the id (RFC 5452 section 9.2), at a fraction of what a socket for each query costs.
 */
import { createSocket, type Socket } from 'node:dgram'
import { hostPort } from '../corefile/addresses.ts'
import type { PortolanError } from '../errors.ts'
import type { Response } from '../wire/message.ts'
import { IdleTimer } from './idle-timer.ts'
import { PendingQueries } from './pending-queries.ts'
import { completed, socketError, stoppedError, type Upstream, type UpstreamOptions } from './upstream.ts'

type Options = Required<UpstreamOptions>

/** Sockets that take new queries at a time. */
const SLOTS = 16
/** Queries that leave from one port before another takes its place. */
const USES = 128

/** An upstream over UDP. A reply with TC is returned as it is; asking again by TCP is the caller's affair. */
export function udpUpstream(given: UpstreamOptions): Upstream {
  const options = completed(given)
  const peer = `udp ${hostPort(options.address, options.port)}`
  const slots: (Port | undefined)[] = new Array(Math.min(SLOTS, options.maxIdle || SLOTS)).fill(undefined)
  const open = new Set<Port>()
  let stopped = false

  /** The port in a random slot, or a new one in its place where it has done its work. */
  function port(): Port {
    const slot = options.random16() % slots.length
    const present = slots[slot]
    const reused = present?.takesMore() ?? false
    options.onSocket(reused)
    if (present && reused) return present
    present?.retire()
    const made = new Port(peer, options, () => {
      open.delete(made)
      if (slots[slot] === made) slots[slot] = undefined
    })
    open.add(made)
    slots[slot] = made
    return made
  }

  return {
    exchange: (query, readMs) => (stopped ? Promise.reject(stoppedError(peer)) : port().exchange(query, readMs)),
    close() {
      stopped = true
      for (const each of open) each.close()
    },
  }
}

/** One socket, connected to the upstream: the kernel drops what comes from elsewhere and reports when nobody listens there. */
class Port {
  readonly #peer: string
  readonly #options: Options
  readonly #onClosed: () => void
  readonly #pending: PendingQueries
  readonly #idle: IdleTimer
  readonly #socket: Socket
  readonly #madeAt: number
  /** Queries that wait for the socket to be connected; undefined once it is. */
  #unsent: Uint8Array[] | undefined = []
  #uses = 0
  #retired = false
  #closed = false

  constructor(peer: string, options: Options, onClosed: () => void) {
    const { clock, random16 } = options
    this.#peer = peer
    this.#options = options
    this.#onClosed = onClosed
    this.#madeAt = clock.monotonic()
    this.#pending = new PendingQueries({ peer, clock, random16, onEmpty: () => this.#rest() })
    this.#idle = new IdleTimer(clock, options.expireMs, () => this.close())
    this.#socket = createSocket(socketOptions(options.address))
    this.#socket.on('message', packet => this.#pending.receive(packet))
    this.#socket.on('error', cause => {
      this.close(socketError('PORTOLAN_UPSTREAM_UNREACHABLE', this.#peer, cause))
    })
    this.#socket.on('connect', () => this.#sendWaiting())
  }

  /** Whether the next query may leave from here. */
  takesMore(): boolean {
    const { clock, maxAgeMs } = this.#options
    return this.#uses < USES && (maxAgeMs === 0 || clock.monotonic() - this.#madeAt < maxAgeMs)
  }

  exchange(query: Uint8Array, timeoutMs: number): Promise<Response> {
    this.#uses++
    this.#idle.used()
    const reply = this.#pending.add(query, timeoutMs)
    if (this.#unsent) this.#unsent.push(query)
    else this.#socket.send(query, this.#onSent)
    // Only now: opening may fail at once, and then fails this query.
    if (this.#uses === 1) this.#open()
    return reply
  }

  /** Takes no more queries, and closes when the last reply is there. */
  retire(): void {
    this.#retired = true
    if (this.#pending.size === 0) this.close()
  }

  close(error?: PortolanError): void {
    if (this.#closed) return
    this.#closed = true
    this.#idle.stop()
    this.#socket.close()
    this.#onClosed()
    if (this.#pending.size > 0) this.#pending.fail(error ?? stoppedError(this.#peer))
  }

  #open(): void {
    const { port, address, sourceAddress } = this.#options
    if (sourceAddress === undefined) this.#socket.connect(port, address)
    else this.#socket.bind({ address: sourceAddress }, () => this.#closed || this.#socket.connect(port, address))
  }

  #sendWaiting(): void {
    const unsent = this.#unsent ?? []
    this.#unsent = undefined
    if (!this.#closed) for (const query of unsent) this.#socket.send(query, this.#onSent)
  }

  /** A failed send fails all that wait here, as an error of the socket does. */
  readonly #onSent = (error: Error | null): void => {
    if (error) this.#socket.emit('error', error)
  }

  #rest(): void {
    if (this.#closed) return
    if (this.#retired) this.close()
    else this.#idle.unused()
  }
}

/** Addresses are never names here: there is nobody to ask for them. */
function socketOptions(address: string) {
  const family = address.includes(':') ? 6 : 4
  return {
    type: family === 6 ? ('udp6' as const) : ('udp4' as const),
    lookup: (host: string, _: unknown, done: (error: null, address: string, family: number) => void) =>
      done(null, host, family),
  }
}
