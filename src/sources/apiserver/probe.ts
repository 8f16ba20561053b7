/** Tries what following a cluster needs, once and in small: whether the API server can be reached, and what it lets this user do. */
import type { Kind } from '../../cluster/objects.ts'
import type { Clock } from '../../observe/clock.ts'
import { readFrame } from './api-json.ts'
import { Connection } from './connection.ts'
import { type Access, Credentials } from './credentials.ts'
import { type ApiFailure, failureOf, type Reason, type Verb } from './failure.ts'
import { ListSplitter } from './list-splitter.ts'
import { RequestLimits } from './request-limits.ts'
import { type Resource, resourceOf, type Selectors } from './resource.ts'

export interface ProbeOptions extends Selectors {
  readonly access: Access
  readonly kinds: readonly Kind[]
  readonly clock: Clock
}

export interface Probe {
  /** The API server's URL without a path. */
  readonly server: string
  /** What it says it is, such as `v1.34.4`; undefined where it does not tell. */
  readonly version: string | undefined
  /** In the order in which they were tried; none after one that failed for the server as a whole. */
  readonly attempts: readonly Attempt[]
}

export interface Attempt {
  readonly resource: Resource
  readonly verb: Verb
  readonly tookMs: number
  /** Why it did not work; undefined where it did. */
  readonly failure: ApiFailure | undefined
}

/** After these nothing else needs to be tried: they are the same for every kind. */
const final: ReadonlySet<Reason> = new Set(['unreachable', 'tls', 'unauthorized', 'slow'])
const silent = { answered: () => undefined, took: () => undefined, waited: () => undefined }

/**
 * Lists one object of each kind and opens a watch, which it closes again. Rejects with `PORTOLAN_KUBECONFIG` or an `ApiFailure` where
 * there is no server or no credentials to try them with.
 */
export async function probe({ access, kinds, clock, ...selectors }: ProbeOptions): Promise<Probe> {
  const credentials = await Credentials.load(access, clock)
  const { server } = await credentials.identity()
  const limits = new RequestLimits({}, clock)
  const attempts: Attempt[] = []
  let version: string | undefined
  for (const kind of kinds) {
    const resource = resourceOf(kind, selectors)
    const connection = new Connection({ resource, credentials, limits, metrics: silent, clock })
    try {
      let from = '0'
      const list = await attempt(resource, 'list', clock, async () => (from = await listed(connection)))
      attempts.push(list)
      if (list.failure && final.has(list.failure.reason)) break
      attempts.push(await attempt(resource, 'watch', clock, () => watched(connection, from)))
      version ??= await connection.version()
    } finally {
      connection.close()
    }
  }
  return { server: server.origin, version, attempts }
}

async function attempt(resource: Resource, verb: Verb, clock: Clock, work: () => Promise<unknown>): Promise<Attempt> {
  const started = clock.monotonic()
  const failure = await work().then(
    () => undefined,
    error => failureOf(error, 'the API server'),
  )
  return { resource, verb, tookMs: clock.monotonic() - started, failure }
}

/** The version of a list. */
async function listed(connection: Connection): Promise<string> {
  const list = new ListSplitter()
  for await (const chunk of connection.list({ limit: '1' }, new AbortController().signal)) list.push(chunk)
  return readFrame(list.end()).version
}

async function watched(connection: Connection, from: string): Promise<void> {
  const enough = new AbortController()
  await connection.watch({ resourceVersion: from, timeoutSeconds: '1' }, () => 1_000, enough.signal)
  enough.abort()
}
