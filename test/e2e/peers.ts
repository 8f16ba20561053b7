/**
 * The released programs that portolan is compared with: found in a folder, or built into it from the Go module proxy at pinned
 * versions. Starting them is left to who needs them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { PortolanError } from '../../src/errors.ts'

const versions = { coredns: 'v1.15.0', etcd: 'v3.6.5', kubernetes: 'v1.34.4' }
const leastGo = [1, 24] as const

/** Paths of programs that can be run. */
export interface Peers {
  readonly coredns: string
  readonly etcd: string
  readonly apiserver: string
}

/**
 * Finds the programs in $PORTOLAN_PEERS (default ~/.cache/portolan-peers) and builds those that are missing, a few minutes the first
 * time; returns the reason where that cannot be done. Throws when a build that could be started fails.
 */
export async function findPeers(say: (line: string) => void): Promise<Peers | string> {
  const folder = process.env['PORTOLAN_PEERS'] ?? join(homedir(), '.cache', 'portolan-peers')
  const peers = {
    coredns: join(folder, 'coredns'),
    etcd: join(folder, 'etcd'),
    apiserver: join(folder, 'kube-apiserver'),
  }
  const missing = new Set<keyof Peers>()
  for (const name of ['coredns', 'etcd', 'apiserver'] as const) if (!(await runs(peers[name]))) missing.add(name)
  if (missing.size === 0) return peers
  const go = goVersion()
  if (go === undefined) {
    return `${folder} lacks ${[...missing].join(', ')}, and there is no Go >= ${leastGo.join('.')} to build with; install Go or set PORTOLAN_PEERS`
  }
  await mkdir(folder, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'portolan-peers-'))
  try {
    for (const name of missing) {
      say(`building ${name} with ${go} into ${folder} (a few minutes, once)`)
      await builders[name](work, peers[name])
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return peers
}

const builders: Record<keyof Peers, (work: string, target: string) => Promise<void>> = {
  coredns: (work, target) => build(work, target, 'github.com/coredns/coredns', versions.coredns),
  etcd: (work, target) => build(work, target, 'go.etcd.io/etcd/server/v3', versions.etcd),
  async apiserver(work, target) {
    const command = 'k8s.io/kubernetes/cmd/kube-apiserver'
    // Kubernetes replaces its libraries by folders of its own tree; they are released as modules of the same minor and patch.
    const mod = await modulePath(work, `k8s.io/kubernetes@${versions.kubernetes}`)
    const libraries = (await readFile(mod, 'utf8')).matchAll(/^\s*(k8s\.io\/[a-z-]+) => \.\/staging/gm)
    const release = versions.kubernetes.replace('v1.', 'v0.')
    const replaced = [...libraries].map(([, library]) => `replace ${library} => ${library} ${release}`)
    const version = `-X k8s.io/component-base/version.gitVersion=${versions.kubernetes}`
    await build(work, target, 'k8s.io/kubernetes', versions.kubernetes, {
      command,
      lines: replaced,
      flags: ['-ldflags', version],
    })
  },
}

interface BuildOptions {
  /** Import path of the program; default: the module's root. */
  readonly command?: string
  /** More lines of go.mod. */
  readonly lines?: readonly string[]
  readonly flags?: readonly string[]
}

async function build(work: string, target: string, module: string, version: string, options: BuildOptions = {}) {
  const { command = module, lines = [], flags = [] } = options
  const folder = await mkdtemp(join(work, 'module-'))
  await writeFile(
    join(folder, 'go.mod'),
    [`module peers`, `go ${leastGo.join('.')}`, `require ${module} ${version}`, ...lines, ''].join('\n'),
  )
  await writeFile(join(folder, 'tools.go'), `//go:build tools\n\npackage peers\n\nimport _ "${command}"\n`)
  await go(folder, ['mod', 'tidy'])
  await go(folder, ['build', ...flags, '-o', target, command])
}

async function modulePath(folder: string, module: string): Promise<string> {
  const { status, stdout, stderr } = spawnSync('go', ['mod', 'download', '-json', module], {
    cwd: folder,
    encoding: 'utf8',
  })
  const found = /"GoMod": "(.*)"/.exec(stdout)?.[1]
  if (status !== 0 || found === undefined) throw failed(`go mod download ${module}: ${stderr || stdout}`)
  return found
}

async function go(cwd: string, args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const child = spawn('go', args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  child.once('error', reject)
  child.once('exit', code => (code === 0 ? resolve() : reject(failed(`go ${args.join(' ')} ended with code ${code}`))))
  await promise
}

function goVersion(): string | undefined {
  const { status, stdout } = spawnSync('go', ['version'], { encoding: 'utf8' })
  const found = status === 0 ? /go(\d+)\.(\d+)\S*/.exec(stdout) : null
  if (!found) return undefined
  const [major, minor] = [Number(found[1]), Number(found[2])]
  return major > leastGo[0] || (major === leastGo[0] && minor >= leastGo[1]) ? found[0] : undefined
}

async function runs(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function failed(message: string): PortolanError {
  return new PortolanError('PORTOLAN_E2E_BUILD', message)
}
