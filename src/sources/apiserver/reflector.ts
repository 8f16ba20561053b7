/**
 * Keeps one kind of object the same as in the API server: lists it in pages, then watches what changes from there, and lists again
 * when the server no longer has the history in between. Requests are the connection's affair.
 */
import { setImmediate } from 'node:timers/promises'
import type { ClusterWriter, Replacement } from '../../cluster/contract.ts'
import { type ClusterObject, keyOf } from '../../cluster/objects.ts'
import { describe, trim } from '../../cluster/trim.ts'
import { type Clock, type Random, sleep } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Counter } from '../../observe/metrics.ts'
import type { Connection } from './connection.ts'
import { ApiFailure, failureOf, statusFailure } from './failure.ts'
import { LineBuffer } from './line-buffer.ts'
import { ListSplitter } from './list-splitter.ts'
import type { Reports } from './reports.ts'
import type { Resource } from './resource.ts'

/** Objects a page. */
const pageSize = 500
/** Objects handed over in one stretch: queries are answered in between. */
const stretch = 50
/** The longest event in bytes; the API server takes objects of up to 1.5 MiB, in a denser encoding. */
const eventBytes = 16 * 1024 * 1024
/** A watch that ends sooner than this without an event counts as a failure, so that a server that ends them all is not flooded. */
const briefMs = 5_000
/** How long after its announced end a silent watch is given up. */
const graceMs = 30_000
/** Broken objects of one list that are named one by one. */
const namedProblems = 5

export interface ReflectorOptions {
  readonly resource: Resource
  readonly connection: Connection
  readonly into: ClusterWriter
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly reports: Reports
  /** Counts objects that could not be used. */
  readonly skipped: Counter
}

interface Event {
  readonly type: string
  readonly object: {
    readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly resourceVersion?: string }
    readonly code?: number
    readonly reason?: string
    readonly message?: string
  }
}

export class Reflector {
  readonly #options: ReflectorOptions
  /** The last version seen; absent when a list is due. */
  #version: string | undefined
  /** Failures since the last sign of progress. */
  #failures = 0
  /** Whether everything was listed once. */
  #listed = false
  /** Whether the history was gone since the last sign of progress. */
  #gone = false

  constructor(options: ReflectorOptions) {
    this.#options = options
  }

