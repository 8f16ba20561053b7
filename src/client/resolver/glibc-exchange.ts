/**
 * How glibc asks for one name: resolv/res_send.c. Servers one after another, all of them `attempts` times; A and AAAA at once from one
 * port, until a server answers only one of them; TCP once an answer was cut short.
 */
import type { Random } from '../../observe/clock.ts'
import { Rcode } from '../../wire/types.ts'
import type { ResolverConfig } from './resolver-config.ts'
import type { AddressType, Journal, Query, Reply, Stretch } from './walk.ts'

/** In the order of arrival. One may be missing: it was an error, or did not come. */
export type Answers = readonly [Reply | undefined, Reply | undefined]

/** Why there are no answers. */
export type NoAnswers = 'refused' | 'timeout' | 'closed'

export class GlibcExchange {
  /** Of the response that came first, from the server that was asked last. */
  lastRcode: number = Rcode.NOERROR
  readonly #config: ResolverConfig
  readonly #journal: Journal
  /** Once a server has answered one of two questions, all are asked one by one, for the rest of the process. */
  #oneByOne: boolean
  #reopen: boolean
  #rotation: number
  /** Of the name that is asked for now: the open ports, by server. */
  #sockets = new Map<number, number>()
  #gotSomewhere = false

  constructor(config: ResolverConfig, journal: Journal, random: Random) {
    this.#config = config
    this.#journal = journal
    this.#reopen = config.singleRequestReopen
    this.#oneByOne = config.singleRequest || config.singleRequestReopen
    this.#rotation = config.rotate ? Math.floor(random() * config.servers.length) : 0
  }

  *ask(name: string, types: readonly AddressType[]): Stretch<Answers | NoAnswers> {
    const { attempts, servers, useTcp } = this.#config
    const order = servers.map((_, i) => (i + this.#rotation) % servers.length)
    if (this.#config.rotate) this.#rotation++
    this.lastRcode = Rcode.NOERROR
    this.#gotSomewhere = false
    this.#sockets.clear()
    let tcp = useTcp
    let tcpFailure: NoAnswers = 'timeout'
    for (let attempt = 0; attempt < attempts; attempt++) {
      for (const server of order) {
        const answers = tcp ? undefined : yield* this.#overUdp(server, name, types)
        tcp ||= answers === 'truncated'
        if (answers !== undefined && answers !== 'truncated') return answers
        if (!tcp) continue
        const whole = yield* this.#overTcp(server, name, types)
        if (typeof whole !== 'string') return whole
        tcpFailure = whole
      }
      // Over TCP each server is asked once.
      if (tcp) break
    }
    if (tcp) return tcpFailure
    return this.#gotSomewhere ? 'timeout' : 'refused'
  }

  #query(server: number, name: string, type: AddressType, transport: Query['transport']): Query {
    const { servers, edns, trustAd } = this.#config
    const socket = this.#sockets.get(server) ?? this.#journal.socket()
    this.#sockets.set(server, socket)
    return { name, type, server: servers[server]!, transport, socket, edns, ad: trustAd }
  }

  /** Undefined where the next server is to be asked. */
  *#overUdp(server: number, name: string, types: readonly AddressType[]): Stretch<Answers | 'truncated' | undefined> {
    const before = this.#gotSomewhere
    for (;;) {
      const answers = yield* this.#oneTry(server, name, types)
      if (answers !== 'half') return answers
      if (this.#oneByOne) {
        this.#reopen = true
        this.#sockets.clear()
      }
      this.#oneByOne = true
      this.#gotSomewhere = before
    }
  }

  /** `half` where the server is to be asked again in another way, since it answers only one question of two. */
  *#oneTry(
    server: number,
    name: string,
    types: readonly AddressType[],
  ): Stretch<Answers | 'truncated' | 'half' | undefined> {
    const deadline = this.#journal.now + this.#patience(server) * 1000
    const left = [...types]
    const next = (): Query[] =>
      left.splice(0, this.#oneByOne ? 1 : left.length).map(type => this.#query(server, name, type, 'udp'))
    const awaited = new Set<AddressType>(types)
    let first: Reply | undefined
    let send = next()
    for (;;) {
      const happening = yield* this.#journal.turn(send, deadline)
      send = []
      if (happening.what === 'timeout') {
        if (first === undefined || awaited.size === types.length) {
          this.#gotSomewhere = true
          return undefined
        }
        return this.#reopen ? [first, undefined] : 'half'
      }
      const { query } = happening
      if (query.socket !== this.#sockets.get(server) || !awaited.has(query.type)) continue
      if (happening.what !== 'reply') return this.#giveUp()
      const { reply } = happening
      const isFirst = awaited.size === types.length
      this.#gotSomewhere = true
      if (isFirst) this.lastRcode = reply.rcode
      awaited.delete(query.type)
      if (isUseless(reply)) {
        if (!isFirst) return first && [first, undefined]
        if (types.length === 1 || this.#oneByOne) return this.#giveUp()
        continue
      }
      if (reply.truncated) {
        this.#sockets.clear()
        return 'truncated'
      }
      if (isFirst) first = reply
      if (awaited.size === 0) return isFirst ? [reply, undefined] : [first, reply]
      if (this.#oneByOne) {
        if (this.#reopen) this.#sockets.clear()
        send = next()
      }
    }
  }

  #giveUp(): undefined {
    this.#sockets.clear()
    return undefined
  }

  /** Seconds: twice as many for each server down the list, and shared among all of them. */
  #patience(server: number): number {
    const { timeoutSeconds, servers } = this.#config
    const seconds = timeoutSeconds * 2 ** server
    return Math.max(1, Math.trunc(server > 0 ? seconds / servers.length : seconds))
  }

  /** Both questions on one connection. The library waits for ever, and takes any rcode. */
  *#overTcp(server: number, name: string, types: readonly AddressType[]): Stretch<Answers | NoAnswers> {
    this.#sockets.clear()
    let send = types.map(type => this.#query(server, name, type, 'tcp'))
    const awaited = new Set<AddressType>(types)
    const got: Reply[] = []
    while (awaited.size > 0) {
      const happening = yield* this.#journal.turn(send, Number.POSITIVE_INFINITY)
      send = []
      if (happening.what === 'timeout') return 'timeout'
      const { query } = happening
      if (query.socket !== this.#sockets.get(server) || !awaited.has(query.type)) continue
      if (happening.what !== 'reply') return happening.what
      if (got.length === 0) this.lastRcode = happening.reply.rcode
      got.push(happening.reply)
      awaited.delete(query.type)
    }
    return [got[0], got[1]]
  }
}

/** What makes the library turn to the next server. */
function isUseless({ rcode, answers, lame }: Reply): boolean {
  if (rcode === Rcode.SERVFAIL || rcode === Rcode.NOTIMP || rcode === Rcode.REFUSED) return true
  return rcode === Rcode.NOERROR && answers === 0 && lame
}
