/** The cache as a link of the chain: looks up, passes on, keeps what comes back, and renews what is about to expire or has. */
import { messageOf } from '../../errors.ts'
import type { Counter } from '../../observe/metrics.ts'
import { then } from '../../plugin/chain.ts'
import type { CutDraft } from '../../plugin/cut-draft.ts'
import type { Footprint } from '../../plugin/footprint.ts'
import type { Fixture, Next, Plugin, Reply, SetupContext } from '../../plugin/plugin.ts'
import type { CacheSpace } from '../../table/contract.ts'
import type { Answer } from '../../wire/answer.ts'
import { withTtl } from '../../wire/edit.ts'
import { isWithinAny, nameToText, textFromKey } from '../../wire/name.ts'
import { overTcp, type Query } from '../../wire/query.ts'
import { Bit, Opcode, Rcode, Type, typeName } from '../../wire/types.ts'
import { Entry, withoutUnwanted } from './entry.ts'
import type { CacheOptions } from './options.ts'
import { Published } from './published.ts'
import { keyOf, Store } from './store.ts'
import { judge, type Verdict } from './verdict.ts'

export class Cache implements Plugin {
  readonly name = 'cache'
  readonly footprint: Footprint
  readonly #options: CacheOptions
  readonly #context: SetupContext
  readonly #store: Store
  readonly #prefetches: Counter
  readonly #servedStale: Counter
  /** The links that know at once whether they answer a query themselves. */
  #current: readonly (Plugin | Fixture)[] = []
  #space: CacheSpace | undefined