  /** Resolves after the first full replace and follows on until the signal aborts; rejects with its reason if that comes first. */
  follow(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      void this.#run(resolve, signal).then(() => reject(signal.reason))
    })
  }

  async #run(listed: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) {
          this.#version = await this.#list(signal)
          this.#listed = true
          listed()
        }
        await this.#watch(this.#version, signal)
      } catch (error) {
        if (!signal.aborted) await this.#recover(failureOf(error, 'the API server'), signal)
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { resource, connection, into, log } = this.#options
    const replacement = into.replace(resource.kind)
    let skipped = 0
    for (let next = ''; ; ) {
      const list = new ListSplitter()
      for await (const chunk of connection.list(this.#part(next), signal)) {
        skipped = await this.#apply(list.push(chunk), replacement, skipped, signal)
      }
      const page = readFrame(list.end())
      next = page.next
      if (next !== '') continue
      replacement.done()
      if (skipped > namedProblems)
        log.warning(`${resource.plural}: ${skipped - namedProblems} more of the list were skipped`)
      return page.version
    }
  }

  /**
   * What is asked for next. The first list may be what the API server has in memory, which then comes as a whole: pages are each read
   * from etcd. Later ones must not be older than what was seen before.
   */
  #part(next: string): Record<string, string> {
    const limit = String(pageSize)
    if (next !== '') return { limit, continue: next }
    return this.#listed ? { limit } : { limit, resourceVersion: '0' }
  }

  /** Returns how many objects of the list have been skipped so far. */
  async #apply(
    items: readonly string[],
    replacement: Replacement,
    skipped: number,
    signal: AbortSignal,
  ): Promise<number> {
    for (let start = 0; start < items.length; start += stretch) {
      const objects: ClusterObject[] = []
      for (const item of items.slice(start, start + stretch)) {
        const object = this.#trim(readObject(item), skipped < namedProblems)
        if (object) objects.push(object)
        else skipped++
      }
      replacement.page(objects)
      await setImmediate()
      signal.throwIfAborted()
    }
    return skipped
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { resource, connection, clock, random, reports } = this.#options
    const seconds = 300 + Math.floor(random() * 301)
    const parameters = { allowWatchBookmarks: 'true', resourceVersion: from, timeoutSeconds: String(seconds) }
    const stream = await connection.watch(parameters, seconds * 1000 + graceMs, signal)
    reports.following(resource.kind)
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
    const { resource, into } = this.#options
    const { type, object } = readEvent(line)
    if (type === 'ERROR') {
      const { code = 0, reason = '', message = '' } = object
      throw statusFailure(code, reason, message, 'watch', resource)
    }
    const { name = '', namespace = '', resourceVersion } = object.metadata ?? {}
    if (type === 'DELETED') into.remove(resource.kind, keyOf({ namespace, name }))
    else if (type !== 'BOOKMARK') {
      const trimmed = this.#trim(object, true)
      if (trimmed) into.upsert(trimmed)
    }
    if (resourceVersion) this.#version = resourceVersion
    this.#progress()
  }

  #progress(): void {
    this.#failures = 0
    this.#gone = false
  }

  #trim(json: unknown, named: boolean): ClusterObject | undefined {
    const { object, problem } = trim(this.#options.resource.kind, json)
    if (!problem) return object
    this.#options.skipped.add()
    if (named) this.#options.log.warning(`skipped ${describe(problem)}`)
    return undefined
  }

  /** Reports the failure and waits a while before the next attempt. */
  async #recover(failure: ApiFailure, signal: AbortSignal): Promise<void> {
    const { resource, clock, random, reports, log } = this.#options
    // Where the history is gone, or nobody knows what went wrong, a list puts it right.
    if (failure.reason === 'gone' || failure.reason === 'failed') this.#version = undefined
    if (failure.reason === 'gone') {
      log.info(`${resource.plural}: the API server no longer has the history since the last change seen, listing again`)
      // There is nothing to wait for, unless the last list did not help.
      if (!this.#gone) {
        this.#gone = true
        return
      }
    } else reports.failing(resource.kind, failure)
    const pause = Math.max(backoffMs(this.#failures++, random), Math.min(failure.retryAfterMs, 30_000))
    await sleep(clock, pause, signal).catch(() => {
      // Aborted: the loop ends by itself.
    })
  }
}

/** From 0.5 s to 30 s, growing by two, and never the same in two replicas. */
export function backoffMs(failures: number, random: Random): number {
  const ceiling = Math.min(30_000, 1000 * 2 ** failures)
  return (ceiling / 2) * (1 + random())
}

interface Frame {
  readonly version: string
  /** Token of the next page; empty after the last one. */
  readonly next: string
}

/** What stands around the items of a page. */
function readFrame(text: string): Frame {
  const { items, metadata } = readObject(text) as {
    items?: unknown
    metadata?: { resourceVersion?: string; continue?: string }
  }
  if (metadata?.resourceVersion === undefined || !(Array.isArray(items) || items === null)) throw notApi(text)
  return { version: metadata.resourceVersion, next: metadata.continue ?? '' }
}

function readEvent(line: string): Event {
  const event = readObject(line) as Partial<Event>
  if (typeof event.type !== 'string' || typeof event.object !== 'object' || event.object === null) throw notApi(line)
  return { type: event.type, object: event.object }
}

function readObject(text: string): object {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null) return json
  } catch (cause) {
    throw notApi(text, cause)
  }
  throw notApi(text)
}

function notApi(text: string, cause?: unknown): ApiFailure {
  return new ApiFailure('failed', `not an answer of a Kubernetes API server: ${JSON.stringify(text.slice(0, 60))}`, {
    cause,
  })
}
