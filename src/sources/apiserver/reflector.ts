/**
 * Keeps one kind of object the same as in the API server: lists it in pages, then watches what changes from there, and lists again
 * when the server no longer has the history in between. Requests are the connection's affair.
 */
import type { ClusterWriter } from '../../cluster/contract.ts'
import { type ClusterObject, keyOf } from '../../cluster/objects.ts'
import { describe, trim } from '../../cluster/trim.ts'
import { type Clock, type Random, sleep } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Counter, Family } from '../../observe/metrics.ts'
import { metadataOf, readEvent } from './api-json.ts'
import type { Connection } from './connection.ts'
import { ApiFailure, failureOf, statusFailure } from './failure.ts'
import type { Inventory } from './inventory.ts'
import { LineBuffer } from './line-buffer.ts'
import { readList } from './list.ts'
import type { KindReport } from './reports.ts'
import type { Resource } from './resource.ts'

/** The longest event in bytes; the API server takes objects of up to 1.5 MiB, in a denser encoding. */
const eventBytes = 16 * 1024 * 1024
/** A watch that ends sooner than this without an event counts as a failure, so that a server that ends them all is not flooded. */
const briefMs = 5_000
/** How long after its announced end a silent watch is given up. */
const graceMs = 30_000
/** The silence after which a watch is given up that had bookmarks, which come about once a minute: two of them have stayed away. */
const bookmarkMs = 150_000
/** Broken objects of one list that are named one by one. */
const namedProblems = 5

export interface ReflectorOptions {
  readonly resource: Resource
  readonly connection: Connection
  readonly into: ClusterWriter
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly report: KindReport
  readonly inventory: Inventory
  /** Whether to keep what only explanations need. */
  readonly detail: boolean
  /** Counts objects that could not be used. */
  readonly skipped: Counter
  readonly relists: Family<Counter>
}

/** Why everything is listed once more: the history is not kept that long, something else failed, or the self-check found differences. */
export type RelistReason = 'gone' | 'failed' | 'drift'

export class Reflector {
  readonly #options: ReflectorOptions
  /** The last version seen; absent when a list is due. */
  #version: string | undefined
  /** Why a list is due; absent for the first one. */
  #reason: RelistReason | undefined
  /** The list, watch or pause that is under way. */
  #attempt = new AbortController()
  /** Failures since the last sign of progress. */
  #failures = 0
  /** Whether everything was listed once. */
  #listed = false
  /** Whether the history was gone since the last sign of progress. */
  #gone = false
  /** Whether there were bookmarks in this watch. */
  #bookmarked = false

  constructor(options: ReflectorOptions) {
    this.#options = options
  }

