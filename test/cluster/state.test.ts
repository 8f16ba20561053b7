import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { Changes, ClusterView, Projection } from '../../src/cluster/contract.ts'
import { type ClusterObject, type Kind, keyOf } from '../../src/cluster/objects.ts'
import { ClusterState } from '../../src/cluster/state.ts'
import { cluster, contents, kinds, namespace, node, pod, service, slice } from '../helpers/cluster.ts'

/** Writes down each commit as it is seen from inside `update`. */
class Recorder implements Projection {
  readonly commits: string[] = []

  rebuild(view: ClusterView): void {
    this.commits.push(`rebuild at ${view.revision}`)
  }

  update(view: ClusterView, { services, namespaces, nodes, pods }: Changes): void {
    const moved = pods.map(({ before, after }) => `${before?.podIPs ?? '-'}>${after?.podIPs ?? '-'}`)
    this.commits.push([view.revision, ...services, ...namespaces, ...nodes, ...moved].join(' '))
  }
}

function recorded(...objects: ClusterObject[]): { state: ClusterState; commits: string[] } {
  const state = cluster(...objects)
  const recorder = new Recorder()
  state.follow(recorder)
  recorder.commits.length = 0
  return { state, commits: recorder.commits }
}

t.test('cluster: a follower sees one rebuild, then each commit, until it leaves', async t => {
  const state = new ClusterState({ kinds })
  const recorder = new Recorder()
  const leave = state.follow(recorder)
  state.upsert(service('shop/web', { ip: '10.96.0.1' }))
  state.upsert(namespace('shop'))
  state.upsert(node('worker-1', ['192.168.77.10'], 'zone-a'))
  leave()
  state.remove('Service', 'shop/web')
  t.same(recorder.commits, ['rebuild at 0', '0 shop/web', '1 shop', '2 worker-1'])
  t.equal(state.revision, 4)
})

t.test('cluster: the kinds are synced when each was replaced once', async t => {
  const heard: number[] = []
  const state: ClusterState = new ClusterState({
    kinds: ['Service', 'Pod'],
    onSynced: () => heard.push(state.revision),
  })
  const services = state.replace('Service')
  await services.page([service('shop/web')])
  t.equal(state.synced, false)
  await services.done()
  t.equal(state.synced, false)
  await state.replace('Pod').done()
  t.equal(state.synced, true)
  await state.replace('Pod').done()
  t.same(heard, [1])
  t.equal(new ClusterState({ kinds: [] }).synced, true)
})

t.test('cluster: a replacement removes what no page named, page by page', async t => {
  const { state, commits } = recorded(service('shop/a'), service('shop/b'), slice('shop/b', ['10.244.0.1']))
  const first = state.revision
  const replacement = state.replace('Service')
  await replacement.page([service('shop/b'), service('shop/c')])
  t.ok(state.service('shop/a'), 'still there between the pages')
  await replacement.page([service('shop/d')])
  await replacement.done()
  t.same([...state.list('Service')].map(keyOf).sort(), ['shop/b', 'shop/c', 'shop/d'])
  t.equal(state.slices('shop/b').length, 1, 'other kinds are left alone')
  t.same(commits, [`${first} shop/c`, `${first + 1} shop/d`, `${first + 2} shop/a`])
})

t.test('cluster: what changes nothing that we keep is no change', async t => {
  const { state, commits } = recorded(slice('shop/web', ['10.244.0.1']))
  const { revision } = state
  const known = state.get('EndpointSlice', 'shop/web-ipv4')
  state.upsert(slice('shop/web', ['10.244.0.1']))
  state.remove('Service', 'shop/nosuch')
  t.same(commits, [])
  t.equal(state.revision, revision)
  t.equal(state.get('EndpointSlice', 'shop/web-ipv4'), known, 'it is not kept twice')
  t.equal(state.slices('shop/web')[0], known)
  for (const changed of [
    slice('shop/web', ['10.244.0.2']),
    slice('shop/web', ['10.244.0.2', '10.244.0.3']),
    slice('shop/web', [{ ip: '10.244.0.2', ready: false }]),
    slice('shop/web', [{ ip: '10.244.0.2', ready: false }], { labels: { a: 'b' } }),
    slice('shop/web', [{ ip: '10.244.0.2', ready: false }], { labels: { b: 'b' } }),
  ]) {
    state.upsert(changed)
  }
  t.equal(commits.length, 5)
})

t.test('cluster: the slices of a service are ordered by name and follow their label', async t => {
  const state = cluster(
    slice('shop/web', ['10.244.0.2'], { name: 'web-b' }),
    slice('shop/web', ['10.244.0.3'], { name: 'web-c' }),
    slice('shop/web', ['10.244.0.1'], { name: 'web-a' }),
    slice('shop/web', ['10.244.0.9'], { name: 'web-z', unlabelled: true }),
  )
  const names = (key: string) => state.slices(key).map(({ name }) => name)
  t.same(names('shop/web'), ['web-a', 'web-b', 'web-c'])
  const recorder = new Recorder()
  state.follow(recorder)
  state.upsert(slice('shop/api', ['10.244.0.2'], { name: 'web-b' }))
  t.same(names('shop/web'), ['web-a', 'web-c'])
  t.same(names('shop/api'), ['web-b'])
  t.match(recorder.commits.at(-1), /shop\/web shop\/api$/, 'both services are named')
  state.remove('EndpointSlice', 'shop/web-b')
  t.same(names('shop/api'), [])
})

