/**
 * The queries that were sent on one socket and wait for their replies: ids, time-outs, and the check of what comes back. The
 * socket itself is its owner's.
 */
import type { PortolanError } from '../errors.ts'
import type { Clock, Timer } from '../observe/clock.ts'
import { type Response, readResponse } from '../wire/message.ts'
import { Bit, HEADER, Rcode } from '../wire/types.ts'
import { upstreamError } from './upstream.ts'

export interface PendingOptions {
  /** Names the other end in errors: `udp 192.0.2.1:53`. */
  readonly peer: string
  readonly clock: Clock
  readonly random16: () => number
  /** Runs when the last query that waited no longer does. */
  readonly onEmpty: () => void
}

interface Pending {
  readonly query: Uint8Array
  readonly timeoutMs: number
  /** When it is given up, on the monotonic clock. */
  readonly dueMs: number
  resolve(response: Response): void
  reject(error: PortolanError): void
}

/** Octets of a header up to the counts of its records. */
const COUNTS_AT = 4

export class PendingQueries {
  readonly #options: PendingOptions
  readonly #pending = new Map<number, Pending>()
  /** One for all that wait: of thousands hardly any is ever given up. It runs when the first of them may be due. */
  #timer: Timer | undefined
  #timerMs = Number.POSITIVE_INFINITY

  constructor(options: PendingOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#pending.size
  }

  /** Writes a free id into `query`, which the owner then sends, and waits for the reply. For fewer than 65,536 at a time. */
  add(query: Uint8Array, timeoutMs: number): Promise<Response> {
    const { clock, random16 } = this.#options
    let id = random16()
    while (this.#pending.has(id)) id = (id + 1) & 0xffff
    query[0] = id >> 8
    query[1] = id & 255
    return new Promise((resolve, reject) => {
      const dueMs = clock.monotonic() + timeoutMs
      this.#pending.set(id, { query, timeoutMs, dueMs, resolve, reject })
      if (dueMs < this.#timerMs) this.#wake(dueMs)
    })
  }

  /** Settles the query that `packet` answers; a packet that answers none (spoofed, late, broken) changes nothing. */
  receive(packet: Uint8Array): void {
    if (packet.length < HEADER) return
    const id = (packet[0]! << 8) | packet[1]!
    const pending = this.#pending.get(id)
    const response = pending && responseTo(pending.query, packet)
    if (pending === undefined || response === undefined) return
    this.#remove(id)
    pending.resolve(response)
  }

  /** Rejects all that wait. */
  fail(error: PortolanError): void {
    const failed = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of failed) reject(error)
    if (failed.length > 0) this.#emptied()
  }

  #remove(id: number): void {
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#emptied()
  }

  #emptied(): void {
    this.#timer?.cancel()
    this.#timerMs = Number.POSITIVE_INFINITY
    this.#options.onEmpty()
  }

  #wake(atMs: number): void {
    const { clock } = this.#options
    this.#timer?.cancel()
    this.#timerMs = atMs
    this.#timer = clock.after(atMs - clock.monotonic(), () => this.#giveUp())
  }

  /** Rejects those that are due. */
  #giveUp(): void {
    const { clock, peer } = this.#options
    const nowMs = clock.monotonic()
    let nextMs = Number.POSITIVE_INFINITY
    this.#timerMs = nextMs
    for (const [id, { dueMs, timeoutMs, reject }] of this.#pending) {
      if (dueMs > nowMs) {
        nextMs = Math.min(nextMs, dueMs)
        continue
      }
      this.#remove(id)
      // The last words are CoreDNS's own: people have patterns for its `errors` plugin that end in them.
      reject(upstreamError('PORTOLAN_UPSTREAM_TIMEOUT', peer, `no reply within ${timeoutMs} ms: i/o timeout`))
    }
    if (nextMs < this.#timerMs) this.#wake(nextMs)
  }
}

/** The response that `packet` is to `query`, whatever its id; undefined where it is none. */
export function responseTo(query: Uint8Array, packet: Uint8Array): Response | undefined {
  const opcode = query[2]! & 0x78
  if ((packet[2]! & 0xf8) !== (0x80 | opcode)) return undefined
  if (isBareError(packet)) return readResponse(packet.subarray(0, HEADER))
  if (!repeatsQuestion(query, packet)) return undefined
  const response = readResponse(packet)
  if (response !== undefined || (packet[2]! & (Bit.TC >> 8)) === 0) return response
  // Truncated in the middle of a record: as CoreDNS, the records are dropped and TC makes the client turn to TCP.
  return readResponse(withoutCounts(packet))
}

/** A header alone that says there was an error: all that some servers send when they could not read a query. */
function isBareError(packet: Uint8Array): boolean {
  const rcode = packet[3]! & 15
  return (
    rcode !== Rcode.NOERROR &&
    rcode !== Rcode.NXDOMAIN &&
    packet.subarray(COUNTS_AT, HEADER).every(count => count === 0)
  )
}

/** RFC 5452 section 9.1: the reply must repeat our question. Letter case is the upstream's affair. */
function repeatsQuestion(query: Uint8Array, packet: Uint8Array): boolean {
  if (packet[4] !== 0 || packet[5] !== 1) return false
  let at = HEADER
  for (let length = query[at]!; length !== 0; length = query[at]!) {
    for (const end = at + length + 1; at < end; at++) {
      if (packet[at] !== query[at] && lower(packet[at]) !== lower(query[at])) return false
    }
  }
  for (const end = at + 5; at < end; at++) if (packet[at] !== query[at]) return false
  return true
}

/** A length octet is below 64 and so never looks like a letter. */
function lower(octet = 0): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet
}

function withoutCounts(packet: Uint8Array): Uint8Array {
  const header = Uint8Array.from(packet.subarray(0, HEADER))
  return header.fill(0, COUNTS_AT)
}
