/**
 * The released programs that portolan is run with and compared with: found in a folder, or built into it from the Go module proxy at
 * pinned versions. Starting them is left to who needs them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { PortolanError } from '../../src/errors.ts'

const versions = { coredns: 'v1.15.0', etcd: 'v3.6.5', kubernetes: 'v1.34.4' }
const leastGo = [1, 24] as const

/** Each program by the name of its file. */
const files = {
  coredns: 'coredns',
  etcd: 'etcd',
  apiserver: 'kube-apiserver',
  controllerManager: 'kube-controller-manager',
  kubeProxy: 'kube-proxy',
}

export type PeerName = keyof typeof files

/** Paths of programs that can be run. */
export type Peers<Name extends PeerName = 'coredns' | 'etcd' | 'apiserver'> = Readonly<Record<Name, string>>

/**
 * Finds the programs that are named in $PORTOLAN_PEERS, in $KUBEBUILDER_ASSETS (where envtest has etcd and kube-apiserver) and in
 * ~/.cache/portolan-peers. Those that are missing are built into the first or the last of these, a few minutes each, once. Returns
 * the reason where that cannot be done. Throws when a build that could be started fails.
 */
export async function findPeers<Name extends PeerName>(
  names: readonly Name[],
  say: (line: string) => void,
): Promise<Peers<Name> | string> {
  const { PORTOLAN_PEERS, KUBEBUILDER_ASSETS } = process.env
  const usual = join(homedir(), '.cache', 'portolan-peers')
  const folders = [PORTOLAN_PEERS, KUBEBUILDER_ASSETS, usual].flatMap(folder => (folder ? [folder] : []))
  const target = PORTOLAN_PEERS || usual
  const peers = new Map<Name, string>()
  const missing: Name[] = []
  for (const name of names) {
    const found = await firstThatRuns(folders.map(folder => join(folder, files[name])))
    if (found === undefined) missing.push(name)
    peers.set(name, found ?? join(target, files[name]))
  }
  const all = Object.fromEntries(peers) as Record<Name, string>
  if (missing.length === 0) return all
  const go = goVersion()
  if (go === undefined) {
    const lacking = missing.map(name => files[name]).join(', ')
    return `no ${lacking} in ${folders.join(' or ')}, and no Go >= ${leastGo.join('.')} to build with; install Go or set PORTOLAN_PEERS`
  }
  await mkdir(target, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'portolan-peers-'))
  try {
    for (const name of missing) {
      say(`building ${files[name]} with ${go} into ${target} (a few minutes, once)`)
      await builders[name](work, all[name])
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return all
}

type Builder = (work: string, target: string) => Promise<void>

const builders: Readonly<Record<PeerName, Builder>> = {
  coredns: (work, target) => build(work, target, 'github.com/coredns/coredns', versions.coredns),
  etcd: (work, target) => build(work, target, 'go.etcd.io/etcd/server/v3', versions.etcd),
  apiserver: (work, target) => buildKubernetes(work, target, files.apiserver),
  controllerManager: (work, target) => buildKubernetes(work, target, files.controllerManager),
  kubeProxy: (work, target) => buildKubernetes(work, target, files.kubeProxy),
}

async function buildKubernetes(work: string, target: string, program: string): Promise<void> {
  // Kubernetes replaces its libraries by folders of its own tree; they are released as modules of the same minor and patch.
  const mod = await modulePath(work, `k8s.io/kubernetes@${versions.kubernetes}`)
  const libraries = (await readFile(mod, 'utf8')).matchAll(/^\s*(k8s\.io\/[a-z-]+) => \.\/staging/gm)
  const release = versions.kubernetes.replace('v1.', 'v0.')
  const replaced = [...libraries].map(([, library]) => `replace ${library} => ${library} ${release}`)
  const version = `-X k8s.io/component-base/version.gitVersion=${versions.kubernetes}`
  await build(work, target, 'k8s.io/kubernetes', versions.kubernetes, {
    command: `k8s.io/kubernetes/cmd/${program}`,
    lines: replaced,
    flags: ['-ldflags', version],
  })
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

async function firstThatRuns(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runs) return path
  }
  return undefined
}

function failed(message: string): PortolanError {
  return new PortolanError('PORTOLAN_E2E_BUILD', message)
}
