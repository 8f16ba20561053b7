/**
 * The architecture as a test: which layer may import which, which npm package is used where, and what every source file has in
 * common. A new folder of `src` needs its place in this table.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

/** From the bottom up: a layer imports itself and what stands above it in this list, folders of one line do not know each other. */
const layers: readonly (readonly string[])[] = [
  ['errors.ts', 'version.ts'],
  ['wire'],
  ['table'],
  ['corefile', 'cluster', 'observe'],
  ['net', 'zone', 'routes', 'sources'],
  ['client'],
  ['plugin'],
  ['plugins'],
  ['server'],
  ['cli'],
  ['index.ts', 'main.ts'],
]

/** The files that may import an npm package. What is not here is used nowhere. */
const doorways: Readonly<Record<string, RegExp>> = {
  '@kubernetes/client-node': /^src\/sources\/apiserver\//,
  // It reads packets of the one who runs the program, never a stranger's: its decoder is not made for those.
  'dns-packet': /^src\/(client|cli)\//,
  'ipaddr.js': /^src\//,
  koffi: /^src\/net\/udp-batch\//,
  'lru-cache': /^src\/plugins\/cache\//,
  pino: /^src\/observe\//,
  'prom-client': /^src\/observe\//,
  yaml: /^src\/(sources|plugins\/prometheus|cli)\//,
}

/** Names that say nothing of what is inside. */
const EMPTY_NAMES = /(^|[/-])(utils?|helpers?|commons?|managers?|impl|base|misc|lib)\b/

const LONGEST_FILE = 450

/** The contract of a plugin speaks of nothing that only some plugins need. */
const contractNeeds = ['errors.ts', 'wire', 'table', 'corefile', 'cluster', 'observe', 'net', 'plugin']

/** Loaded by an `import()` where a Corefile asks for them: they cost memory and time. */
const onDemand = [
  'src/sources/apiserver/index.ts',
  'src/sources/manifests/index.ts',
  'src/plugins/routes/served-routes.ts',
  'src/plugins/routes/requests.ts',
  'src/plugins/explain/request.ts',
  'src/cli/explain-run.ts',
  'src/cli/doctor-world.ts',
  '@kubernetes/client-node',
]

interface SourceFile {
  readonly path: string
  readonly text: string
  /** What it imports in any way: paths from the repository's root, and names of packages. */
  readonly imports: readonly string[]
  /** What is loaded with it. */
  readonly loads: readonly string[]
}

process.chdir(join(import.meta.dirname, '../..'))

function sourceFile(path: string): SourceFile {
  const text = readFileSync(path, 'utf8')
  const named = (pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, name = '']) => (name.startsWith('.') ? join(dirname(path), name) : name))
  const loads = named(/^(?:import|export) (?!type\b)(?:[^'";]*? from )?'([^']+)'/gm)
  const types = named(/^(?:import|export) type [^'";]*? from '([^']+)'/gm)
  return { path, text, loads, imports: [...loads, ...types, ...named(/\bimport\('([^']+)'\)/g)] }
}

const sources = globSync('src/**/*.ts').sort().map(sourceFile)
const tests = globSync('test/**/*.ts').sort().map(sourceFile)

const layerOf = (path: string): string => path.split('/')[1]!
const levelOf = (path: string): number => layers.findIndex(folders => folders.includes(layerOf(path)))
const isOurs = (name: string): boolean => name.startsWith('src/')

/** Every import for which `isWrong`, in words. */
function wrongImports(files: readonly SourceFile[], isWrong: (from: string, to: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports.filter(name => isWrong(path, name)).map(name => `${path} imports ${name}`),
  )
}

t.test('every folder of src has its layer', async t => {
  t.same(
    sources.map(({ path }) => path).filter(path => levelOf(path) < 0),
    [],
  )
})

t.test('imports go down only', async t => {
  const goesUp = (from: string, to: string) =>
    isOurs(to) && layerOf(from) !== layerOf(to) && levelOf(to) >= levelOf(from)
  t.same(wrongImports(sources, goesUp), [])
  const foreign = (from: string, to: string) =>
    isOurs(to) && layerOf(from) === 'plugin' && !contractNeeds.includes(layerOf(to))
  t.same(wrongImports(sources, foreign), [], "a plugin's contract knows only what it must")
})

t.test('a plugin never imports another plugin', async t => {
  const pluginOf = (path: string) => /^src\/plugins\/([^/]+)\//.exec(path)?.[1]
  t.same(
    wrongImports(sources, (from, to) => {
      const [own, other] = [pluginOf(from), isOurs(to) && to.startsWith('src/plugins/')]
      return own !== undefined && other && pluginOf(to) !== own
    }),
    [],
  )
})

t.test('npm packages are used behind their doorways only', async t => {
  const isElsewhere = (from: string, to: string) =>
    !isOurs(to) && !to.startsWith('node:') && to !== 'package.json' && doorways[to]?.test(from) !== true
  t.same(wrongImports(sources, isElsewhere), [])
})

t.test('the packages with a doorway are the ones that are depended on', async t => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.same(Object.keys(dependencies).sort(), Object.keys(doorways).sort())
  const used = new Set(sources.flatMap(({ imports }) => imports))
  t.same(
    Object.keys(doorways).filter(name => !used.has(name)),
    [],
    'all of them are used',
  )
})

t.test('what costs much is loaded only where it is needed', async t => {
  const opens = (from: string, to: string) => onDemand.includes(to) && dirname(from) !== 'src/sources/apiserver'
  const eager = sources.map(({ path, text, loads }) => ({ path, text, loads, imports: loads }))
  t.same(wrongImports(eager, opens), [])
})

t.test('files tell what they are for, by name and in their first lines', async t => {
  const paths = [...sources, ...tests].map(({ path }) => path)
  t.same(
    paths.filter(path => EMPTY_NAMES.test(path.replace(/^test\/helpers\//, ''))),
    [],
    'no empty names',
  )
  t.same(
    paths.filter(path => !/^[a-z0-9/.-]+$/.test(path)),
    [],
    'lower case, with dashes',
  )
  t.same(
    sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path),
    [],
    'each source file opens with a doc comment',
  )
})

t.test('no default exports, no long files', async t => {
  t.same(
    [...sources, ...tests].filter(({ text }) => /^export default\b/m.test(text)).map(({ path }) => path),
    [],
  )
  const lines = ({ text }: SourceFile) => text.split('\n').length - 1
  t.same(
    [...sources, ...tests].filter(file => lines(file) > LONGEST_FILE).map(file => `${file.path}: ${lines(file)} lines`),
    [],
  )
})
