/**
 * `npm run build`: makes `dist/`, which is all that the package and the image need besides Node: the program, its answer
 * threads and the library with their dependencies inside, koffi beside them, the library's types, each plugin's README where `portolan plugins NAME` looks for
 * it, and the licences of what is bundled.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'

const ROOT = import.meta.dirname
const DIST = 'dist'

/**
 * Has the client library give up what is not imported from it. Its modules only export (but for a polyfill of what Node has
 * by now), yet its package does not say so, and a bundler must keep all of them, 700 kB of generated API, and what they load.
 */
const clientNodeIsPure: Plugin = {
  name: 'client-node-is-pure',
  setup({ onResolve, resolve }) {
    const seen = Symbol('seen')
    onResolve({ filter: /^(@kubernetes\/client-node$|\.)/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === seen) return undefined
      const found = await resolve(path, { ...from, pluginData: seen })
      return found.path.includes('@kubernetes/client-node/dist/') ? { ...found, sideEffects: false } : found
    })
  },
}

/**
 * Leaves out what the client library would send requests with: it is asked for credentials only, and 1.4 MB of source would take
 * 6 MB of memory.
 */
const withoutUndici: Plugin = {
  name: 'without-undici',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: 'left-out' }))
    onLoad({ filter: /^/, namespace: 'left-out' }, () => ({
      contents: 'export class Agent {}\nexport class ProxyAgent {}\nexport function fetch() {}',
    }))
  },
}

async function bundle(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      portolan: 'src/main.ts',
      index: 'src/index.ts',
      'answer-thread': 'src/server/answer-threads/thread.ts',
    },
    outdir: DIST,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    // What is imported dynamically stays apart, and is read only by who needs it.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'external',
    metafile: true,
    external: ['koffi'],
    plugins: [clientNodeIsPure, withoutUndici],
    // The CommonJS packages among the dependencies ask for Node's own modules with `require`.
    banner: {
      js: "import { createRequire as requireFor } from 'node:module'\nconst require = requireFor(import.meta.url)",
    },
  })
  chmodSync(`${DIST}/portolan.js`, 0o755)
  return metafile
}

/**
 * koffi looks for its machine code as a package beside its own, so it is not bundled: what it runs of is copied, with the code
 * for the processor of this machine (musl and glibc). npm leaves it out of the package, which has koffi as a dependency.
 */
function copyKoffi(): void {
  const packages = ['koffi', ...globSync('@koromix/koffi-linux-*', { cwd: 'node_modules' })]
  const files = packages.flatMap(name =>
    globSync(`${name}/{package.json,index.js,src/**/*.js,*/*.node}`, { cwd: 'node_modules' }),
  )
  for (const file of files) cpSync(`node_modules/${file}`, `${DIST}/node_modules/${file}`)
}

/** The licence of each package that the bundles hold, and koffi's, as their authors ask. */
function writeLicences({ outputs }: Metafile): void {
  const inputs = Object.values(outputs).flatMap(output => Object.entries(output.inputs))
  const held = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  const folders = held.flatMap(([file]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [])
  const texts = [...new Set([...folders, 'node_modules/koffi'])].sort().map(folder => {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
    const files = globSync(`${folder}/{LICEN[SC]E,NOTICE,license}*`).sort()
    return [`${name} ${version} (${license})`, ...files.map(file => readFileSync(file, 'utf8').trim())].join('\n\n')
  })
  writeFileSync(`${DIST}/LICENSES.txt`, `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`)
}

function copyReadmes(): void {
  for (const file of globSync('src/plugins/*/README.md')) cpSync(file, `${DIST}/${relative('src', file)}`)
}

/** Each script and its size; what is not loaded at the start is named after the module that is imported. */
function report({ outputs }: Metafile): void {
  const scripts = Object.entries(outputs).filter(([file]) => file.endsWith('.js'))
  const rows = scripts.map(([file, { bytes }]) => ({ file, bytes })).sort((a, b) => b.bytes - a.bytes)
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
  for (const row of [...rows, { file: 'all scripts', bytes }]) {
    process.stdout.write(`${`${Math.ceil(row.bytes / 1000)} kB`.padStart(9)}  ${row.file}\n`)
  }
}

process.chdir(ROOT)
rmSync(DIST, { recursive: true, force: true })
const metafile = await bundle()
writeLicences(metafile)
copyReadmes()
copyKoffi()
execFileSync('node_modules/.bin/tsc', ['--project', 'tsconfig.build.json'], { stdio: 'inherit' })
report(metafile)
