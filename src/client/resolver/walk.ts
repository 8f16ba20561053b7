/**
 * How a name becomes questions on the wire: the walk that a C library's getaddrinfo(3) takes. A walk is a generator without sockets: it
 * says what to send and how long to wait, and is told what happened. So one and the same walk is rehearsed offline (`rehearsal.ts`)
 * and taken for real (`stub-resolver.ts`).
 */

export type AddressType = 'A' | 'AAAA'

/** One question on its way to one server. */
export interface Query {
  /** Absolute, without the last dot; the root is `.`. */
  readonly name: string
  readonly type: AddressType
  /** An address. */
  readonly server: string
  readonly transport: 'udp' | 'tcp'
  /** Queries of one number come from the same port, or are on the same connection. Never used again once it was given up. */
  readonly socket: number
  /** Whether an OPT record goes with it (RFC 6891), and the AD bit (RFC 6840 section 5.7). */
  readonly edns: boolean
  readonly ad: boolean
}

/** What a walk needs to know of a response. */
export interface Reply {
  readonly rcode: number
  readonly truncated: boolean
  /** How many records the answer section has, of any type. */
  readonly answers: number
  /** Those of the type that was asked for. */
  readonly addresses: readonly string[]
  /** Nothing in it, not even an authority: neither AA nor RA, no additional record. Counts as a server that does not know. */
  readonly lame: boolean
}

/** Send these in this order; then tell what happens next, at the latest when the deadline has come. */
export interface Turn {
  readonly send: readonly Query[]
  /** Milliseconds since the walk began; infinite where it waits for ever. */
  readonly deadline: number
}

/** What happened, and when: milliseconds since the walk began. */
export type Happening =
  | { readonly what: 'reply'; readonly at: number; readonly query: Query; readonly reply: Reply }
  /** Nobody listens there, or the connection was closed without a response: the end of all that is on its way from that socket. */
  | { readonly what: 'refused' | 'closed'; readonly at: number; readonly query: Query }
  | { readonly what: 'timeout'; readonly at: number }

/** A query with what became of it. */
export interface Exchange {
  readonly query: Query
  readonly sentAt: number
  readonly end: Exclude<Happening, { readonly what: 'timeout' }> | undefined
}

/** What a name came to: `again` where no server gave an answer, `failed` where the library gave up. */
export type Verdict = 'found' | 'nodata' | 'nxdomain' | 'again' | 'failed'

/** One name of the walk. */
export interface Step {
  readonly name: string
  /** The entry of the search list that was appended; undefined where the name was asked as it stands. */
  readonly search: string | undefined
  /** In the order of sending. Empty where the name cannot be asked for, or is not. */
  readonly exchanges: readonly Exchange[]
  readonly verdict: Verdict
}

/** What the program that asked is told: `found`, or the error of getaddrinfo(3). */
export type Outcome = 'found' | 'EAI_NONAME' | 'EAI_NODATA' | 'EAI_AGAIN' | 'EAI_FAIL'

export interface Result {
  readonly outcome: Outcome
  readonly addresses: readonly string[]
  readonly steps: readonly Step[]
}

export type Walk = Generator<Turn, Result, Happening>

/** Part of a walk that comes to a value. */
export type Stretch<T> = Generator<Turn, T, Happening>

/** Keeps the time and the record of a walk. */
export class Journal {
  /** When the last thing happened. */
  now = 0
  readonly steps: Step[] = []
  #exchanges: { query: Query; sentAt: number; end: Exchange['end'] }[] = []
  #sockets = 0

  /** A number that no query has had. */
  socket(): number {
    return ++this.#sockets
  }

  /** Sends, waits, and writes down what happened. */
  *turn(send: readonly Query[], deadline: number): Stretch<Happening> {
    for (const query of send) this.#exchanges.push({ query, sentAt: this.now, end: undefined })
    const happening = yield { send, deadline }
    this.now = happening.at
    if (happening.what !== 'timeout') {
      const { what, query } = happening
      for (const exchange of this.#exchanges) {
        const isOwn =
          exchange.query === query ||
          (what !== 'reply' && exchange.query.socket === query.socket && exchange.query.server === query.server)
        if (isOwn && exchange.end === undefined) exchange.end = happening
      }
    }
    return happening
  }

  /** Ends a step with what was exchanged since the last one. */
  close(name: string, search: string | undefined, verdict: Verdict): void {
    this.steps.push({ name, search, exchanges: this.#exchanges, verdict })
    this.#exchanges = []
  }

  result(outcome: Outcome, addresses: readonly string[] = []): Result {
    return { outcome, addresses, steps: this.steps }
  }
}

/** The name as it stands in a query; undefined where no message has room for it (RFC 1035 section 2.3.4). The root is `.`. */
export function queryName(text: string): string | undefined {
  if (text === '.') return text
  const name = text.replace(/\.$/, '')
  const labels = name.split('.')
  const fits = name.length <= 253 && labels.every(label => label.length > 0 && label.length <= 63)
  return fits ? name : undefined
}

/** How many dots a name has. */
export function dotsOf(name: string): number {
  return name.split('.').length - 1
}
