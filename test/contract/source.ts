/**
 * What every Source promises, as a suite: run for each implementation, with a store behind it that the suite can change. See
 * `cluster/contract.ts` for the words.
 */
import type { Test } from 'tap'
import type { Source } from '../../src/cluster/contract.ts'
import { type ClusterObject, keyOf, type Service } from '../../src/cluster/objects.ts'
import { ClusterState } from '../../src/cluster/state.ts'
import { service, slice } from '../helpers/cluster.ts'

/** What the source under test reads from: a folder, an API server. Services and slices arrive as API JSON in `shop`. */
export interface SourceStore {
  readonly source: Source
  /** Creates or changes an object, given as API JSON with apiVersion and kind. */
  put(object: StoredObject): Promise<void> | void
  remove(object: StoredObject): Promise<void> | void
}

export interface StoredObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

/** Runs the suite; `open` makes an empty store with a source on it, and takes both down with the test. */
export function sourceContract(t: Test, name: string, open: (t: Test) => Promise<SourceStore> | SourceStore): void {
  const follow = async (t: Test, { source }: SourceStore) => {
    const stop = new AbortController()
    t.teardown(() => stop.abort())
    const state = new ClusterState({ kinds: source.kinds })
    await within(source.follow(state, stop.signal), 'follow did not resolve')
    return { state, stop }
  }

  t.test(`${name}: follow resolves when everything is there`, async t => {
    const store = await open(t)
    await store.put(storedService('web', '10.96.0.1'))
    await store.put(storedSlice('web', ['10.244.0.1']))
    const { state } = await follow(t, store)
    t.equal(state.synced, true)
    t.match(state.service('shop/web'), essentials(service('shop/web', { ip: '10.96.0.1', ports: ['http:80/TCP'] })))
    t.match(state.slices('shop/web'), [
      essentials(slice('shop/web', ['10.244.0.1'], { ports: ['http:8080/TCP'], name: 'web' })),
    ])
    t.ok(state.get('Namespace', 'shop'))
  })

  t.test(`${name}: what is added, changed and deleted later shows`, async t => {
    const store = await open(t)
    await store.put(storedService('web', '10.96.0.1'))
    const { state } = await follow(t, store)
    const addresses = (key: string) =>
      state.slices(key).flatMap(({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses))

    await store.put(storedService('api', '10.96.0.2'))
    await until(state, () => state.service('shop/api')?.clusterIPs[0] === '10.96.0.2')
    await store.put(storedSlice('api', ['10.244.0.1']))
    await until(state, () => addresses('shop/api').join() === '10.244.0.1')
    await store.put(storedSlice('api', ['10.244.0.1', '10.244.0.2']))
    await until(state, () => addresses('shop/api').join() === '10.244.0.1,10.244.0.2')
    await store.remove(storedSlice('api', []))
    await until(state, () => state.slices('shop/api').length === 0)
    await store.remove(storedService('web', '10.96.0.1'))
    await until(state, () => state.service('shop/web') === undefined)
    t.same(namesOf(state.list('Service')), ['shop/api'])
  })

  t.test(`${name}: an object that does not parse does no harm to the others`, async t => {
    const store = await open(t)
    await store.put(storedService('web', '10.96.0.1'))
    const { state } = await follow(t, store)
    const broken = { ...storedService('broken', '10.96.0.9'), spec: { ports: 'none' } }
    await store.put(broken)
    await store.remove(broken)
    await store.put(storedService('api', '10.96.0.2'))
    await until(state, () => state.service('shop/api') !== undefined)
    t.same(namesOf(state.list('Service')), ['shop/api', 'shop/web'])
  })

  t.test(`${name}: nothing is written once the signal has aborted`, async t => {
    const store = await open(t)
    await store.put(storedService('web', '10.96.0.1'))
    const { state, stop } = await follow(t, store)
    const { state: witness } = await follow(t, store)
    stop.abort()
    const { revision } = state
    await store.put(storedService('api', '10.96.0.2'))
    await until(witness, () => witness.service('shop/api') !== undefined)
    t.equal(state.revision, revision)
    t.equal(state.service('shop/api'), undefined)
  })

  t.test(`${name}: a signal that has aborted already is not followed`, async t => {
    const { source } = await open(t)
    const state = new ClusterState({ kinds: source.kinds })
    await t.rejects(source.follow(state, AbortSignal.abort()), { name: 'AbortError' })
    t.equal(state.revision, 0)
  })
}

/** Resolves when a commit has made the condition true. */
export async function until(state: ClusterState, condition: () => boolean): Promise<void> {
  const met = Promise.withResolvers<void>()
  const look = () => condition() && met.resolve()
  const leave = state.follow({ rebuild: look, update: look })
  await within(met.promise, `waited in vain for ${condition}`)
  leave()
}

/** Waits at most 10 seconds, and keeps the process alive for as long: watching a source alone does not. */
export async function within<T>(promise: Promise<T>, complaint: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(complaint)), 10_000)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

export function storedService(name: string, clusterIP: string): StoredObject {
  const ports = [{ name: 'http', port: 80 }]
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec: { clusterIP, ports } }
}

/** A slice that has the name of its service. */
export function storedSlice(name: string, addresses: readonly string[]): StoredObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: addresses.map(address => ({ addresses: [address] })),
  }
}

/** Sources differ in versions, and may have put labels of their own. */
function essentials({ labels: _, ...rest }: ClusterObject): Partial<ClusterObject> {
  return rest
}

function namesOf(services: Iterable<Service>): string[] {
  return [...services].map(keyOf).sort()
}
