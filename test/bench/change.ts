/** Changes of the cluster through its API: many endpoints a second, and one at a time with a look at when its answer follows. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiClient, ApiObject } from '../e2e/api-client.ts'
import { queryBytes, types } from '../e2e/message.ts'
import { namespace, service, slice } from '../e2e/objects.ts'
import { chance } from '../wire/random.ts'
import type { Entry } from './data.ts'

const seed = 1
const writers = 4

/**
 * Replaces one endpoint's address in `perSecond` slices a second until `signal` says so; returns how many changes the API server
 * took. Rejects when it refuses one.
 */
export async function churn(
  client: ApiClient,
  entries: readonly Entry[],
  perSecond: number,
  signal: AbortSignal,
): Promise<number> {
  const { below } = chance(seed)
  const slices = entries.flatMap(({ objects }) => objects.slice(1, 2))
  const start = performance.now()
  let [sent, taken] = [0, 0]
  // Each has a share of the changes and waits for its replies, so that a slow API server gets fewer of them at once.
  const writer = async (): Promise<void> => {
    while (!signal.aborted) {
      const dueAt = start + (sent++ * 1000) / perSecond
      await sleep(Math.max(0, dueAt - performance.now()))
      const object = slices[below(slices.length)]!
      const endpoints = (object['endpoints'] as object[]).map((endpoint, n) =>
        n === 0 ? { ...endpoint, addresses: [`10.${200 + below(50)}.${below(256)}.${1 + below(254)}`] } : endpoint,
      )
      await client.merge(object, { endpoints })
      taken++
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return taken
}

const followed = { namespace: 'followed', name: 'followed.followed.svc.cluster.local' } as const
const first = '10.250.0.0'

/** What `Follower` changes: to be posted with the cluster. */
export function followedObjects(): ApiObject[] {
  return [namespace(followed.namespace), service('followed/followed', 'None', ['http:80']), followedSlice()]
}

function followedSlice(): ApiObject {
  return slice('followed/followed', [first], ['http:80'])
}

let patches = 0

/**
 * Patches the slice of one headless service, `count` times, and asks a server for the service's address all the while. Returns how
 * many milliseconds after the API server's reply each answer came that shows the new address; `withinMs` where none did.
 */
export async function followPatches(
  client: ApiClient,
  port: number,
  count: number,
  withinMs: number,
  signal: AbortSignal,
): Promise<number[]> {
  const socket = createSocket('udp4')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  try {
    const took: number[] = []
    for (let n = 0; n < count; n++) {
      signal.throwIfAborted()
      patches++
      const address = [10, 250 + (patches >> 16), (patches >> 8) & 255, patches & 255]
      const stop = new AbortController()
      const seen = firstSeen(socket, Buffer.from(address), stop.signal)
      await client.merge(followedSlice(), { endpoints: [{ addresses: [address.join('.')] }] })
      const repliedAt = performance.now()
      const timer = setTimeout(() => stop.abort(), withinMs)
      const seenAt = await seen
      clearTimeout(timer)
      took.push(seenAt === undefined ? withinMs : Math.max(0, seenAt - repliedAt))
      await sleep(5)
    }
    return took
  } finally {
    socket.close()
  }
}

const repeatMs = 100

/** Asks, one question after another, until an answer holds this data; returns when that came. */
async function firstSeen(
  socket: ReturnType<typeof createSocket>,
  data: Buffer,
  signal: AbortSignal,
): Promise<number | undefined> {
  const query = queryBytes(followed.name, types.A)
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const ask = (): void => {
    lost.refresh()
    socket.send(query)
  }
  const receive = (reply: Buffer): void => {
    if (reply.includes(data, query.length)) resolve(performance.now())
    else ask()
  }
  // A question or its answer may get lost.
  const lost = setTimeout(() => ask(), repeatMs)
  socket.on('message', receive)
  signal.addEventListener('abort', () => resolve(undefined), { once: true })
  ask()
  return promise.finally(() => {
    socket.off('message', receive)
    clearTimeout(lost)
  })
}
