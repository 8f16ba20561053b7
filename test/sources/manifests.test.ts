import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ClusterState } from '../../src/cluster/state.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { type ManifestsOptions, manifestsSource } from '../../src/sources/manifests/index.ts'
import { type StoredObject, sourceContract, storedService, until, within } from '../contract/source.ts'

function store(t: Test, options: Partial<ManifestsOptions>) {
  const path = t.testdir({})
  const file = ({ kind, metadata }: StoredObject) => join(path, `${kind}-${metadata.name}.json`)
  return {
    source: manifestsSource({ path, quietMs: 1, ...options }),
    put: (object: StoredObject) => writeFileSync(file(object), JSON.stringify(object)),
    remove: (object: StoredObject) => unlinkSync(file(object)),
  }
}

sourceContract(t, 'manifests', t => store(t, { pollMs: 60_000 }))
sourceContract(t, 'manifests, polled', t => store(t, { watch: 'poll', pollMs: 5 }))

/** Follows a path; `errors` collects what is logged, `heard` resolves with the next errors. */
async function followed(t: Test, path: string, options: Partial<ManifestsOptions> = {}) {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const errors: string[] = []
  const infos: string[] = []
  let heard = Promise.withResolvers<void>()
  const log = {
    info: (text: string) => void infos.push(text),
    error: (text: string) => {
      errors.push(text.replaceAll(path, 'DIR'))
      if (text.endsWith('is mended')) heard.resolve()
    },
  }
  const source = manifestsSource({ path, quietMs: 1, pollMs: 60_000, log, ...options })
  const state = new ClusterState({ kinds: source.kinds })
  const complaints = async () => {
    await within(heard.promise, 'nothing was logged')
    heard = Promise.withResolvers()
    return errors.splice(0)
  }
  const following = within(source.follow(state, stop.signal), 'follow did not resolve')
  return { state, complaints, infos, following }
}

const web = (ip: string) => JSON.stringify(storedService('web', ip))

t.test('manifests: a broken file is named, and the last good state stays', async t => {
  const path = t.testdir({ 'web.yaml': web('10.96.0.1') })
  const { state, complaints, infos, following } = await followed(t, path)
  await following
  const { revision } = state
  writeFileSync(
    join(path, 'more.yaml'),
    '# two\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\nb: [1\nc: 2\n',
  )
  t.same(await complaints(), [
    'DIR/more.yaml:8:1: document 2: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    'the last good state stays until DIR is mended',
  ])
  t.equal(state.revision, revision)
  writeFileSync(join(path, 'more.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n')
  await until(state, () => state.get('Namespace', 'a') !== undefined)
  await setImmediate()
  t.same(infos, [`${path} is read without errors again`])
})

t.test('manifests: each problem says where it is and what to do', async t => {
  const cases: [text: string, message: string][] = [
    [
      'a: 1',
      'DIR/x.yaml:1:1: document 1: an object without kind: add apiVersion and kind, as kubectl apply needs them',
    ],
    [
      'kind: Service',
      'DIR/x.yaml:1:1: document 1: an object without apiVersion: add apiVersion and kind, as kubectl apply needs them',
    ],
    ['- a', 'DIR/x.yaml:1:1: document 1: the object must be a mapping, got ["a"]'],
    [
      '---\n---\na: *b',
      'DIR/x.yaml:3:1: document 2: not valid YAML: Unresolved alias (the anchor must be set before the alias): b',
    ],
    ['apiVersion: v1\nkind: Service\nmetadata: {}', 'DIR/x.yaml:1:1: document 1: metadata.name is missing'],
    [
      '\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{port: http}]',
      'DIR/x.yaml:2:1: document 1: Service default/web: spec.ports[0].port must be a whole number from 1 to 65535, got "http"',
    ],
    [
      'apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {v: 1}}',
      'DIR/x.yaml:1:1: document 1: Pod default/web: metadata.labels.v must be a string, got 1 (put it in quotes)',
    ],
    [
      'apiVersion: v1\nkind: List\nitems: [{kind: Pod}]',
      'DIR/x.yaml:1:1: document 1: an object without apiVersion: add apiVersion and kind, as kubectl apply needs them',
    ],
    [
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: many}',
      'DIR/x.yaml:1:1: document 1: Deployment default/web: spec.replicas must be a whole number from 0 to 65535, got "many"',
    ],
    [
      'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ipFamilies: [IPv5]}',
      'DIR/x.yaml:1:1: document 1: Service default/web: spec.ipFamilies must be IPv4 and IPv6, got ["IPv5"]',
    ],
  ]
  for (const [text, message] of cases) {
    const path = t.testdir({ 'x.yaml': text })
    const { following, complaints } = await followed(t, path, { watch: 'never' })
    await t.rejects(following, { code: 'PORTOLAN_MANIFEST', message: message.replace('DIR', path) })
    t.same(await complaints(), [message, 'nothing can be served until DIR is mended'])
  }
})

t.test('manifests: a broken folder is served once it is mended', async t => {
  const path = t.testdir({ 'web.json': '{' })
  const { state, complaints, following } = await followed(t, path)
  t.match(await complaints(), [
    /^DIR\/web\.json:1:2: document 1: not valid YAML: /,
    'nothing can be served until DIR is mended',
  ])
  t.equal(state.synced, false)
  writeFileSync(join(path, 'web.json'), web('10.96.0.1'))
  await following
  t.ok(state.service('shop/web'))
})

