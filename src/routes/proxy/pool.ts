/** The backends that one virtual address leads to at this moment, and the order in which a client tries them. */
import type { Clock, Random } from '../../observe/clock.ts'
import { type SchedulerName, scheduler } from '../choice/index.ts'
import type { Scheduler } from '../choice/scheduler.ts'
import type { Backend } from '../route.ts'

export interface PoolOptions {
  readonly scheduler: SchedulerName
  readonly virtualIP: string
  readonly clock: Clock
  readonly random: Random
}

/** Where a virtual address leads. */
export interface Lead {
  readonly backends: readonly Backend[]
  readonly affinitySeconds: number
  /** Why a client is turned away; undefined where it is not. */
  refuse(client: string): string | undefined
}

/** One backend's turn with a client; it counts as a connection of the backend until one of the functions is called. */
export interface Attempt {
  readonly backend: Backend
  /** How long it may take to accept. */
  readonly timeoutMs: number
  /** It did not accept; `reason` follows its address in a sentence. */
  failed(reason: string): void
  /** It accepted, and now it is over. */
  ended(): void
}

/** How long a backend has to accept, in the first round and in those after it: as in kube-proxy's userspace mode. */
export const timeoutsMs = [250, 500, 1000, 2000] as const

/** For so long a backend that did not accept is tried last. */
const SUSPECT_MS = 2000

export class Pool {
  readonly #options: PoolOptions
  readonly #suspects = new Map<string, number>()
  #lead: Lead = { backends: [], affinitySeconds: 0, refuse: () => 'nothing is known yet' }
  #addresses: ReadonlySet<string> = new Set()
  #scheduler: Scheduler

  constructor(options: PoolOptions) {
    this.#options = options
    this.#scheduler = this.#made(0)
  }

  /** Connections that there are stay with the scheduler that they were made by, which another affinity replaces. */
  update(lead: Lead): void {
    if (lead.affinitySeconds !== this.#lead.affinitySeconds) this.#scheduler = this.#made(lead.affinitySeconds)
    this.#lead = lead
    this.#addresses = new Set(lead.backends.map(({ address }) => address))
    this.#scheduler.update(lead.backends)
  }

  has({ address }: Backend): boolean {
    return this.#addresses.has(address)
  }

  refuse(client: string): string | undefined {
    return this.#lead.refuse(client)
  }

  attempts(client: string): Attempts {
    return new Attempts(client, this.#scheduler, this.#suspects, this.#options.clock)
  }

  #made(affinitySeconds: number): Scheduler {
    const { scheduler: name, ...rest } = this.#options
    return scheduler({ name, affinitySeconds, ...rest })
  }
}

/** Goes round the backends four times at most, each once a round. */
export class Attempts {
  readonly #client: string
  readonly #scheduler: Scheduler
  readonly #suspects: Map<string, number>
  readonly #clock: Clock
  readonly #reasons = new Map<string, string>()
  #round = 0
  #tried = new Set<string>()

  constructor(client: string, scheduler: Scheduler, suspects: Map<string, number>, clock: Clock) {
    this.#client = client
    this.#scheduler = scheduler
    this.#suspects = suspects
    this.#clock = clock
  }

  /** Undefined where all have had their turns, or there are none. */
  next(): Attempt | undefined {
    for (; this.#round < timeoutsMs.length; this.#round++) {
      const backend = this.#choose()
      if (backend !== undefined) return this.#attempt(backend, timeoutsMs[this.#round]!)
      if (this.#tried.size === 0) return undefined
      this.#tried = new Set()
    }
    return undefined
  }

  /** What came of them, for people; names five backends at most. */
  get outcome(): string {
    if (this.#reasons.size === 0) return 'there are no endpoints'
    const all = [...this.#reasons].map(([address, reason]) => `${address} ${reason}`)
    return all.length <= 5 ? all.join(', ') : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`
  }

  #choose(): Backend | undefined {
    const now = this.#clock.monotonic()
    for (const [address, until] of this.#suspects) if (until <= now) this.#suspects.delete(address)
    const avoided = new Set([...this.#tried, ...this.#suspects.keys()])
    return this.#scheduler.choose(this.#client, avoided) ?? this.#scheduler.choose(this.#client, this.#tried)
  }

  #attempt(backend: Backend, timeoutMs: number): Attempt {
    const { address } = backend
    this.#tried.add(address)
    this.#scheduler.opened(backend)
    return {
      backend,
      timeoutMs,
      failed: reason => {
        this.#scheduler.closed(backend)
        this.#reasons.set(address, reason)
        this.#suspects.set(address, this.#clock.monotonic() + SUSPECT_MS)
      },
      ended: () => this.#scheduler.closed(backend),
    }
  }
}
