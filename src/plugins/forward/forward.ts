/**
 * Relays queries to upstream servers: which queries, which upstream, how often, and what becomes of the reply. Sockets are left
 * to `net/`.
 */
import type { SecureContext } from 'node:tls'
import { PortolanError } from '../../errors.ts'
import { type Clock, sleep } from '../../observe/clock.ts'
import type { Next, Plugin, Reply, SetupContext } from '../../plugin/plugin.ts'
import { type Answer, REFUSED, SERVFAIL } from '../../wire/answer.ts'
import type { Response } from '../../wire/message.ts'
import { isWithinAny } from '../../wire/name.ts'
import type { Protocol, Query } from '../../wire/query.ts'
import { Bit, Rcode } from '../../wire/types.ts'
import { type Measures, measures } from './measures.ts'
import type { ForwardOptions } from './options.ts'
import { type Policy, policy } from './policy.ts'
import { resolved } from './resolution.ts'
import { Target } from './target.ts'
import { tlsContext } from './tls.ts'
import { upstreamQuery } from './upstream-query.ts'

/** How long after a query came a new try may begin. */
const WINDOW_MS = 5_000
/** Tries for each upstream, unless the Corefile says how many there may be. */
const ATTEMPTS = 2
/** Where tries are not limited: the pause after each round, so that upstreams that refuse at once are not flooded. */
const PAUSE_MS = 100

export class Forward implements Plugin {
  readonly name = 'forward'
  readonly #options: ForwardOptions
  readonly #context: SetupContext
  readonly #clock: Clock
  readonly #measures: Measures
  readonly #order: Policy<Target>
  readonly #anyOrder: Policy<Target>
  readonly #tooMany: Reply
  #targets: readonly Target[] = []
  /** Whether the next plugin is another `forward`, which `next` may hand queries to. */
  #followed = false
  #underWay = 0

  constructor(options: ForwardOptions, context: SetupContext) {
    this.#options = options
    this.#context = context
    this.#clock = context.clock
    this.#measures = measures(context.metrics)
    this.#order = policy(options.policy, context.random)
    this.#anyOrder = policy('random', context.random)
    this.#tooMany = {
      answer: REFUSED,
      plugin: this.name,
      error: new PortolanError('PORTOLAN_FORWARD_BUSY', `concurrent queries exceeded maximum ${options.maxConcurrent}`),
    }
  }

  async start(): Promise<void> {
    const { plugins } = this.#context.block
    this.#followed = plugins[plugins.indexOf(this) + 1]?.name === this.name
    const { to, resolvers, tls } = this.#options
    let made: SecureContext | undefined
    // The certificates of a system take a while to read, and are the same for all.
    const context = () => (made ??= tlsContext(tls))
    const shared = { options: this.#options, context, clock: this.#clock, measuresOf: this.#measures.of }
    this.#targets = (await resolved(to, resolvers, this.#clock)).map(destination => new Target(destination, shared))
  }

  async stop(): Promise<void> {
    for (const target of this.#targets) target.close()
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    if (!takes(this.#options, query)) return next(query)
    const { maxConcurrent } = this.#options
    if (maxConcurrent > 0 && this.#underWay >= maxConcurrent) {
      this.#measures.maxConcurrentRejects.add()
      return this.#tooMany
    }
    return this.#forward(query, next)
  }

  async #forward(query: Query, next: Next): Promise<Reply> {
    this.#underWay++
    try {
      const result = await this.#ask(query)
      if (!('answer' in result)) return { answer: SERVFAIL, plugin: this.name, error: result.error }
      return await (this.#goesOn(result.answer) ? next(query) : { answer: result.answer, plugin: this.name })
    } finally {
      this.#underWay--
    }
  }

  /** Tries upstreams until one answers, or there is no time or no try left. */
  async #ask(query: Query): Promise<{ answer: Answer } | { error: Error }> {
    const { failover, failfast, maxConnectAttempts } = this.#options
    const targets = this.#order(this.#targets)
    const count = targets.length
    const maxAttempts = maxConnectAttempts ?? ATTEMPTS * count
    const deadline = this.#clock.monotonic() + WINDOW_MS
    // Half of the time, so that a connection that hangs leaves some for another.
    const connectMs = maxAttempts === 1 ? WINDOW_MS : WINDOW_MS / 2
    const message = upstreamQuery(query)
    let error: Error | undefined
    let at = 0
    let down = 0
    let attempts = 0
    let failovers = 0

    while (this.#clock.monotonic() < deadline && (maxAttempts === 0 || attempts < maxAttempts)) {
      if (at === count) at = down = 0
      let target = targets[at++]!
      if (target.health.down) {
        if (++down < count) continue
        this.#measures.healthcheckBroken.add()
        if (failfast) break
        // The checks themselves may be what fails: any upstream is as good as another.
        target = this.#anyOrder(targets)[0]!
      }
      try {
        const { answer } = await this.#exchange(target, message, query.peer.protocol, connectMs)
        if (!failover.has(answer.rcode) || ++failovers >= count) return { answer }
      } catch (thrown) {
        error = thrown as Error
        target.health.suspect()
        attempts++
        if (down >= count) break
        if (maxAttempts === 0 && at === count) await sleep(this.#clock, PAUSE_MS)
      }
    }
    return { error: error ?? new PortolanError('PORTOLAN_FORWARD_UNHEALTHY', 'no healthy proxies') }
  }

  /** Asks one upstream; with `prefer_udp`, what was truncated is asked again by TCP. */
  #exchange(target: Target, message: Uint8Array, protocol: Protocol, connectMs: number): Promise<Response> {
    const { forceTcp, preferUdp } = this.#options
    if (!preferUdp || forceTcp) return target.exchange(message, forceTcp ? 'tcp' : protocol, connectMs)
    const again = (response: Response) =>
      response.answer.bits & Bit.TC ? target.exchange(message, 'tcp', connectMs) : response
    return target.exchange(message, 'udp', connectMs).then(again)
  }

  /** Whether an answer is handed to the next `forward` instead of to the client. */
  #goesOn({ rcode, answers }: Answer): boolean {
    const { nextRcodes, nextOnNodata } = this.#options
    return this.#followed && (nextRcodes.has(rcode) || (nextOnNodata && rcode === Rcode.NOERROR && answers === 0))
  }
}

/** Whether a query is for the upstreams. */
export function takes({ from, except }: ForwardOptions, { key }: Query): boolean {
  return isWithinAny(key, from) && (!isWithinAny(key, except) || from.includes(key))
}
