/** What a `cache` directive says: how much is kept, for how long, and what happens when it expires. */
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { type NameKey, ROOT } from '../../wire/name.ts'

/** One of the two stores: of positive answers, and of denials and failures. Times in seconds. */
export interface Share {
  capacity: number
  /** Nothing is kept longer. */
  ttl: number
  /** Nothing is kept shorter. */
  minTtl: number
  /** Zones that nothing is kept for. */
  disabled: readonly NameKey[]
}

export interface Prefetch {
  /** Hits that make an entry popular; 0 turns prefetching off. */
  amount: number
  /** Hits further apart than this do not add up. */
  withinMs: number
  /** The entry is fetched anew when this part of its time is left. */
  percentage: number
}

export interface Stale {
  /** Expired entries are served for so long; 0 turns it off. */
  seconds: number
  /** Asks before an expired entry is served, not after. */
  verify: boolean
  /** How long to wait for that; 0 waits until the answer comes. */
  verifyTimeoutMs: number
  /** The time to live of expired records. */
  ttl: number
  /** Pause after a failed refresh; 0 for none. */
  recheckMs: number
  preferPositive: boolean
}

export interface CacheOptions {
  readonly zones: readonly NameKey[]
  readonly success: Share
  readonly denial: Share
  readonly prefetch: Prefetch
  readonly stale: Stale
  /** How long SERVFAIL and NOTIMP are kept, in seconds. */
  failureTtl: number
  keepTtl: boolean
}

const FIVE_MINUTES = 300

export function readCacheOptions(directive: Directive, origins: readonly NameKey[]): CacheOptions {
  const ttl = /^[-+]?\d+$/.test(directive.peek ?? '') ? directive.ttl({ name: 'ttl', min: 1 }) : undefined
  const options: CacheOptions = {
    zones: directive.zones(origins),
    success: { capacity: 10_000, ttl: ttl ?? 3600, minTtl: 5, disabled: [] },
    denial: { capacity: 10_000, ttl: ttl ?? 1800, minTtl: 5, disabled: [] },
    prefetch: { amount: 0, withinMs: 60_000, percentage: 10 },
    stale: { seconds: 0, verify: false, verifyTimeoutMs: 0, ttl: 0, recheckMs: 0, preferPositive: false },
    failureTtl: 5,
    keepTtl: false,
  }
  let policyBy: Directive | undefined
  let staleSeen = false
  readOptions(directive, {
    success: option => readShare(option, options.success),
    denial: option => readShare(option, options.denial),
    prefetch(option) {
      options.prefetch.amount = option.integer({ name: 'amount', min: 0 })
      options.prefetch.withinMs = option.milliseconds({ name: 'duration', default: options.prefetch.withinMs })
      options.prefetch.percentage = option.percentage({
        name: 'percentage',
        min: 10,
        max: 90,
        default: options.prefetch.percentage,
      })
    },
    serve_stale(option) {
      staleSeen = true
      readStale(option, options.stale)
    },
    serve_stale_policy(option) {
      if (policyBy) throw option.error('serve_stale_policy can be given only once')
      policyBy = option
      readWord(option, 0, 'policy', ['prefer_positive'])
      options.stale.preferPositive = true
    },
    servfail(option) {
      options.failureTtl = Math.floor(option.seconds({ name: 'duration', max: FIVE_MINUTES }))
    },
    disable(option) {
      options[option.oneOf(['success', 'denial'])].disabled = option.zones([ROOT])
    },
    keepttl() {
      options.keepTtl = true
    },
  })
  if (policyBy && !staleSeen) throw policyBy.error('serve_stale_policy needs serve_stale')
  return options
}

function readShare(option: Directive, share: Share): void {
  share.capacity = option.integer({ name: 'capacity' })
  share.ttl = option.ttl({ name: 'ttl', min: 1, default: share.ttl })
  share.minTtl = option.ttl({ name: 'minimum ttl', default: share.minTtl })
}

/** `serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]` */
function readStale(option: Directive, stale: Stale): void {
  stale.seconds = option.seconds({ name: 'duration', default: 3600 })
  stale.verify = option.more && readWord(option, 1, 'refresh mode', ['immediate', 'verify']) === 'verify'
  stale.verifyTimeoutMs = stale.verify ? option.milliseconds({ name: 'verify timeout', default: 0 }) : 0
  stale.ttl = option.seconds({ name: 'response ttl', max: 2 ** 32 - 1, default: 0 })
  if (!Number.isInteger(stale.ttl))
    throw option.error('the response ttl must be whole seconds', option.args[stale.verify ? 3 : 2])
  stale.recheckMs = option.milliseconds({ name: 'failure recheck', max: FIVE_MINUTES * 1000, default: 0 })
}

/** One of some words, in any letter case; `index` is the argument's own. */
function readWord(option: Directive, index: number, name: string, words: readonly string[]): string {
  const word = option.text({ name })
  if (words.includes(word.toLowerCase())) return word.toLowerCase()
  const wanted = words.map(known => `"${known}"`).join(' or ')
  throw option.error(`${option.name} ${name} must be ${wanted}, got "${word}"`, option.args[index])
}
