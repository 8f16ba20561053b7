/**
 * The walk of musl: src/network/lookup_name.c and res_msend.c. All servers are asked at once, A and AAAA at once. Only NXDOMAIN leads to
 * the next name of the search list: a name without addresses ends the search, and so does a server that fails.
 */
import { Rcode } from '../../wire/types.ts'
import { numericHost } from './numeric-host.ts'
import type { ResolverConfig } from './resolver-config.ts'
import {
  type AddressType,
  dotsOf,
  Journal,
  type Outcome,
  type Query,
  queryName,
  type Reply,
  type Stretch,
  type Verdict,
  type Walk,
} from './walk.ts'

/** What musl 1.2.3 and older have otherwise: no TCP, and a name that cannot be asked for ends the search. */
export interface MuslAge {
  readonly old: boolean
}

export function* muslWalk(config: ResolverConfig, name: string, types: readonly AddressType[], age: MuslAge): Walk {
  const journal = new Journal()
  const numeric = numericHost(name)
  if (numeric !== undefined) return journal.result('found', [numeric])
  const bare = name.replace(/\.$/, '')
  if (bare === '' || bare.endsWith('.') || bare.length > 254) return journal.result('EAI_NONAME')
  const absolute = dotsOf(name) >= config.ndots || name.endsWith('.')
  const entries = absolute ? [] : config.search.filter(entry => entry.length < 255 - bare.length)
  for (const entry of [...entries, undefined]) {
    const text = entry === undefined ? bare : `${bare}.${entry}`
    const asked = queryName(text)
    const { verdict, outcome, addresses } =
      asked === undefined ? impossible(age) : yield* ask(journal, config, asked, types, age)
    journal.close(asked ?? text, entry, verdict)
    if (verdict !== 'nxdomain') return journal.result(outcome, addresses)
  }
  return journal.result('EAI_NONAME')
}

interface Conclusion {
  readonly verdict: Verdict
  readonly outcome: Outcome
  readonly addresses?: readonly string[]
}

function impossible({ old }: MuslAge): Conclusion {
  return { verdict: old ? 'failed' : 'nxdomain', outcome: 'EAI_NONAME' }
}

function* ask(
  journal: Journal,
  config: ResolverConfig,
  name: string,
  types: readonly AddressType[],
  age: MuslAge,
): Stretch<Conclusion> {
  const replies = yield* new MuslExchange(journal, config, name, types, age).run()
  for (const type of types) {
    const reply = replies.get(type)
    if (reply === undefined) return { verdict: 'again', outcome: 'EAI_AGAIN' }
    if (reply.rcode === Rcode.NXDOMAIN) return { verdict: 'nxdomain', outcome: 'EAI_NONAME' }
  }
  const addresses = types.flatMap(type => replies.get(type)?.addresses ?? [])
  if (addresses.length > 0) return { verdict: 'found', outcome: 'found', addresses }
  return { verdict: 'nodata', outcome: age.old ? 'EAI_NONAME' : 'EAI_NODATA' }
}

class MuslExchange {
  readonly #journal: Journal
  readonly #config: ResolverConfig
  readonly #name: string
  readonly #types: readonly AddressType[]
  readonly #age: MuslAge
  readonly #socket: number
  readonly #replies = new Map<AddressType, Reply>()
  /** Connections that were opened for an answer that was cut short. */
  readonly #connections = new Map<AddressType, number>()
  /** How often a server that fails is asked again at once, until all are asked again anyway. */
  #retries = 0

  constructor(journal: Journal, config: ResolverConfig, name: string, types: readonly AddressType[], age: MuslAge) {
    this.#journal = journal
    this.#config = config
    this.#name = name
    this.#types = types
    this.#age = age
    this.#socket = journal.socket()
  }

  /** What was accepted: NOERROR and NXDOMAIN. */
  *run(): Stretch<ReadonlyMap<AddressType, Reply>> {
    const timeout = this.#config.timeoutSeconds * 1000
    // Rounded up: a library that waits a little longer than it means to sends no further time at the very end.
    const interval = Math.ceil(timeout / this.#config.attempts)
    const start = this.#journal.now
    let last = start - interval
    let send: Query[] = []
    while (this.#journal.now - start < timeout && this.#replies.size < this.#types.length) {
      if (this.#journal.now - last >= interval) {
        send = [...send, ...this.#all()]
        this.#retries = 2 * this.#types.length
        last = this.#journal.now
      }
      const happening = yield* this.#journal.turn(send, last + interval)
      send = []
      if (happening.what === 'timeout') continue
      const { query } = happening
      if (query.transport === 'tcp') {
        if (query.socket !== this.#connections.get(query.type)) continue
        if (happening.what !== 'reply' || !isAcceptable(happening.reply)) break
        this.#replies.set(query.type, happening.reply)
      } else if (happening.what === 'reply') {
        send = this.#take(query, happening.reply)
      }
    }
    return this.#replies
  }

  #all(): Query[] {
    return this.#types
      .filter(type => !this.#replies.has(type) && !this.#connections.has(type))
      .flatMap(type => this.#config.servers.map(server => this.#query(server, type, 'udp', this.#socket)))
  }

  /** Takes a response; gives what is to be sent because of it. */
  #take(query: Query, reply: Reply): Query[] {
    const { type, server } = query
    if (query.socket !== this.#socket || this.#replies.has(type) || this.#connections.has(type)) return []
    if (reply.rcode === Rcode.SERVFAIL && this.#retries > 0) {
      this.#retries--
      return [this.#query(server, type, 'udp', this.#socket)]
    }
    if (!isAcceptable(reply)) return []
    if (!reply.truncated || this.#age.old) {
      this.#replies.set(type, reply)
      return []
    }
    const connection = this.#journal.socket()
    this.#connections.set(type, connection)
    return [this.#query(server, type, 'tcp', connection)]
  }

  #query(server: string, type: AddressType, transport: Query['transport'], socket: number): Query {
    return { name: this.#name, type, server, transport, socket, edns: false, ad: false }
  }
}

/** Others are passed over, as if they had not come. */
function isAcceptable({ rcode }: Reply): boolean {
  return rcode === Rcode.NOERROR || rcode === Rcode.NXDOMAIN
}