t.test('manifests: a path that is not there is an error at once', async t => {
  const path = join(t.testdir({}), 'nosuch')
  const { following } = await followed(t, path)
  await t.rejects(following, {
    code: 'PORTOLAN_MANIFESTS_PATH',
    message: `cannot read the manifests at ${path}: ENOENT`,
  })
})

t.test('manifests: a folder that goes away and comes back', async t => {
  const path = join(t.testdir({ cluster: { 'web.json': web('10.96.0.1') } }), 'cluster')
  const { state, complaints, following } = await followed(t, path, { pollMs: 5 })
  await following
  renameSync(path, `${path}-away`)
  t.match(await complaints(), [
    /^cannot read the manifests at DIR: ENOENT/,
    'the last good state stays until DIR is mended',
  ])
  t.ok(state.service('shop/web'))
  mkdirSync(path)
  writeFileSync(join(path, 'web.json'), web('10.96.0.2'))
  await t.resolves(until(state, () => state.service('shop/web')?.clusterIPs[0] === '10.96.0.2'))
})

t.test('manifests: files and folders that come, go and are renamed over are followed by their events', async t => {
  const path = t.testdir({ 'web.json': web('10.96.0.1') })
  const { state, following } = await followed(t, path)
  await following
  const address = (ip: string | undefined) => until(state, () => state.service('shop/web')?.clusterIPs[0] === ip)
  writeFileSync(join(path, '.web.json.swp'), web('10.96.0.2'))
  renameSync(join(path, '.web.json.swp'), join(path, 'web.json'))
  await t.resolves(address('10.96.0.2'))
  mkdirSync(join(path, 'more/below'), { recursive: true })
  writeFileSync(join(path, 'more/below/web.yml'), web('10.96.0.3'))
  unlinkSync(join(path, 'web.json'))
  await t.resolves(address('10.96.0.3'))
  writeFileSync(join(path, 'more/below/web.yml'), web('10.96.0.4'))
  await t.resolves(address('10.96.0.4'))
  rmSync(join(path, 'more'), { recursive: true })
  await t.resolves(address(undefined))
})

t.test('manifests: one file, also when it is renamed over', async t => {
  const path = join(t.testdir({ 'web.conf': web('10.96.0.1') }), 'web.conf')
  const { state, following } = await followed(t, path)
  await following
  writeFileSync(`${path}.new`, web('10.96.0.2'))
  renameSync(`${path}.new`, path)
  await t.resolves(until(state, () => state.service('shop/web')?.clusterIPs[0] === '10.96.0.2'))
})

t.test('manifests: a mounted ConfigMap, whose files are all swapped at once', async t => {
  const path = t.testdir({
    '..2026_01': { 'web.yaml': web('10.96.0.1') },
    '..2026_02': { 'web.yaml': web('10.96.0.2') },
    '..data': t.fixture('symlink', '..2026_01'),
    'web.yaml': t.fixture('symlink', '..data/web.yaml'),
    'gone.yaml': t.fixture('symlink', '..data/gone.yaml'),
  })
  const { state, following } = await followed(t, path)
  await following
  t.equal(state.service('shop/web')?.clusterIPs[0], '10.96.0.1')
  symlinkSync('..2026_02', join(path, '..data_tmp'))
  renameSync(join(path, '..data_tmp'), join(path, '..data'))
  await t.resolves(until(state, () => state.service('shop/web')?.clusterIPs[0] === '10.96.0.2'))
})

t.test('manifests: what is hidden, of another kind or another ending is left alone, and loops end', async t => {
  const path = t.testdir({
    '.git': { 'web.yaml': web('10.96.0.1') },
    'README.md': 'a: [',
    'knative.yaml': 'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: fn}\n',
    'empty.yaml': '# nothing\n---\n',
    sub: { loop: t.fixture('symlink', '..') },
  })
  const { state, following } = await followed(t, path, { watch: 'never' })
  await following
  t.equal(state.synced, true)
  t.same([...state.list('Service')], [])
  t.same([...state.list('Namespace')].map(({ name }) => name).sort(), ['default', 'kube-system'])
})

t.test('manifests: a poll that finds nothing new writes nothing', async t => {
  let polled: (() => void) | undefined
  const clock = {
    ...systemClock,
    every: (_: number, task: () => void) => {
      polled = task
      return { cancel: () => undefined }
    },
  }
  const path = t.testdir({ 'web.json': web('10.96.0.1') })
  const { state, following } = await followed(t, path, { watch: 'poll', clock })
  await following
  const { revision } = state
  polled?.()
  polled?.()
  writeFileSync(join(path, 'web.json'), web('10.96.0.2'))
  polled?.()
  await until(state, () => state.service('shop/web')?.clusterIPs[0] === '10.96.0.2')
  t.equal(state.revision, revision + 1)
})

t.test('manifests: a range that is not one', async t => {
  const bad = (podRange: string[]) => () => manifestsSource({ path: '.', podRange })
  t.throws(bad(['10.244.0.0']), {
    code: 'PORTOLAN_MANIFESTS_RANGE',
    message: /^"10\.244\.0\.0" is not an address range/,
  })
  t.throws(bad(['10.0.0.0/8', '10.244.0.0/16']), {
    message: 'at most one range of each family, got 10.0.0.0/8 10.244.0.0/16',
  })
  t.throws(bad(['10.0.0.0/30']), { message: 'the range 10.0.0.0/30 is too small: give 32 addresses at least' })
})
