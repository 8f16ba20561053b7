/**
 * How names at and below one suffix are answered, as it comes about link by link: in the order of the chain, each tells through
 * these methods what it does to queries. What of that may be published is decided here; what a link does is known to the link.
 */
import type { CacheCounters, Counting } from '../observe/traffic-folder.ts'
import type { CacheSpace, Cut, ZoneSpace } from '../table/contract.ts'
import type { NameKey } from '../wire/name.ts'

/** Seconds: `[least, most]`. */
export type TtlBounds = readonly [number, number]

export class CutDraft {
  readonly suffix: NameKey
  /** The zone of the server block that the names fall into. */
  readonly origin: NameKey
  /** The address that is listened on, as the configuration has it; empty for all addresses. */
  readonly address: string
  #ask = false
  /** A link behind the cache may do anything: what it hides can only be a zone, as cached answers come before it. */
  #intercepted = false
  /** Some clients are told of names that do not exist. */
  #expanded = false
  #sampled = false
  #front: ZoneSpace | undefined
  #zone: ZoneSpace | undefined
  #cache: CacheSpace | undefined
  #closed = false
  #positives = true
  #negatives = true
  #rotate = false
  #size = 0
  #positiveTtl: TtlBounds | undefined
  #negativeTtl: TtlBounds | undefined
  #traffic: Counting['traffic']
  #cacheCounters: CacheCounters | undefined

  constructor(suffix: NameKey, origin: NameKey, address: string) {
    this.suffix = suffix
    this.origin = origin
    this.address = address
  }

  /** All of it is for the control thread. */
  ask(): void {
    this.#ask = true
  }

  /** The link may do anything with what reaches it. */
  intercept(): void {
    if (this.#cache === undefined && this.#zone === undefined) this.ask()
    this.#intercepted = true
  }

  /** The link answers, for some clients, names that do not exist. Names that exist pass as they are. */
  expand(): void {
    this.#expanded = true
  }

  /** The link looks at those NXDOMAIN that are sampled (`wire/sample.ts`), and changes nothing. */
  sample(): void {
    this.#sampled = true
  }

  /** The link answers the names in `names`, and lets all others pass. */
  front(names: ZoneSpace): void {
    if (this.#zone) return
    if (this.#front) this.intercept()
    else this.#front = names
  }

  /** The link answers, always with what is current, but for NXDOMAIN where the zone is not `closed`: these it passes on. */
  zone(names: ZoneSpace, closed: boolean): void {
    // The cache lets such queries pass: what stands between would see them.
    if (this.#intercepted || this.#zone) this.ask()
    this.#zone = names
    this.#closed = closed
  }

  /** The link answers with what is in `kept`, and bounds the times to live of what passes. */
  cache(kept: CacheSpace, positiveTtl: TtlBounds, negativeTtl: TtlBounds, counters: CacheCounters): void {
    // What stands before it would have to be asked first.
    if (this.#zone || this.#front) return
    if (this.#cache) {
      this.intercept()
      return
    }
    this.#cache = kept
    this.#positiveTtl = positiveTtl
    this.#negativeTtl = negativeTtl
    this.#cacheCounters = counters
  }

  /** The link must see answers with records, or those without. */
  see(kind: 'positives' | 'negatives'): void {
    if (!this.#isPassed()) return
    if (kind === 'positives') this.#positives = false
    else this.#negatives = false
  }

  /** The link changes the order of records. */
  rotate(): void {
    if (this.#isPassed()) this.#rotate = true
  }

  /** The link lowers the EDNS size to `size`. */
  limit(size: number): void {
    if (this.#isPassed()) this.#size = this.#size === 0 ? size : Math.min(this.#size, size)
  }

  /** The link counts queries and their answers. */
  count(server: string, zone: string): void {
    if (!this.#isPassed()) return
    if (this.#traffic) this.intercept()
    else this.#traffic = { server, zone }
  }

  /** Whether every answer that is published passes the link. */
  #isPassed(): boolean {
    if (this.#zone) return false
    // Those of the cache do not, those of a zone behind it would.
    if (this.#cache) this.intercept()
    return this.#cache === undefined
  }

  /** `counterOf` gives the number that answers are counted under; undefined where there is none left. */
  finish(counterOf: (counting: Counting) => number | undefined): Cut {
    const { suffix } = this
    // Only a zone says of a name that it exists for everyone: what a cache keeps may be an upstream's denial.
    const cache = this.#expanded ? undefined : this.#cache
    if (this.#ask || (this.#zone === undefined && cache === undefined)) return { ...ASKED, suffix }
    const counting: Counting = { traffic: this.#traffic, cache: this.#cacheCounters }
    const counter = counting.traffic || counting.cache ? counterOf(counting) : NONE
    if (counter === undefined) return { ...ASKED, suffix }
    return {
      suffix,
      ask: false,
      // Without a zone the cache comes first.
      front: (this.#zone && this.#front)?.id ?? NONE,
      zone: this.#zone?.id ?? NONE,
      cache: cache?.id ?? NONE,
      closed: this.#closed && !this.#expanded,
      positives: this.#positives,
      negatives: this.#negatives,
      sampled: this.#sampled,
      rotate: this.#rotate,
      size: this.#size,
      positiveTtl: this.#positiveTtl,
      negativeTtl: this.#negativeTtl,
      counter,
    }
  }
}

const NONE = -1

const ASKED: Omit<Cut, 'suffix'> = {
  ask: true,
  front: NONE,
  zone: NONE,
  cache: NONE,
  closed: false,
  positives: false,
  negatives: false,
  sampled: false,
  rotate: false,
  size: 0,
  counter: NONE,
}
