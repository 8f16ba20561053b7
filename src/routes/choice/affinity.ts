/** Affinity of clients (`sessionAffinity: ClientIP`): a client keeps the backend that it has had, whatever chooses for new ones. */
import type { Clock } from '../../observe/clock.ts'
import type { Backend } from '../route.ts'
import type { Scheduler } from './scheduler.ts'

/** As many clients as kube-proxy's sets of nftables hold; the one that has been away longest is forgotten for a new one. */
const MOST_CLIENTS = 65_535

/**
 * A client is remembered for so many seconds after its last connection began. It gets another backend where the one it had is gone,
 * or not to be chosen now; that one is then remembered.
 */
export function withAffinity(scheduler: Scheduler, seconds: number, clock: Clock): Scheduler {
  return new Affinity(scheduler, seconds * 1000, clock)
}

interface Memory {
  readonly address: string
  readonly at: number
}

class Affinity implements Scheduler {
  readonly #scheduler: Scheduler
  readonly #keepMs: number
  readonly #clock: Clock
  #present: ReadonlyMap<string, Backend> = new Map()
  /** By client, the one that has been away longest first. */
  readonly #clients = new Map<string, Memory>()

  constructor(scheduler: Scheduler, keepMs: number, clock: Clock) {
    this.#scheduler = scheduler
    this.#keepMs = keepMs
    this.#clock = clock
  }

  choose(client: string, except?: ReadonlySet<string>): Backend | undefined {
    const now = this.#clock.monotonic()
    for (const [other, { at }] of this.#clients) {
      if (now - at <= this.#keepMs) break
      this.#clients.delete(other)
    }
    const known = this.#present.get(this.#clients.get(client)?.address ?? '')
    const kept = known !== undefined && !except?.has(known.address) ? known : undefined
    const backend = kept ?? this.#scheduler.choose(client, except)
    if (backend === undefined) return undefined
    this.#remember(client, { address: backend.address, at: now })
    return backend
  }

  opened(backend: Backend): void {
    this.#scheduler.opened(backend)
  }

  closed(backend: Backend): void {
    this.#scheduler.closed(backend)
  }

  update(backends: readonly Backend[]): void {
    this.#present = new Map(backends.map(backend => [backend.address, backend]))
    this.#scheduler.update(backends)
    for (const [client, { address }] of this.#clients) if (!this.#present.has(address)) this.#clients.delete(client)
  }

  #remember(client: string, memory: Memory): void {
    this.#clients.delete(client)
    this.#clients.set(client, memory)
    if (this.#clients.size <= MOST_CLIENTS) return
    const [oldest] = this.#clients.keys()
    this.#clients.delete(oldest!)
  }
}
