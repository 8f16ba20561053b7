/**
 * The image and a container of it without a registry or a container engine: a folder with what the Dockerfile copies, and
 * namespaces of util-linux around a process, with what the Deployment's `securityContext` asks for. What is checked in it is left to
 * `run.ts`.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'

const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8')
const [, ENTRYPOINT = '[]'] = /^ENTRYPOINT (.+)$/m.exec(dockerfile) ?? []
const [, USER, GROUP] = /^USER (\d+):(\d+)$/m.exec(dockerfile) ?? []
const CAPABILITY = 'net_bind_service'

/** Runs as the first process of the new namespaces, with the image's folder as $0 and the command behind it. */
const ENTER = `
ip link set lo up
mount --bind "$0" "$0"
mount --options remount,bind,ro "$0"
mount --types proc proc "$0/proc"
exec chroot "$0" setpriv --reuid ${USER} --regid ${GROUP} --clear-groups --no-new-privs \
  --bounding-set=-all,+${CAPABILITY} --inh-caps=-all,+${CAPABILITY} --ambient-caps=-all,+${CAPABILITY} -- "$@"
`

const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--propagation=private']

/** Why no container can be made here; undefined where one can. */
export function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may make namespaces'
  const missing = ['unshare', 'nsenter', 'setpriv', 'ip', 'setcap', 'ldd'].filter(program => !isThere(program))
  if (missing.length > 0) return `${missing.join(', ')} not installed`
  try {
    execFileSync('unshare', [...NAMESPACES, 'true'], { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `no namespaces here: ${String(error)}`
  }
}

export function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

/**
 * What the Dockerfile puts together, in an empty folder: Node with its capability, the libraries it is linked to, and `dist/`; and
 * other files or folders by the path they get.
 */
export function makeImage(root: string, dist: string, files: Readonly<Record<string, string>>): void {
  const install = (from: string, to: string) => {
    mkdirSync(join(root, dirname(to)), { recursive: true })
    copyFileSync(from, join(root, to))
  }
  // The base image has setpriv; here it stands for the container engine.
  const setpriv = execFileSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' }).trim()
  const programs = { '/usr/local/bin/node': process.execPath, '/usr/bin/setpriv': setpriv }
  for (const [to, from] of Object.entries(programs)) {
    install(from, to)
    for (const library of librariesOf(from)) install(realpathSync(library), library)
  }
  execFileSync('setcap', [`cap_${CAPABILITY}=+ep`, join(root, '/usr/local/bin/node')])
  cpSync(dist, join(root, 'portolan'), { recursive: true })
  for (const [to, from] of Object.entries(files)) cpSync(from, join(root, to), { recursive: true })
  mkdirSync(join(root, 'proc'))
  // A temporary folder is closed to others, which the root of a file system is not.
  chmodSync(root, 0o755)
}

function librariesOf(program: string): string[] {
  return execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+(?= \()/g) ?? []
}

/** Every file below a folder with its size, mode and time of change. */
export function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map(path => {
      const { size, mode, mtimeMs, ctimeMs } = lstatSync(join(folder, path))
      return [path, size, mode, mtimeMs, ctimeMs].join(' ')
    })
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process in namespaces of its own, which vanish with it: no network but loopback, a read-only root, the first of its processes. */
export class Container {
  readonly #unshare: ChildProcess
  /** The exit code, and all that was written. */
  readonly ended: Promise<Ended>

  /** Starts the image's entry point with arguments. */
  constructor(root: string, args: readonly string[]) {
    const entry: string[] = JSON.parse(ENTRYPOINT)
    const child = spawn('unshare', [...NAMESPACES, 'sh', '-ec', ENTER, root, ...entry, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    })
    this.#unshare = child
    const exit = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
    this.ended = Promise.all([exit, text(child.stdout), text(child.stderr)]).then(([code, stdout, stderr]) => ({
      code,
      stdout,
      stderr,
    }))
  }

  /** Runs a program of this machine in the container's network. */
  run(program: string, args: readonly string[]): Promise<Ended> {
    const entered = [`--net=/proc/${this.#unshare.pid}/ns/net`, program, ...args]
    return new Promise(resolve => {
      const child = execFile('nsenter', entered, { timeout: 10_000 }, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode, stdout, stderr })
      })
    })
  }

  /** A field of the process's status, such as `CapEff`. */
  status(field: string): string {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8')
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1]?.replaceAll('\t', ' ') ?? ''
  }

  /** The files of the image that are mapped into the process's memory: programs and libraries, once each. */
  get mapped(): string {
    const maps = readFileSync(`/proc/${this.#pid}/maps`, 'utf8')
    return [...new Set(maps.match(/\/\S+$/gm))].join('\n')
  }

  /** The options that the root file system is mounted with. */
  get rootOptions(): string {
    const mounts = readFileSync(`/proc/${this.#pid}/mountinfo`, 'utf8').split('\n')
    return mounts.map(line => line.split(' ')).findLast(([, , , , point]) => point === '/')?.[5] ?? ''
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.#pid, name)
  }

  /** Ends it at once, if it still runs. */
  kill(): void {
    this.#unshare.kill('SIGKILL')
  }

  /** The process itself, which is the child of the one that made the namespaces. */
  get #pid(): number {
    const { pid } = this.#unshare
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
  }
}
