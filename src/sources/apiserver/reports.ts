/**
 * Knows for each kind whether it is followed, why not, and how old what is known of it may be. Says so to the log in one line,
 * seldom, and to the source's owner at once.
 */
import type { KindCheck, KindStatus } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ApiFailure, Reason } from './failure.ts'

/** Told when a kind begins to fail, fails for another reason, or (`undefined`) is followed again. */
export type ProblemHook = (kind: Kind, problem: ApiFailure | undefined) => void

/** The same line comes at most this often, unless told otherwise. */
const usualQuietMs = 60_000

/** The end of what has lasted as long is told even so: its beginning may have been kept quiet, so soon after another one. */
const longMs = 10_000

/** These hold for the server as a whole, so that one line serves all kinds. */
const common: ReadonlySet<Reason> = new Set(['unreachable', 'tls', 'credentials', 'unauthorized'])

export class Reports {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #hook: ProblemHook
  readonly #quietMs: number
  readonly #kinds = new Map<Kind, KindReport>()
  /** When each line was last written. */
  readonly #written = new Map<string, number>()
  /** Since when not all kinds have been followed that were; absent while they are. */
  #awaySince: number | undefined

  constructor(log: Logger, clock: Clock, hook: ProblemHook = () => {}, quietMs = usualQuietMs) {
    this.#quietMs = quietMs
    this.#log = log
    this.#clock = clock
    this.#hook = hook
  }

  /** The report on one kind, always the same. */
  of(kind: Kind): KindReport {
    let report = this.#kinds.get(kind)
    if (report === undefined) {
      report = new KindReport(kind, this.#clock, (before, now) => this.#tell(kind, before, now))
      this.#kinds.set(kind, report)
    }
    return report
  }

  status(): KindStatus[] {
    return [...this.#kinds.values()].map(report => report.status())
  }

  #tell(kind: Kind, before: ApiFailure | undefined, now: ApiFailure | undefined): void {
    if (before?.reason !== now?.reason) this.#hook(kind, now)
    if (now !== undefined) this.#complain(kind, now)
    else if (this.#awaySince !== undefined && this.status().every(({ problem }) => problem === undefined)) {
      const awayMs = this.#clock.monotonic() - this.#awaySince
      this.#awaySince = undefined
      if (awayMs >= longMs || this.#due('following'))
        this.#log.info(`the API server is followed again after ${Math.round(awayMs / 1000)} s`)
    }
  }

  #complain(kind: Kind, { reason, message, advice }: ApiFailure): void {
    this.#awaySince ??= this.#clock.monotonic()
    if (!this.#due(common.has(reason) ? reason : `${reason} ${kind}`)) return
    const { staleMs } = this.of(kind).status()
    const served = staleMs === undefined ? '' : `, and serving what was known ${Math.round(staleMs / 1000)} s ago`
    this.#log.warning(`${message}${advice === '' ? '' : `; ${advice}`}; retrying${served}`)
  }

  #due(line: string): boolean {
    const now = this.#clock.monotonic()
    const last = this.#written.get(line)
    if (last !== undefined && now - last < this.#quietMs) return false
    this.#written.set(line, now)
    return true
  }
}

/** Written by those who follow the kind. */
export class KindReport {
  readonly #kind: Kind
  readonly #clock: Clock
  readonly #tell: (before: ApiFailure | undefined, now: ApiFailure | undefined) => void
  #problem: ApiFailure | undefined
  #following = false
  #confirmed: number | undefined
  #check: Omit<KindCheck, 'ageMs'> | undefined
  #checked = 0

  constructor(kind: Kind, clock: Clock, tell: (before: ApiFailure | undefined, now: ApiFailure | undefined) => void) {
    this.#kind = kind
    this.#clock = clock
    this.#tell = tell
  }

  failing(failure: ApiFailure): void {
    const before = this.#problem
    this.#problem = failure
    this.#following = false
    this.#tell(before, failure)
  }

  following(): void {
    const before = this.#problem
    this.#problem = undefined
    this.#following = true
    if (before !== undefined) this.#tell(before, undefined)
  }

  /** What is known was the API server's state at this moment (monotonic), or later. */
  confirmed(at: number = this.#clock.monotonic()): void {
    this.#confirmed = Math.max(at, this.#confirmed ?? at)
  }

  checked(check: Omit<KindCheck, 'ageMs'>): void {
    this.#check = check
    this.#checked = this.#clock.monotonic()
  }

  status(): KindStatus {
    const now = this.#clock.monotonic()
    return {
      kind: this.#kind,
      following: this.#following,
      problem: this.#problem?.message,
      staleMs: this.#confirmed === undefined ? undefined : now - this.#confirmed,
      check: this.#check && { ...this.#check, ageMs: now - this.#checked },
    }
  }
}
