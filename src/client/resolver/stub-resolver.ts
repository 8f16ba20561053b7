/** Takes a walk for real: the queries go to the servers, and what comes back is what happens. */
import { AUTHENTIC_DATA, decode, encode, RECURSION_DESIRED } from 'dns-packet'
import { type QuerySocket, tcpQuerySocket, udpQuerySocket } from '../../net/query-socket.ts'
import type { Clock, Random } from '../../observe/clock.ts'
import { Bit } from '../../wire/types.ts'
import { ednsOffer } from './edns-offer.ts'
import type { Happening, Query, Reply, Result, Walk } from './walk.ts'

export interface StubOptions {
  readonly clock: Clock
  readonly random: Random
  /** Of all servers; 53 unless given. */
  readonly port?: number
  /** Where a library would wait for ever; 10 s unless given. */
  readonly patienceMs?: number
}

/** What glibc says it can take (RESOLV_EDNS_BUFFER_SIZE). */
const UDP_SIZE = 1200

/** Takes a walk to its end. Never rejects: a server that cannot be reached is one of the things that happen. */
export async function perform(walk: Walk, options: StubOptions): Promise<Result> {
  const wire = new Wire(options)
  try {
    for (let turn = walk.next(); ; ) {
      if (turn.done) return turn.value
      for (const query of turn.value.send) await wire.send(query)
      turn = walk.next(await wire.next(turn.value.deadline))
    }
  } finally {
    wire.close()
  }
}

interface Channel {
  readonly socket: QuerySocket
  /** By id. */
  readonly sent: Map<number, Query>
}

class Wire {
  readonly #options: Required<StubOptions>
  readonly #started: number
  /** By the number of the socket, its server and transport. A walk that asks several servers from one port has one for each here. */
  readonly #channels = new Map<string, Channel>()
  readonly #happened: Happening[] = []
  #wake: () => void = () => undefined

  constructor(options: StubOptions) {
    this.#options = { port: 53, patienceMs: 10_000, ...options }
    this.#started = options.clock.monotonic()
  }

  /** Resolves when the query is on its way, so that one that is sent later does not overtake it. */
  async send(query: Query): Promise<void> {
    const { socket, sent } = this.#channelOf(query)
    let id = Math.floor(this.#options.random() * 0x10000)
    while (sent.has(id)) id = (id + 1) & 0xffff
    sent.set(id, query)
    socket.send(queryOctets(query, id))
    // Connections are left to their time: nothing overtakes a query there, and a server may let them wait for long.
    if (query.transport === 'udp') await socket.opened
  }

  /** What happened next, or that nothing did. */
  async next(deadline: number): Promise<Happening> {
    const known = this.#happened.shift()
    if (known !== undefined) return known
    const { clock, patienceMs } = this.#options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const waitMs = Number.isFinite(deadline) ? Math.max(0, deadline - this.#now()) : patienceMs
    const timer = clock.after(waitMs, resolve)
    await promise
    timer.cancel()
    return this.#happened.shift() ?? { what: 'timeout', at: this.#now() }
  }

  close(): void {
    for (const { socket } of this.#channels.values()) socket.close()
  }

  #now(): number {
    return this.#options.clock.monotonic() - this.#started
  }

  #tell(happening: Happening): void {
    this.#happened.push(happening)
    this.#wake()
  }

  #channelOf({ transport, server, socket: number }: Query): Channel {
    const key = `${transport} ${server} ${number}`
    const known = this.#channels.get(key)
    if (known !== undefined) return known
    const sent = new Map<number, Query>()
    const open = transport === 'udp' ? udpQuerySocket : tcpQuerySocket
    const socket = open(server, this.#options.port, {
      message: octets => {
        const found = read(octets, sent)
        if (found !== undefined) this.#tell({ what: 'reply', at: this.#now(), ...found })
      },
      lost: what => {
        const [query] = sent.values()
        if (query !== undefined) this.#tell({ what, at: this.#now(), query })
      },
    })
    const channel = { socket, sent }
    this.#channels.set(key, channel)
    return channel
  }
}

function queryOctets({ name, type, edns, ad }: Query, id: number): Buffer {
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED | (ad ? AUTHENTIC_DATA : 0),
    questions: [{ name, type }],
    additionals: edns ? [ednsOffer(UDP_SIZE)] : [],
  })
}

/** The query that a message answers; undefined where it answers none, or cannot be read: then it is passed over, as libraries do. */
function read(octets: Buffer, sent: ReadonlyMap<number, Query>): { query: Query; reply: Reply } | undefined {
  const message = decoded(octets)
  const query = sent.get(message?.id ?? -1)
  if (message === undefined || query === undefined) return undefined
  const { flags = 0, questions = [], answers = [], additionals = [] } = message
  const asked = questions[0]
  const isOther = asked?.type !== query.type || asked.name.toLowerCase() !== query.name.toLowerCase()
  if (message.type !== 'response' || (asked !== undefined && isOther)) return undefined
  const reply: Reply = {
    rcode: flags & 15,
    truncated: (flags & Bit.TC) !== 0,
    answers: answers.length,
    addresses: answers.flatMap(answer => (answer.type === query.type ? [`${answer.data}`] : [])),
    lame: (flags & (Bit.AA | Bit.RA)) === 0 && additionals.length === 0,
  }
  return { query, reply }
}

function decoded(octets: Buffer): ReturnType<typeof decode> | undefined {
  try {
    return decode(octets)
  } catch {
    // Whatever it is that throws here says no more than that this is no message.
    return undefined
  }
}