  /** Resolves after the first full replace and follows on until the signal aborts; rejects with its reason if that comes first. */
  follow(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      void this.#run(resolve, signal).then(() => reject(signal.reason))
    })
  }

  /** Whether everything was listed and nothing is being listed anew. */
  get settled(): boolean {
    return this.#version !== undefined
  }

  /** Lists everything again, at once and over new connections: the old watch may be one that nothing comes from any more. */
  relist(reason: RelistReason): void {
    this.#forget(reason)
    this.#attempt.abort()
  }

  async #run(listed: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#attempt = new AbortController()
      const attempt = AbortSignal.any([signal, this.#attempt.signal])
      try {
        if (this.#version === undefined) {
          this.#version = await this.#list(attempt)
          listed()
        }
        await this.#watch(this.#version, attempt)
      } catch (error) {
        if (!attempt.aborted) await this.#recover(failureOf(error, 'the API server'), attempt)
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { resource, connection, into, log, inventory, report, relists, clock } = this.#options
    const started = clock.monotonic()
    const replacement = into.replace(resource.kind, signal)
    const unlisted = new Set(inventory.keys())
    let skipped = 0
    const version = await readList(connection, { parameters: this.#since() }, signal, list => {
      const objects: ClusterObject[] = []
      for (const json of list) {
        const { namespace = '', name = '', resourceVersion = '' } = metadataOf(json)
        const key = keyOf({ namespace, name })
        unlisted.delete(key)
        inventory.saw(key, resourceVersion)
        const object = this.#trim(json, skipped < namedProblems)
        if (object) objects.push(object)
        else skipped++
      }
      return replacement.page(objects)
    })
    await replacement.done()
    for (const key of unlisted) inventory.lost(key)
    report.confirmed(started)
    if (this.#reason !== undefined && this.#listed) relists.of(resource.kind, this.#reason).add()
    this.#reason = undefined
    this.#listed = true
    if (skipped > namedProblems)
      log.warning(`${resource.plural}: ${skipped - namedProblems} more of the list were skipped`)
    return version
  }

  /**
   * How old a list may be. The first one may be what the API server has in memory, which then comes as a whole: pages are each read
   * from etcd. Later ones must not be older than what was seen before.
   */
  #since(): Record<string, string> {
    return this.#listed ? {} : { resourceVersion: '0' }
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { resource, connection, clock, random, report } = this.#options
    const seconds = 300 + Math.floor(random() * 301)
    const parameters = { allowWatchBookmarks: 'true', resourceVersion: from, timeoutSeconds: String(seconds) }
    this.#bookmarked = false
    const idleMs = () => (this.#bookmarked ? bookmarkMs : seconds * 1000 + graceMs)
    const stream = await connection.watch(parameters, idleMs, signal)
    report.following()
    const opened = clock.monotonic()
    const lines = new LineBuffer(eventBytes)
    try {
      for await (const chunk of stream) {
        signal.throwIfAborted()
        for (const line of lines.push(chunk)) this.#event(line)
      }
      // An event that was cut off by the end is in the next watch again, as its version was not seen.
    } finally {
      if (clock.monotonic() - opened >= briefMs) this.#progress()
    }
    if (clock.monotonic() - opened < briefMs && this.#version === from)
      throw new ApiFailure('failed', `the watch of ${resource.plural} ended as soon as it began`)
  }

  #event(line: string): void {
    const { resource, report } = this.#options
    const { type, object } = readEvent(line)
    if (type === 'ERROR') {
      const { code = 0, reason = '', message = '' } = object
      throw statusFailure(code, reason, message, 'watch', resource)
    }
    const { resourceVersion } = metadataOf(object)
    if (type === 'BOOKMARK') this.#bookmarked = true
    else this.#change(type, object)
    if (resourceVersion) this.#version = resourceVersion
    report.confirmed()
    this.#progress()
  }

  #change(type: string, json: object): void {
    const { resource, into, inventory } = this.#options
    const { name = '', namespace = '', resourceVersion = '' } = metadataOf(json)
    const key = keyOf({ namespace, name })
    const object = type === 'DELETED' ? undefined : this.#trim(json, true)
    // What can no longer be used is not there, as after a list.
    if (object) into.upsert(object)
    else into.remove(resource.kind, key)
    if (type === 'DELETED') inventory.lost(key)
    else inventory.saw(key, resourceVersion)
  }

  #progress(): void {
    this.#failures = 0
    this.#gone = false
  }

  #trim(json: unknown, named: boolean): ClusterObject | undefined {
    const { object, problem } = trim(this.#options.resource.kind, json, this.#options.detail)
    if (!problem) return object
    this.#options.skipped.add()
    if (named) this.#options.log.warning(`skipped ${describe(problem)}`)
    return undefined
  }

  #forget(reason: RelistReason): void {
    this.#version = undefined
    this.#reason = reason
  }

  /** Reports the failure and waits a while before the next attempt. */
  async #recover(failure: ApiFailure, signal: AbortSignal): Promise<void> {
    const { resource, clock, random, report, log } = this.#options
    // Where the history is gone, or nobody knows what went wrong, a list puts it right.
    if (failure.reason === 'gone' || failure.reason === 'failed') this.#forget(failure.reason)
    if (failure.reason === 'gone') {
      log.info(`${resource.plural}: the API server no longer has the history since the last change seen, listing again`)
      // There is nothing to wait for, unless the last list did not help.
      if (!this.#gone) {
        this.#gone = true
        return
      }
    } else report.failing(failure)
    const pause = Math.max(backoffMs(this.#failures++, random), Math.min(failure.retryAfterMs, 30_000))
    await sleep(clock, pause, signal).catch(() => {
      // Aborted: the loop ends by itself, or lists at once.
    })
  }
}

/**
 * From 0.5 s to 20 s, growing by two, and never the same in two replicas. An API server that starts refuses for some seconds what it
 * will allow: even then it is followed within 35 s.
 */
export function backoffMs(failures: number, random: Random): number {
  const ceiling = Math.min(20_000, 1000 * 2 ** failures)
  return (ceiling / 2) * (1 + random())
}
