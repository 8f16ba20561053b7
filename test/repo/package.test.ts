/**
 * The parts of the repository that must agree with each other: the manifest and its lock file, the list of plugins with their
 * folders and manuals, the Corefiles that documents show with what the parser takes, and the table of differences with the conformance test's.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { HttpHub } from '../../src/net/http-hub.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { plugins } from '../../src/plugins/index.ts'
import { Instance } from '../../src/server/instance.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { allowedDifferences } from '../e2e/conformance/differences.ts'
import { testClock } from '../helpers/clock.ts'
import { cluster } from '../helpers/cluster.ts'
import { withCluster } from '../helpers/serve.ts'

process.chdir(join(import.meta.dirname, '../..'))

const read = (path: string): string => readFileSync(path, 'utf8')

interface Manifest {
  readonly name?: string
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifest: Manifest & { files: string[] } = JSON.parse(read('package.json'))
const { packages: locked }: { packages: Record<string, Manifest> } = JSON.parse(read('package-lock.json'))

t.test('the lock file says what the manifest says', async t => {
  for (const field of ['name', 'version', 'dependencies', 'devDependencies'] as const) {
    t.same(locked['']?.[field], manifest[field], field)
  }
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    t.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned`)
    t.equal(locked[`node_modules/${name}`]?.version, version, `${name} is locked at its version`)
  }
})

t.test('the lock file has the packages of every platform, not only those of the machine that wrote it', async t => {
  const platforms = Object.entries(locked).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies).map(([name, version]) => ({ path, name, version })),
  )
  for (const name of ['esbuild', '@biomejs/biome', 'typescript', 'koffi']) {
    t.ok(platforms.filter(({ path }) => path === `node_modules/${name}`).length > 5, `${name} has platform packages`)
  }
  t.same(
    platforms.filter(({ path, name }) => !locked[`${path}/node_modules/${name}`] && !locked[`node_modules/${name}`]),
    [],
  )
})

/** CoreDNS's plugins in its order (plugin.cfg of 1.15.0), as far as portolan may come to have them, and its own in between. */
const order =
  `root metadata cancel https timeouts multisocket reload nsid bufsize bind debug trace ready health pprof prometheus errors
  log top dnstap local dns64 any chaos loadbalance tsig rewrite autopath acl cache header minimal template transfer hosts k8s_external
  kubernetes file auto secondary loop forward erratic whoami on sign view`.split(/\s+/)

/** Plugins that CoreDNS has not: they answer no queries, so their place means nothing. */
const ours = ['routes', 'explain']

t.test('the list of plugins', async t => {
  const names = plugins.map(({ name }) => name)
  const folders = globSync('src/plugins/*/index.ts').map(path => path.split('/')[2]!)
  t.same([...names].sort(), folders.sort(), 'has every folder')
  t.same(
    names.filter(name => !ours.includes(name)),
    order.filter(name => names.includes(name)),
    "is in CoreDNS's order",
  )
})

const sections = ['Name', 'Description', 'Syntax', 'Examples', 'Metrics']

t.test('every plugin has a manual', async t => {
  for (const { name } of plugins) {
    const manual = read(`src/plugins/${name}/README.md`)
    t.match(
      manual,
      new RegExp(`^# ${name}\n\n## Name\n\n\\*${name}\\* - [\\s\\S]+?\\.\n\n`),
      `${name} says what it is for`,
    )
    const headings = [...manual.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!)
    t.same(
      headings.filter(heading => sections.includes(heading)),
      sections,
      `${name} has the sections of a manual, in order`,
    )
  }
})

interface Example {
  readonly where: string
  /** Relative paths start in its folder. */
  readonly file: string
  readonly text: string
}

/** The Corefiles that a document shows in fences marked `corefile`. */
function examplesIn(file: string): Example[] {
  const fences = read(file).matchAll(/^(~~~|```) ?corefile\n([\s\S]*?)^\1$/gm)
  return [...fences].map(({ 2: text = '' }, i) => ({ where: `${file}, example ${i + 1}`, file, text }))
}

/** Nothing is listened on: examples may name any port. */
const noHub: HttpHub = {
  claim: async () => ({ port: 1, release: async () => undefined }),
  close: async () => undefined,
}

/** Starts a Corefile and stops it. What it takes from the environment is an address; its cluster is an empty one. */
async function run({ file, text }: Example): Promise<void> {
  const variables = [...text.matchAll(/\{[$%](\w+)%?\}/g)].map(([, name]) => [name, '127.0.0.1'])
  const instance = Instance.load(
    text,
    { file: join(dirname(file), 'Corefile'), env: Object.fromEntries(variables) },
    {
      plugins,
      clock: testClock(),
      random: () => 0.5,
      log: logger({ format: 'text', write: () => undefined }),
      metrics: metrics(),
      http: noHub,
      resources: withCluster(new ResourcePool().generation(), cluster()),
      dropped: () => () => undefined,
      control: { corefileChanged: async () => false, reload: async () => false, fail: () => undefined },
    },
  )
  try {
    await instance.start()
  } catch (error) {
    // A file of the reader's own: it was looked for, which is as far as it goes here.
    if (!/ENOENT.*'\/etc\/portolan\//.test(String(error))) throw error
  }
  await instance.stop()
}

t.test('every Corefile that is shown starts', async t => {
  const documents = globSync(['*.md', 'src/**/README.md', 'config/**/*.md']).sort().flatMap(examplesIn)
  const files = globSync('config/Corefile*').map(file => ({ where: file, file, text: read(file) }))
  for (const example of [...documents, ...files]) await t.resolves(run(example), example.where)
  for (const { name } of plugins) {
    t.ok(examplesIn(`src/plugins/${name}/README.md`).length > 0, `the manual of ${name} shows one`)
  }
})

t.test('the README names every difference from CoreDNS that the conformance test allows, and no other', async t => {
  const [, table = ''] =
    /^## Differences from CoreDNS\n[\s\S]*?^\|[- |]+\|\n([\s\S]*?)\n\n/m.exec(read('README.md')) ?? []
  const rows = table.split('\n')
  const sentences = allowedDifferences.map(({ text }) => text)
  t.same(
    sentences.filter(sentence => !rows.some(row => row.includes(sentence))),
    [],
    'each has a row',
  )
  t.same(
    rows.filter(row => !sentences.some(sentence => row.includes(sentence))),
    [],
    'each row has one',
  )
})

t.test('the package has what its entry points name', async t => {
  const { bin, exports } = JSON.parse(read('package.json'))
  for (const path of [bin.portolan, ...Object.values<string>(exports['.'])]) t.match(path, /^(\.\/)?dist\//, path)
  t.ok(manifest.files.includes('dist'))
  const library = await import('../../src/index.ts')
  t.type(library.Server, 'function', 'the library can be imported dynamically: it exports nothing called `then`')
})
