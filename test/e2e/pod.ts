/**
 * portolan as its Deployment runs it, without a container: the cluster's own Corefile, the service account's volume at its place (in a
 * mount namespace), and the variables that tell a pod where the API server is. Ports are free ones on loopback.
 */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf, PortolanError } from '../../src/errors.ts'
import { type AccountFiles, AccountVolume } from './account-volume.ts'
import { type Background, freePort, startBackground } from './background.ts'
import { startUpstream } from './conformance/upstream.ts'
import { built, sources, stateOfBuilt } from './program.ts'

const run = promisify(execFile)
const readyMs = 30_000
const graceMs = 300

const namespaces = [...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--mount', '--propagation=private']

/** Runs with the volume as $0 and the command behind it. The empty /run takes the place of one that only root may write to. */
const enter = `
mount -t tmpfs none /var/run
mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
mount --bind "$0" /var/run/secrets/kubernetes.io/serviceaccount
exec "$@"
`

/** Why no pod can be started here; undefined where one can. */
export async function obstacle(): Promise<string | undefined> {
  return run('unshare', [...namespaces, 'true']).then(
    () => undefined,
    error => `no mount namespace can be made here: ${messageOf(error).trim()}`,
  )
}

export interface PodOptions {
  /** A folder of its own, which is not removed. */
  readonly folder: string
  /** Port on 127.0.0.1 at which it finds the API server. */
  readonly apiPort: number
  readonly account: AccountFiles
  /** The Corefile of the ConfigMap. */
  readonly corefile: string
  /** Lines of the `kubernetes` block that take the place of `pods insecure`. */
  readonly options?: readonly string[]
  /** Whether `loadbalance` changes the order of records from answer to answer, as it does unless this says no. */
  readonly rotates?: boolean
}

export interface Pod extends AsyncDisposable {
  /** UDP and TCP. */
  readonly port: number
  readonly pid: number
  readonly log: string
  readonly volume: AccountVolume
  /** What `/ready` says. */
  ready(): Promise<string>
  metrics(): Promise<string>
  /** Resolves when it is ready; rejects when it is not within half a minute. */
  untilReady(): Promise<void>
}

/** Starts the server; whether it is ready is asked separately. Disposing ends it. */
export async function startPod({
  folder,
  apiPort,
  account,
  corefile,
  options = ['pods insecure'],
  rotates = true,
}: PodOptions): Promise<Pod> {
  await using stack = new AsyncDisposableStack()
  await mkdir(folder, { recursive: true })
  const upstream = stack.use(await startUpstream())
  const ports = {
    dns: await freePort(),
    health: await freePort(),
    ready: await freePort(),
    metrics: await freePort(),
    upstream: upstream.port,
  }
  const conf = join(folder, 'Corefile')
  await writeFile(conf, onLoopback(rotates ? corefile : corefile.replace(/^ *loadbalance\n/m, ''), ports, options))
  const volume = new AccountVolume(join(folder, 'serviceaccount'), account)
  const script = stateOfBuilt() === 'fresh' ? built : sources
  const program: Background = stack.use(
    startBackground(
      'unshare',
      [...namespaces, 'sh', '-ec', enter, volume.folder, process.execPath, script, '-conf', conf],
      join(folder, 'log'),
      { graceMs, env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(apiPort) } },
    ),
  )
  const get = async (port: number, path: string): Promise<string> => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`)
    return reply.text()
  }
  const running = stack.move()
  const pod: Pod = {
    port: ports.dns,
    pid: program.pid!,
    log: program.log,
    volume,
    ready: () => get(ports.ready, '/ready'),
    metrics: () => get(ports.metrics, '/metrics'),
    untilReady: () =>
      program.until(
        () =>
          pod.ready().then(
            text => text === 'OK',
            () => false,
          ),
        readyMs,
      ),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
  return pod
}

interface Ports {
  readonly dns: number
  readonly health: number
  readonly ready: number
  readonly metrics: number
  readonly upstream: number
}

/** The same Corefile for a machine that has other servers, and whose own resolver is not to be asked. */
function onLoopback(corefile: string, ports: Ports, options: readonly string[]): string {
  const changes: readonly (readonly [RegExp, string])[] = [
    [/^\.:53 \{$/m, `.:${ports.dns} {\n    bind 127.0.0.1`],
    [/^ *health \{$/m, `    health 127.0.0.1:${ports.health} {`],
    [/^ *ready$/m, `    ready 127.0.0.1:${ports.ready}`],
    [/:9153$/m, `127.0.0.1:${ports.metrics}`],
    [/\/etc\/resolv\.conf/, `127.0.0.1:${ports.upstream}`],
    [/^ *pods insecure$/m, options.map(option => `       ${option}`).join('\n')],
  ]
  return changes.reduce((text, [pattern, replacement]) => {
    if (!pattern.test(text)) throw new PortolanError('PORTOLAN_E2E_DEPLOY', `the Corefile has no ${pattern}`)
    return text.replace(pattern, replacement)
  }, corefile)
}
