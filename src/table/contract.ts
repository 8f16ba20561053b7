/**
 * What the table is told, by whoever compiles answers: entries of zones, kept answers, and for each address that is listened on a
 * directory that says which of them answers what. Octets and memory are left to `table.ts`.
 */
import type { Answer } from '../wire/answer.ts'
import type { NameKey } from '../wire/name.ts'
import type { Verdict } from './layout.ts'

/** What a zone has at a name. */
export interface ZoneEntry {
  /** What is said of a type that is not among `types`; never ANSWER. */
  readonly other: Verdict
  /**
   * Bits of `Below`: what is said of names that are not there, where the first name on the way from this one down to them is not
   * there either. (Above `a._http._tcp.web` there may be `_http._tcp.web` and `web`, but no `_tcp.web`. Then either of the two is
   * taken at its word: both must be right.)
   */
  readonly below: number
  readonly types: readonly TypeEntry[]
}

/** An answer is compiled for the entry's own name: its `nameLength` is that name's, or 0. Its records have one time to live. */
export type TypeEntry =
  | { readonly type: number; readonly verdict: typeof Verdict.ANSWER; readonly answer: Answer }
  | { readonly type: number; readonly verdict: Exclude<Verdict, typeof Verdict.ANSWER> }

/**
 * The names of one zone, or the kept answers of one cache, apart from all others. Changes are seen by answer threads at once, one
 * name at a time; `commit` ends a stretch of them. Only the control thread may call any of it.
 */
export interface Space {
  /** Its number, for directories. */
  readonly id: number
  /** Frees everything in it. The directories must not name it any more. */
  close(): void
  /** Ends a stretch of changes: what was replaced before it may be reused once no reader can still see it. */
  commit(): void
}

export interface ZoneSpace extends Space {
  /** Sets or, with undefined, removes a name. True when that changed an octet. */
  put(key: NameKey, entry: ZoneEntry | undefined): boolean
  /** What stands at the name; the answers' bodies are the caller's own. */
  get(key: NameKey): ZoneEntry | undefined
  has(key: NameKey): boolean
  /** Every name in it, in no order. Slow: it looks at the whole table. */
  keys(): Iterable<NameKey>
  /** Removes every name. */
  clear(): void
  /**
   * What negative answers hold (the SOA), as they are for a name of `length` octets. Called for two lengths or more: what
   * differs between them are pointers. NODATA and NXDOMAIN differ in their rcode alone.
   */
  setNegative(answerFor: (length: number) => Answer): void
}

export interface CacheSpace extends Space {
  /**
   * Keeps the answer to a question of class IN from now on until its life ends; `ageMs` is how old it is already. `answer` has
   * `ttl` (seconds) on all records, and is spelled for `key` in the letter case of `name`. False where it cannot be kept: the
   * memory that caches may take is used up, the answer is too large, or the space is closed. An older answer to the question is gone
   * in any case.
   */
  put(question: CacheQuestion, answer: Answer, life: { readonly ttl: number; readonly ageMs: number }): boolean
  remove(question: Omit<CacheQuestion, 'name'>): void
}

/** Where those who publish get what they publish in. */
export interface Spaces {
  zoneSpace(): ZoneSpace
  cacheSpace(): CacheSpace
}

export interface CacheQuestion {
  readonly key: NameKey
  /** The name's letter case when the answer was stored, in wire form: owners are told that way. */
  readonly name: Uint8Array
  readonly type: number
  readonly dnssecOk: boolean
  readonly checkingDisabled: boolean
}

/**
 * Names at and below `suffix`, up to the next longer cut: how they are answered. Plain data, as it is passed between threads.
 */
export interface Cut {
  /** A name in the form of a `NameKey`. */
  readonly suffix: string
  /** Everything is asked of the control thread; nothing else counts then. */
  readonly ask: boolean
  /** Spaces, by id; -1 for none. Names in `front` are asked of the control thread, whatever the zone says. */
  readonly front: number
  readonly zone: number
  readonly cache: number
  /** NXDOMAIN of the zone is final. Where not, the cache is looked at next, and then the control thread is asked. */
  readonly closed: boolean
  /** Whether answers with records, and those without, may be given here; otherwise they are asked of the control thread. */
  readonly positives: boolean
  readonly negatives: boolean
  /** Whether the control thread is asked all that is sampled (`wire/sample.ts`) of what the zone answers with NXDOMAIN. */
  readonly sampled: boolean
  /** Whether answers are rotated (`loadbalance`). */
  readonly rotate: boolean
  /** The EDNS size that replies are cut to and repeat (`bufsize`); 0 for the client's own. */
  readonly size: number
  /** What becomes of a zone answer's time to live where it passes a cache: seconds, `[least, most]`. Absent: nothing. */
  readonly positiveTtl?: readonly [number, number] | undefined
  readonly negativeTtl?: readonly [number, number] | undefined
  /** Of what the answers are counted under (`counters.ts`); -1 where nobody counts. */
  readonly counter: number
}

/** How one listening address answers; there is always a cut for the root. Longest suffix first. */
export type Directory = readonly Cut[]