t.test('cluster: pods are found by each of their addresses', async t => {
  const { state, commits } = recorded(pod('shop/a', ['10.244.0.1', 'fd00::1']), pod('data/a', '10.244.0.1'))
  t.same(state.pods('10.244.0.1').map(keyOf), ['data/a', 'shop/a'])
  t.same(state.pods('fd00::1').map(keyOf), ['shop/a'])
  state.upsert(pod('shop/a', '10.244.0.2'))
  t.same(state.pods('10.244.0.1').map(keyOf), ['data/a'])
  t.same(state.pods('fd00::1'), [])
  t.match(commits.at(-1), / 10\.244\.0\.1,fd00::1>10\.244\.0\.2$/)
})

t.test('cluster: a replacement commits in slices, and others are served in between', async t => {
  const heard: string[] = []
  const state = new ClusterState({ kinds: ['Service'], sliceSize: 2, onSynced: () => heard.push('synced') })
  for (const name of ['a', 'b', 'c', 'd', 'e']) state.upsert(service(`shop/${name}`))
  const recorder = new Recorder()
  state.follow(recorder)
  const first = state.revision
  recorder.commits.length = 0
  const replacement = state.replace('Service')
  const page = replacement.page([service('shop/e'), service('shop/f'), service('shop/g')])
  t.same(recorder.commits, [`${first} shop/f`], 'the first slice at once')
  state.upsert(namespace('shop'))
  state.upsert(service('shop/late'))
  await page
  const removal = replacement.done()
  t.same([...state.list('Service')].map(keyOf), ['shop/c', 'shop/d', 'shop/e', 'shop/f', 'shop/late', 'shop/g'])
  t.same(heard, [])
  await removal
  t.same(
    recorder.commits,
    ['shop/f', 'shop', 'shop/late', 'shop/g', 'shop/a shop/b', 'shop/c shop/d'].map(
      (what, n) => `${first + n} ${what}`,
    ),
  )
  t.same([...state.list('Service')].map(keyOf), ['shop/e', 'shop/f', 'shop/late', 'shop/g'])
  t.same(heard, ['synced'])
})

t.test('cluster: a replacement that is aborted between slices writes no more', async t => {
  const state = new ClusterState({ kinds: ['Service'], sliceSize: 1 })
  for (const name of ['a', 'b', 'c']) state.upsert(service(`shop/${name}`))
  const stop = new AbortController()
  const replacement = state.replace('Service', stop.signal)
  const page = replacement.page([service('shop/d'), service('shop/e')])
  stop.abort(new Error('enough'))
  await t.rejects(page, /enough/)
  await t.rejects(replacement.done(), /enough/)
  t.same([...state.list('Service')].map(keyOf), ['shop/a', 'shop/b', 'shop/c', 'shop/d'])
  t.equal(state.synced, false)
})

t.test('cluster: a page that touches a pod twice shows it as it was and as it is', async t => {
  const { state, commits } = recorded(pod('shop/a', '10.244.0.1'))
  await state.replace('Pod').page([pod('shop/a', '10.244.0.2'), pod('shop/a', '10.244.0.3')])
  t.match(commits.at(-1), / 10\.244\.0\.1>10\.244\.0\.3$/)
})

t.test('cluster: a projection cannot write', async t => {
  const state = cluster()
  state.follow({ rebuild() {}, update: () => state.remove('Service', 'shop/web') })
  t.throws(() => state.upsert(service('shop/web')), { code: 'PORTOLAN_CLUSTER_REENTRY' })
})

