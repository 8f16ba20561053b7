/** Where entries are kept: positive answers in one store, denials and failures in another, each bounded; and the counting of both. */
import { LRUCache } from 'lru-cache'
import type { Counter, Gauge, Metrics } from '../../observe/metrics.ts'
import type { CacheCounters } from '../../observe/traffic-folder.ts'
import type { Query } from '../../wire/query.ts'
import { Bit, Rcode } from '../../wire/types.ts'
import type { Entry } from './entry.ts'
import type { CacheOptions, Share } from './options.ts'
import type { Published } from './published.ts'
import type { Verdict } from './verdict.ts'

/** Lower-case name, type, class, DO and CD: all that an upstream's answer depends on. One character an octet. */
export function keyOf(query: Query): string {
  const { type, class: klass } = query
  const flags = (query.bits & Bit.CD) | (query.dnssecOk ? 1 : 0)
  return query.key + String.fromCharCode(type >> 8, type & 255, klass >> 8, klass & 255, flags)
}

/** One of the two, with its metrics. */
class Shelf {
  readonly #entries: LRUCache<string, Entry>
  readonly #count: Gauge
  readonly hits: Counter
  /** Told of entries that made room for others. */
  evicted: ((key: string) => void) | undefined

  constructor(share: Share, type: 'success' | 'denial', server: string, zones: string, metrics: Metrics) {
    const labels = ['server', 'type', 'zones', 'view']
    const values = [server, type, zones, '']
    const evictions = metrics.counter('coredns_cache_evictions_total', 'Entries that made room for others.', labels)
    const evicted = evictions.of(...values)
    this.hits = metrics.counter('coredns_cache_hits_total', 'Queries answered from the cache.', labels).of(...values)
    this.#count = metrics.gauge('coredns_cache_entries', 'Entries in the cache.', labels).of(...values)
    this.#entries = new LRUCache({
      // CoreDNS has 256 shards of at least four entries: 10,000 become 9,984.
      maxSize: Math.max(Math.floor(share.capacity / 256), 4) * 256,
      // With `max` in its place, room for all of them would be taken at once.
      sizeCalculation: () => 1,
      dispose: (_entry, key, reason) => {
        if (reason !== 'evict') return
        evicted.add()
        this.evicted?.(key)
      },
    })
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** What `get` would give, which here does not count as use. */
  peek(key: string): Entry | undefined {
    return this.#entries.peek(key)
  }

  set(key: string, entry: Entry): void {
    this.#entries.set(key, entry)
    this.#count.set(this.#entries.size)
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#count.set(this.#entries.size)
  }
}

export class Store {
  readonly #success: Shelf
  readonly #denial: Shelf
  readonly #staleSeconds: number
  readonly #preferPositive: boolean
  readonly #requests: Counter
  readonly #misses: Counter
  #published: Published | undefined

  constructor({ success, denial, stale }: CacheOptions, server: string, zones: string, metrics: Metrics) {
    this.#success = new Shelf(success, 'success', server, zones, metrics)
    this.#denial = new Shelf(denial, 'denial', server, zones, metrics)
    this.#staleSeconds = stale.seconds
    this.#preferPositive = stale.preferPositive && stale.seconds > 0
    const counter = (name: string, help: string) =>
      metrics.counter(name, help, ['server', 'zones', 'view']).of(server, zones, '')
    this.#requests = counter('coredns_cache_requests_total', 'Queries that were looked up in the cache.')
    this.#misses = counter('coredns_cache_misses_total', 'Queries that the cache could not answer.')
  }

  /** What is counted where answers are given from the table. */
  get counters(): CacheCounters {
    return { requests: this.#requests, success: this.#success.hits, denial: this.#denial.hits }
  }

  /** From now on shows there what it would find. */
  publish(published: Published): void {
    this.#published = published
    this.#success.evicted = this.#denial.evicted = key => published.hide(key)
  }

  /** The entry that answers, counted as looked up. */
  find(key: string, nowMs: number): Entry | undefined {
    this.#requests.add()
    const denial = this.#denial.get(key)
    const entry = this.#chosen(this.#success.get(key), denial, nowMs)
    if (entry === undefined) this.#misses.add()
    // The last good one stands behind a positive entry, on the same shelf.
    else (entry === denial ? this.#denial : this.#success).hits.add()
    return entry
  }

  /** The answering entry that a new one without an answer shall not make forgotten. */
  lastGood(key: string): Entry | undefined {
    if (!this.#preferPositive) return undefined
    const positive = this.#success.get(key)
    return positive?.answering ? positive : positive?.lastGood
  }

  keep(key: string, entry: Entry, { kind }: Verdict, nowMs: number): void {
    if (kind !== 'success' && kind !== 'delegation') {
      this.#denial.set(key, entry)
    } else {
      this.#success.set(key, entry)
      // What was denied or failed before is no longer true; `prefer_positive` wants to see an answer for that.
      if (!this.#preferPositive || entry.answering) this.#denial.delete(key)
    }
    this.#published?.show(key, this.#chosen(this.#success.peek(key), this.#denial.peek(key), nowMs) ?? entry, nowMs)
  }

  /**
   * The entry that answers: unexpired, or expired no longer than stale ones are served. A denial comes before a positive answer,
   * a failure after it; with `prefer_positive` an answering entry comes before all.
   */
  #chosen(positive: Entry | undefined, denial: Entry | undefined, nowMs: number): Entry | undefined {
    if (this.#preferPositive) {
      const good = positive?.answering ? positive : positive?.lastGood
      if (this.#isUsable(good, nowMs)) return good
    }
    const usable = this.#isUsable(positive, nowMs) ? positive : undefined
    if (!this.#isUsable(denial, nowMs)) return usable
    return denial.rcode === Rcode.SERVFAIL ? (usable ?? denial) : denial
  }

  #isUsable(entry: Entry | undefined, nowMs: number): entry is Entry {
    if (entry === undefined) return false
    const left = entry.left(nowMs)
    return left > 0 || -left < this.#staleSeconds
  }
}
