/** Reads what an API server sends: lists, events, objects. What is at the address may be no API server, so nothing is taken for granted. */
import { ApiFailure } from './failure.ts'

/** What stands around the items of a page of a list. */
export interface Frame {
  readonly version: string
  /** Token of the next page; empty after the last one. */
  readonly next: string
}

export interface Metadata {
  readonly name?: string
  readonly namespace?: string
  readonly resourceVersion?: string
}

export interface Event {
  readonly type: string
  /** The object, or for `ERROR` a Status. */
  readonly object: {
    readonly metadata?: Metadata
    readonly code?: number
    readonly reason?: string
    readonly message?: string
  }
}

/** All of these throw `PORTOLAN_API_FAILED` for text that no API server writes. */
export function readFrame(text: string): Frame {
  const { items, metadata } = readObject(text) as {
    items?: unknown
    metadata?: { resourceVersion?: string; continue?: string }
  }
  if (metadata?.resourceVersion === undefined || !(Array.isArray(items) || items === null)) throw notApi(text)
  return { version: metadata.resourceVersion, next: metadata.continue ?? '' }
}

export function readEvent(line: string): Event {
  const event = readObject(line) as Partial<Event>
  if (typeof event.type !== 'string' || typeof event.object !== 'object' || event.object === null) throw notApi(line)
  return { type: event.type, object: event.object }
}

export function readObject(text: string): object {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null) return json
  } catch (cause) {
    throw notApi(text, cause)
  }
  throw notApi(text)
}

/** The metadata of an object; empty where it has none. */
export function metadataOf(object: object): Metadata {
  const { metadata } = object as { metadata?: unknown }
  return typeof metadata === 'object' && metadata !== null ? metadata : {}
}

function notApi(text: string, cause?: unknown): ApiFailure {
  return new ApiFailure('failed', `not an answer of a Kubernetes API server: ${JSON.stringify(text.slice(0, 60))}`, {
    cause,
  })
}