t.test('cluster: any sequence of writes leaves what a plain model has, and followers see it', async t => {
  const names = ['a', 'b', 'c'].flatMap(name => [`x/${name}`, `y/${name}`])
  const ips = ['10.0.0.1', '10.0.0.2', 'fd00::1']
  const key = fc.constantFrom(...names)
  const ip = fc.constantFrom(...ips)
  const object: fc.Arbitrary<ClusterObject> = fc.oneof(
    fc.constantFrom('x', 'y').map(name => namespace(name)),
    fc.tuple(key, ip).map(([key, ip]) => service(key, { ip })),
    fc.tuple(key, key, ip).map(([of, key, ip]) => slice(of, [ip], { name: key.slice(2) })),
    fc.tuple(key, fc.uniqueArray(ip, { minLength: 1 })).map(([key, ips]) => pod(key, ips)),
  )
  const kind = fc.constantFrom<Kind>(...kinds)
  const step = fc.oneof(
    object.map(object => ({ do: 'upsert', object }) as const),
    object.map(object => ({ do: 'remove', kind: object.kind, key: keyOf(object) }) as const),
    fc
      .tuple(kind, fc.array(fc.array(object, { maxLength: 4 }), { maxLength: 3 }))
      .map(
        ([kind, pages]) =>
          ({ do: 'replace', kind, pages: pages.map(page => page.filter(o => o.kind === kind)) }) as const,
      ),
  )

  const seed = Date.now() % 2 ** 31
  t.comment(`seed ${seed}`)
  const law = fc.property(fc.array(step, { maxLength: 20 }), steps => {
    const model = new Map<string, ClusterObject>()
    const state = new ClusterState({ kinds })
    const mirror = new Mirror()
    state.follow(mirror)
    for (const step of steps) {
      if (step.do === 'upsert') {
        state.upsert(step.object)
        model.set(`${step.object.kind} ${keyOf(step.object)}`, step.object)
      } else if (step.do === 'remove') {
        state.remove(step.kind, step.key)
        model.delete(`${step.kind} ${step.key}`)
      } else {
        const replacement = state.replace(step.kind)
        // So few that nothing is left to wait for.
        for (const page of step.pages) void replacement.page(page)
        void replacement.done()
        for (const name of model.keys()) if (name.startsWith(`${step.kind} `)) model.delete(name)
        for (const object of step.pages.flat()) model.set(`${step.kind} ${keyOf(object)}`, object)
      }
    }
    const expected = Object.fromEntries([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
    same(contents(state), expected)
    const fresh = new Mirror()
    fresh.rebuild(cluster(...model.values()))
    for (const name of ['x', 'y']) if (!model.has(`Namespace ${name}`)) fresh.namespaces.delete(name)
    same(mirror.sorted(), fresh.sorted())
    for (const ip of ips) {
      const carriers = [...model.values()].filter(object => object.kind === 'Pod' && object.podIPs.includes(ip))
      same(state.pods(ip).map(keyOf), carriers.map(keyOf).sort())
    }
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 500 }))
})

t.test('cluster: whatever happens between slices, followers see what a rebuild would', async t => {
  const names = fc.subarray(['a', 'b', 'c', 'd', 'e', 'f'])
  const seed = Date.now() % 2 ** 31
  t.comment(`seed ${seed}`)
  const law = fc.asyncProperty(
    names,
    names,
    names,
    fc.integer({ min: 1, max: 3 }),
    async (old, fresh, others, size) => {
      const state = new ClusterState({ kinds, sliceSize: size })
      const mirror = new Mirror()
      state.follow(mirror)
      for (const name of old) state.upsert(service(`x/${name}`, { ip: '10.0.0.1' }))
      const replacement = state.replace('Service')
      const steps = [
        replacement.page(fresh.map(name => service(`x/${name}`, { ip: '10.0.0.2' }))).then(replacement.done),
      ]
      for (const name of others) {
        await setImmediate()
        state.upsert(slice(`x/${name}`, ['10.1.0.1'], { name }))
        const rebuilt = new Mirror()
        rebuilt.rebuild(state)
        same(mirror.sorted(), rebuilt.sorted())
      }
      await Promise.all(steps)
      same(
        [...state.list('Service')].map(keyOf).sort(),
        fresh.map(name => `x/${name}`),
      )
      const rebuilt = new Mirror()
      rebuilt.rebuild(state)
      same(mirror.sorted(), rebuilt.sorted())
    },
  )
  await t.resolves(fc.assert(law, { seed, numRuns: 200 }))
})

/** A projection in miniature: each service with the addresses that its slices have, the namespaces, and the pods. */
class Mirror implements Projection {
  readonly services = new Map<string, string>()
  readonly namespaces = new Set<string>()
  readonly pods = new Map<string, string>()

  rebuild(view: ClusterView): void {
    for (const { name } of view.list('Namespace')) this.namespaces.add(name)
    for (const service of view.list('Service')) this.#service(view, keyOf(service))
    for (const slice of view.list('EndpointSlice')) this.#service(view, `${slice.namespace}/${slice.serviceName}`)
    for (const pod of view.list('Pod')) this.pods.set(keyOf(pod), pod.podIPs.join())
  }

  update(view: ClusterView, changes: Changes): void {
    for (const key of changes.services) this.#service(view, key)
    for (const name of changes.namespaces) {
      if (view.get('Namespace', name)) this.namespaces.add(name)
      else this.namespaces.delete(name)
    }
    for (const { before, after } of changes.pods) {
      if (before && this.pods.get(keyOf(before)) !== before.podIPs.join()) throw new Error('before is not what it was')
      if (before) this.pods.delete(keyOf(before))
      if (after) this.pods.set(keyOf(after), after.podIPs.join())
    }
  }

  #service(view: ClusterView, key: string): void {
    const service = view.service(key)
    const slices = view.slices(key)
    const text = `${service?.clusterIPs} ${slices.map(({ name, endpoints }) => [name, endpoints[0]?.addresses].join())}`
    if (service || slices.length > 0) this.services.set(key, text)
    else this.services.delete(key)
  }

  sorted(): unknown {
    return [[...this.services].sort(), [...this.namespaces].sort(), [...this.pods].sort()]
  }
}

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
  }
}
