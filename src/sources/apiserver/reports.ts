/** Says what keeps the API server from being followed: to the log in one line, seldom, and to the source's owner at once. */
import type { Kind } from '../../cluster/objects.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ApiFailure, Reason } from './failure.ts'

/** Told when a kind begins to fail, fails for another reason, or (`undefined`) is followed again. */
export type ProblemHook = (kind: Kind, problem: ApiFailure | undefined) => void

/** The same line comes at most this often. */
const quietMs = 60_000

/** These hold for the server as a whole, so that one line serves all kinds. */
const common: ReadonlySet<Reason> = new Set(['unreachable', 'tls', 'credentials', 'unauthorized'])

export class Reports {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #hook: ProblemHook
  readonly #failing = new Map<Kind, Reason>()
  /** When each line was last written. */
  readonly #written = new Map<string, number>()

  constructor(log: Logger, clock: Clock, hook: ProblemHook = () => {}) {
    this.#log = log
    this.#clock = clock
    this.#hook = hook
  }

  failing(kind: Kind, failure: ApiFailure): void {
    const { reason, message, advice } = failure
    if (this.#failing.get(kind) !== reason) {
      this.#failing.set(kind, reason)
      this.#hook(kind, failure)
    }
    if (this.#due(common.has(reason) ? reason : `${reason} ${kind}`))
      this.#log.warning(`${message}${advice === '' ? '' : `; ${advice}`}; retrying`)
  }

  following(kind: Kind): void {
    if (!this.#failing.delete(kind)) return
    this.#hook(kind, undefined)
    if (this.#failing.size === 0 && this.#due('following')) this.#log.info('the API server is followed again')
  }

  #due(line: string): boolean {
    const now = this.#clock.monotonic()
    const last = this.#written.get(line)
    if (last !== undefined && now - last < quietMs) return false
    this.#written.set(line, now)
    return true
  }
}
