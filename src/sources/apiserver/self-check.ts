/**
 * Finds out what a watch cannot tell: that something never came. Every period the metadata of all objects is listed and compared
 * with what was seen; what differs, and goes on differing, is named, counted, and put right by a new list and a new watch.
 *
 * The list is a consistent read (no `resourceVersion`): the API server may answer it from memory, but only once it has asked etcd
 * that its memory is current. `resourceVersion=0` would be cheaper for old servers, and be answered from the very memory that feeds
 * the watch, as stale as that may be.
 *
 * A check vouches for the moment in which it begins. An object of which there was news since then is left to the next one, which
 * begins a period later: so versions need no order, and what the watch is about to bring is no difference.
 */
import { type Key, keyOf } from '../../cluster/objects.ts'
import { type Clock, type Random, sleep } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Counter, Family } from '../../observe/metrics.ts'
import { metadataOf } from './api-json.ts'
import type { Connection } from './connection.ts'
import { ApiFailure, failureOf } from './failure.ts'
import type { Inventory } from './inventory.ts'
import { readList } from './list.ts'
import type { Reflector } from './reflector.ts'
import type { KindReport } from './reports.ts'
import type { Resource } from './resource.ts'

/** How long a watch may take to bring what a list shows. */
const graceMs = 2_000
/** How long a comparison may take. */
const patienceMs = 60_000
/** Objects named in one line. */
const named = 3

export interface SelfCheckOptions {
  readonly resource: Resource
  readonly periodMs: number
  /** A connection of its own for each check: a fresh one also finds a server that has moved. */
  readonly connect: () => Connection
  readonly reflector: Reflector
  readonly inventory: Inventory
  readonly report: KindReport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: SelfCheckMetrics
}

export interface SelfCheckMetrics {
  readonly checks: Family<Counter>
  readonly differences: Family<Counter>
}

const tooSlow = new ApiFailure('slow', `the list was not complete within ${patienceMs / 1000} s`)

/** By key, how an object differs from what was seen of it. */
type Differences = ReadonlyMap<Key, string>

export class SelfCheck {
  readonly #options: SelfCheckOptions
  #failing = false

  constructor(options: SelfCheckOptions) {
    this.#options = options
  }

  /** Checks every period, a little earlier each time so that replicas drift apart, until the signal aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, periodMs } = this.#options
    try {
      for (let begun = clock.monotonic(); ; ) {
        const due = begun + periodMs * (1 - random() / 10)
        await sleep(clock, Math.max(0, due - clock.monotonic()), signal)
        begun = clock.monotonic()
        await this.#check(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { resource, reflector, report, clock, metrics } = this.#options
    // A list that is under way finds out the same.
    if (!reflector.settled) return
    const begun = clock.monotonic()
    try {
      const found = await this.#differences(signal)
      if (found === undefined) return
      metrics.checks.of(resource.kind, found.size > 0 ? 'drift' : 'ok').add()
      report.checked({ differences: found.size })
      this.#worked()
      if (found.size > 0) this.#repair(found)
      else report.confirmed(begun)
    } catch (error) {
      if (signal.aborted) throw error
      metrics.checks.of(resource.kind, 'failed').add()
      report.checked({ differences: undefined })
      this.#failed(failureOf(error, 'the API server'))
    }
  }

  /** What differs for good; undefined where everything is being listed anew. */
  async #differences(signal: AbortSignal): Promise<Differences | undefined> {
    const { inventory, reflector, clock } = this.#options
    const news = inventory.listen()
    try {
      const listed = await this.#compare(signal)
      if (listed.size > 0) await sleep(clock, graceMs, signal)
      if (!reflector.settled) return undefined
      const found = new Map<Key, string>()
      for (const [key, version] of listed) {
        if (!news.has(key)) found.set(key, describe(inventory.version(key), version))
      }
      return found
    } finally {
      inventory.unlisten()
    }
  }

  /** The objects that are not as they were seen, with their version; undefined for those that the API server does not have. */
  async #compare(signal: AbortSignal): Promise<ReadonlyMap<Key, string | undefined>> {
    const { inventory, connect, clock, resource } = this.#options
    const connection = connect()
    const patience = new AbortController()
    const timer = clock.after(patienceMs, () => patience.abort(tooSlow))
    const differing = new Map<Key, string | undefined>()
    const unlisted = new Set(inventory.keys())
    const take = (objects: readonly object[]) => {
      for (const object of objects) {
        const { namespace = '', name = '', resourceVersion = '' } = metadataOf(object)
        const key = keyOf({ namespace, name })
        unlisted.delete(key)
        if (inventory.version(key) !== resourceVersion) differing.set(key, resourceVersion)
      }
    }
    try {
      await readList(connection, { accept: resource.accept.versions }, AbortSignal.any([signal, patience.signal]), take)
    } finally {
      timer.cancel()
      connection.close()
    }
    for (const key of unlisted) differing.set(key, undefined)
    return differing
  }

  #repair(found: Differences): void {
    const { resource, reflector, log, metrics } = this.#options
    metrics.differences.of(resource.kind).add(found.size)
    const some = [...found].slice(0, named).map(([key, how]) => `${resource.kind} ${key} ${how}`)
    const more = found.size > named ? ` and ${found.size - named} more` : ''
    log.warning(`${resource.plural}: the watch has missed changes: ${some.join(', ')}${more}; listing again`)
    reflector.relist('drift')
  }

  #worked(): void {
    if (this.#failing) this.#options.log.info(`${this.#options.resource.plural}: compared with the API server again`)
    this.#failing = false
  }

  #failed({ message, advice }: ApiFailure): void {
    const { resource, log } = this.#options
    if (!this.#failing)
      log.warning(`${resource.plural}: not compared with the API server: ${message}${advice && `; ${advice}`}`)
    this.#failing = true
  }
}

function describe(seen: string | undefined, version: string | undefined): string {
  if (version === undefined) return 'is gone'
  return seen === undefined ? 'was not seen' : `is of version ${version}, seen was ${seen}`
}