  constructor(options: CacheOptions, context: SetupContext) {
    this.#options = options
    this.#context = context
    this.footprint = { suffixes: () => options.zones, declare: cut => this.#declare(cut) }
    const { block, metrics } = context
    const zones = options.zones.map(textFromKey).join(',')
    const counter = (name: string, help: string) =>
      metrics.counter(name, help, ['server', 'zones', 'view']).of(block.label, zones, '')
    this.#store = new Store(options, block.label, zones, metrics)
    this.#prefetches = counter('coredns_cache_prefetch_total', 'Entries fetched anew before or after they expired.')
    this.#servedStale = counter('coredns_cache_served_stale_total', 'Queries answered from expired entries.')
  }

  async start(): Promise<void> {
    const { block, table } = this.#context
    this.#current = block.plugins.filter(plugin => plugin.current !== undefined)
    if (table === undefined) return
    this.#space = table.cacheSpace()
    const { prefetch, keepTtl } = this.#options
    // Hits that only the table sees would make no entry popular, and ages are counted there.
    if (prefetch.amount === 0 && !keepTtl) this.#store.publish(new Published(this.#space))
  }

  async stop(): Promise<void> {
    this.#space?.close()
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    if (!this.#serves(query)) return next(query)
    if (this.#isCurrent(query)) return then(next(query), query, this.#passed)
    const nowMs = this.#context.clock.monotonic()
    const key = keyOf(query)
    const entry = this.#store.find(key, nowMs)
    if (entry === undefined)
      return then(next(asRefresh(query)), query, (_query, reply) => this.#keep(key, query, reply))
    const left = entry.left(nowMs)
    if (left <= 0) return this.#answerStale(key, entry, query, next)
    if (this.#isDue(entry, left, nowMs) && entry.beginRefresh(nowMs)) this.#refreshBehind(key, entry, query, next)
    return { answer: entry.answerTo(query, this.#options.keepTtl ? entry.ttl : left), plugin: this.name }
  }

  #declare(cut: CutDraft): void {
    const { zones, success, denial } = this.#options
    if (this.#space === undefined || !isWithinAny(cut.suffix, zones)) return
    cut.cache(this.#space, [success.minTtl, success.ttl], [denial.minTtl, denial.ttl], this.#store.counters)
  }

  /** Transfers and other opcodes are not for a cache. */
  #serves(query: Query): boolean {
    if (query.opcode !== Opcode.QUERY || query.type === Type.AXFR || query.type === Type.IXFR) return false
    return isWithinAny(query.key, this.#options.zones)
  }

  #isCurrent(query: Query): boolean {
    for (const plugin of this.#current) if (plugin.current?.(query)) return true
    return false
  }

  /** A reply that is not kept is told as it would be from the cache. */
  readonly #passed = (query: Query, reply: Reply): Reply =>
    told(query, reply, lasting(reply.answer, this.#judge(query, reply).ttl))

  #judge(query: Query, { answer }: Reply): Verdict {
    return judge(query, answer, this.#options, this.#context.clock.now())
  }

  /** Keeps the reply to a query that was passed on, if it may be kept; returns it as its own asker gets it. */
  #keep(key: string, query: Query, reply: Reply, replaced?: Entry): Reply {
    const verdict = this.#judge(query, reply)
    const { kind, ttl, answering } = verdict
    const { disabled } = this.#options[kind === 'success' || kind === 'delegation' ? 'success' : 'denial']
    const answer = lasting(reply.answer, ttl)
    if (verdict.keep && reply.current !== true && !isWithinAny(query.key, disabled)) {
      const storedMs = this.#context.clock.monotonic()
      const lastGood = answering ? undefined : this.#store.lastGood(key)
      const entry = new Entry(query, answer, { ttl, answering, storedMs, lastGood })
      if (replaced) entry.inherit(replaced, storedMs)
      this.#store.keep(key, entry, verdict, storedMs)
    }
    return told(query, reply, answer)
  }

  /** Whether a hit on an entry that expires in `left` seconds makes it worth fetching anew already. */
  #isDue(entry: Entry, left: number, nowMs: number): boolean {
    const { amount, withinMs, percentage } = this.#options.prefetch
    if (amount === 0) return false
    return entry.hit(nowMs, withinMs) >= amount && left <= Math.ceil((percentage / 100) * entry.ttl)
  }

  #answerStale(key: string, entry: Entry, query: Query, next: Next): Reply | Promise<Reply> {
    const { verify, verifyTimeoutMs, recheckMs } = this.#options.stale
    const nowMs = this.#context.clock.monotonic()
    if (!verify) {
      if (entry.beginRefresh(nowMs)) this.#refreshBehind(key, entry, query, next)
      return this.#stale(entry, query)
    }
    // Without a bound on the wait and without a pause after failures, every asker waits for an answer of its own.
    const shared = verifyTimeoutMs > 0 || recheckMs > 0
    if (shared && !entry.beginRefresh(nowMs)) return this.#stale(entry, query)
    return this.#verify(key, entry, query, next)
  }

  async #verify(key: string, entry: Entry, query: Query, next: Next): Promise<Reply> {
    const { clock } = this.#context
    const { verifyTimeoutMs } = this.#options.stale
    const renewed = this.#refresh(key, entry, query, next)
    if (verifyTimeoutMs === 0) return (await renewed) ?? this.#stale(entry, query)
    const { promise: tooLate, resolve } = Promise.withResolvers<undefined>()
    const timer = clock.after(verifyTimeoutMs, () => resolve(undefined))
    const reply = await Promise.race([renewed, tooLate])
    timer.cancel()
    return reply ?? this.#stale(entry, query)
  }

  #stale(entry: Entry, query: Query): Reply {
    this.#servedStale.add()
    const { stale, keepTtl } = this.#options
    return { answer: entry.answerTo(query, stale.ttl || (keepTtl ? entry.ttl : 0)), plugin: this.name }
  }

  /** Fetches an entry anew while its asker is answered from it. Over TCP, so that no size cuts the reply. */
  #refreshBehind(key: string, entry: Entry, query: Query, next: Next): void {
    this.#prefetches.add()
    void this.#refresh(key, entry, query.with({ peer: overTcp(query.peer) }), next)
  }

  /** Asks anew for an entry. Undefined where what came back does not replace it; what was thrown is logged. */
  async #refresh(key: string, entry: Entry, query: Query, next: Next): Promise<Reply | undefined> {
    const { clock, log } = this.#context
    const expired = entry.left(clock.monotonic()) <= 0
    let renewed: Reply | undefined
    try {
      const reply = await next(asRefresh(query))
      if (!expired || this.#replaces(query, reply)) renewed = this.#keep(key, query, reply, entry)
      else if (this.#options.stale.preferPositive) this.#keep(key, query, reply)
    } catch (error) {
      log.error(`refreshing ${nameToText(query.name)} ${typeName(query.type)} failed: ${messageOf(error)}`)
    }
    entry.endRefresh(clock.monotonic(), renewed === undefined ? this.#options.stale.recheckMs : 0)
    return renewed
  }

  /** Whether a reply is good enough to take the place of an expired entry (RFC 8767 section 4). */
  #replaces(query: Query, reply: Reply): boolean {
    const { rcode, bits } = reply.answer
    if (bits & Bit.TC) return false
    const { kind, answering } = this.#judge(query, reply)
    if (this.#options.stale.preferPositive) return answering
    return kind !== 'other' && (rcode === Rcode.NOERROR || rcode === Rcode.NXDOMAIN)
  }
}

/** Whether upstreams vouch for an answer is asked by AD (RFC 6840 section 5.7), for whoever asks next. */
function asRefresh(query: Query): Query {
  return query.bits & Bit.AD ? query : query.with({ bits: query.bits | Bit.AD })
}

/** The reply as the cache tells its answer from now on: no client sees its time to live jump between two answers. */
function told(query: Query, reply: Reply, lasting: Answer): Reply {
  const answer = withoutUnwanted(lasting, query)
  return answer === reply.answer ? reply : { ...reply, answer }
}

/** The answer with `ttl` on all records, and without the EDNS options of an upstream: these are for one hop (RFC 6891 section 6.1.1). */
function lasting(answer: Answer, ttl: number): Answer {
  const aged = withTtl(answer, ttl)
  return aged.options === undefined || aged.copied !== 0 ? aged : { ...aged, options: undefined }
}
