/** Reads a list page after page while it arrives, in stretches short enough that queries are answered in between. */
import { setImmediate } from 'node:timers/promises'
import { readFrame, readObject } from './api-json.ts'
import type { Connection } from './connection.ts'
import { ListSplitter } from './list-splitter.ts'

/** Objects a page. */
const pageSize = 500
/** Objects handed over in one stretch. */
const stretch = 50

export interface ListRequest {
  /** Of the first page; those that follow belong to the state that it was taken from. */
  readonly parameters?: Readonly<Record<string, string>>
  /** The form that is asked for; the usual one where absent. */
  readonly accept?: string
}

/**
 * Hands each stretch of objects to `take`, which may yield for longer. Resolves to the version of the list. Rejects with an
 * `ApiFailure`, or with the signal's reason.
 */
export async function readList(
  connection: Connection,
  { parameters = {}, accept }: ListRequest,
  signal: AbortSignal,
  take: (objects: readonly object[]) => Promise<void> | void,
): Promise<string> {
  const limit = String(pageSize)
  for (let part: Record<string, string> = { limit, ...parameters }; ; ) {
    const list = new ListSplitter()
    for await (const chunk of connection.list(part, signal, accept)) {
      const items = list.push(chunk)
      for (let start = 0; start < items.length; start += stretch) {
        await take(items.slice(start, start + stretch).map(readObject))
        await setImmediate()
        signal.throwIfAborted()
      }
    }
    const { version, next } = readFrame(list.end())
    if (next === '') return version
    part = { limit, continue: next }
  }
}
