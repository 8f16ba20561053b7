/**
 * A real control plane on loopback: etcd, kube-apiserver and, where wanted, kube-controller-manager on free ports, state in a
 * temporary folder, certificates of an authority of its own. The API server can be killed and started again with the same state.
 */
import { generateKeyPairSync } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PortolanError } from '../../src/errors.ts'
import { ApiClient, type ApiObject } from './api-client.ts'
import { Authority, type KeyPair } from './authority.ts'
import { type Background, freePort, startBackground } from './background.ts'
import type { Peers } from './peers.ts'

const token = 'admin'
const startMs = 60_000
const controllerManagerUser = 'system:kube-controller-manager'
/** What makes a cluster of objects: slices of services, accounts of namespaces, and the end of namespaces. */
const controllers = [
  'endpointslice-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'namespace-controller',
  'garbage-collector-controller',
]

export interface ControlPlaneOptions {
  /**
   * Path of kube-controller-manager. With it the API server is strict as in any cluster: rights by RBAC, pods only with a service
   * account. Without it everybody may do everything, and the cluster holds exactly what is posted to it.
   */
  readonly controllerManager?: string
}

export interface ServerOptions {
  /** Whether lists and watches may come from the API server's memory (its default), or from etcd alone. */
  readonly watchCache?: boolean
}

export interface ControlPlane extends AsyncDisposable {
  /** Temporary folder for files that shall vanish with the control plane. */
  readonly folder: string
  /** Path of a kubeconfig that may do everything. */
  readonly kubeconfig: string
  readonly client: ApiClient
  /** The API server's port on 127.0.0.1. */
  readonly port: number
  /** Who issued the API server's certificate, and whose client certificates it takes. */
  readonly authority: Authority
  /** PEM files that the API server reads again when they change: its certificate, and who may issue those of clients. */
  readonly serving: KeyPair
  readonly clientAuthorities: string
  /** Ends the API server as a crash does. */
  kill(): Promise<void>
  /** Starts the API server again, where it was and with what it had; resolves when it is ready. */
  restart(options?: ServerOptions): Promise<void>
  /** Has etcd forget all versions but the present ones. */
  compact(): Promise<void>
  /** Leaves the programs and the folder in place when this process ends; returns the command that removes them. */
  keep(): string
}

/** Starts the programs; resolves when the API is ready, and the controllers work. Disposing ends them and removes the folder. */
export async function startControlPlane(
  peers: Pick<Peers, 'etcd' | 'apiserver'>,
  { controllerManager }: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'portolan-e2e-'))
  let kept = false
  const clean = (): void => {
    if (!kept) rmSync(folder, { recursive: true, force: true })
  }
  // Programs are ended by an exit listener that was there before, so nothing writes into the folder any more.
  process.once('exit', clean)
  stack.defer(() => {
    process.off('exit', clean)
    clean()
  })
  const file = (name: string): string => join(folder, name)
  const port = await freePort()
  const authority = await Authority.create(folder, 'authority')
  const issued = await authority.forServer('kube-apiserver')
  const serving = { cert: file('apiserver.crt'), key: file('apiserver.key') }
  const clientAuthorities = file('client-authorities.crt')
  const ca = await readFile(authority.cert, 'utf8')
  await writeFile(serving.cert, await readFile(issued.cert))
  await writeFile(serving.key, await readFile(issued.key))
  await writeFile(clientAuthorities, ca)
  await writeFile(file('service-accounts.key'), signingKey())
  await writeFile(file('tokens.csv'), `${token},admin,1,system:masters\n`)
  await writeFile(file('kubeconfig'), kubeconfig(port, authority.cert, { token }))

  const etcd = await startEtcd(peers.etcd, folder)
  stack.use(etcd)
  const client = stack.use(new ApiClient({ port, token, ca }))
  const flags = [
    `--etcd-servers=${etcd.url}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--tls-cert-file=${serving.cert}`,
    `--tls-private-key-file=${serving.key}`,
    `--client-ca-file=${clientAuthorities}`,
    '--service-account-issuer=https://portolan.test',
    `--service-account-key-file=${file('service-accounts.key')}`,
    `--service-account-signing-key-file=${file('service-accounts.key')}`,
    `--token-auth-file=${file('tokens.csv')}`,
    '--service-cluster-ip-range=10.96.0.0/12,fd00:96::/112',
    '--endpoint-reconciler-type=none',
    ...(controllerManager === undefined
      ? ['--authorization-mode=AlwaysAllow', '--disable-admission-plugins=ServiceAccount']
      : ['--authorization-mode=RBAC']),
  ]
  const startServer = async ({ watchCache = true }: ServerOptions = {}): Promise<Background> => {
    const started = startBackground(
      peers.apiserver,
      [...flags, `--watch-cache=${watchCache}`],
      file('kube-apiserver.log'),
    )
    await started.until(() => client.ready(), startMs)
    return started
  }
  let apiserver = await startServer()
  stack.defer(() => apiserver[Symbol.asyncDispose]())
  const others = [etcd.program]
  if (controllerManager !== undefined) {
    const program = await startControllerManager(controllerManager, { folder, port, authority })
    others.push(stack.use(program))
    await untilAccounts(client, 'default', startMs)
  }
  const running = stack.move()
  return {
    folder,
    kubeconfig: file('kubeconfig'),
    client,
    port,
    authority,
    serving,
    clientAuthorities,
    kill: () => apiserver.kill(),
    async restart(options) {
      await apiserver.kill()
      apiserver = await startServer(options)
    },
    compact: () => compact(etcd.url),
    keep() {
      kept = true
      return `kill ${[apiserver, ...others].map(program => program.release()).join(' ')}; rm -r ${folder}`
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Resolves when pods can be made in a namespace: a controller has given it the account that they have unless they name another. */
export async function untilAccounts(client: ApiClient, namespace: string, withinMs: number): Promise<void> {
  const account: ApiObject = { kind: 'ServiceAccount', metadata: { namespace, name: 'default' } }
  const deadline = performance.now() + withinMs
  while ((await client.read(account)) === undefined) {
    if (performance.now() > deadline)
      throw new PortolanError(
        'PORTOLAN_E2E_CONTROLLER',
        `no service account in ${namespace} after ${withinMs / 1000} s`,
      )
    await sleep(50)
  }
}

interface Etcd extends AsyncDisposable {
  readonly url: string
  readonly program: Background
}

async function startEtcd(path: string, folder: string): Promise<Etcd> {
  const [url, peerUrl] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  const flags = [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=error',
  ]
  const program = startBackground(path, flags, join(folder, 'etcd.log'))
  return { url, program, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() }
}

async function compact(etcd: string): Promise<void> {
  const call = async (path: string, body: unknown): Promise<{ header: { revision: string } }> => {
    const reply = await fetch(`${etcd}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!reply.ok) throw new PortolanError('PORTOLAN_E2E_ETCD', `${path}: ${reply.status} ${await reply.text()}`)
    return reply.json() as Promise<{ header: { revision: string } }>
  }
  const { header } = await call('range', { key: Buffer.from('/').toString('base64') })
  await call('compaction', { revision: header.revision, physical: true })
}

interface Site {
  readonly folder: string
  readonly port: number
  readonly authority: Authority
}

async function startControllerManager(path: string, { folder, port, authority }: Site): Promise<Background> {
  const { cert, key } = await authority.forUser(controllerManagerUser)
  const config = join(folder, 'controller-manager.kubeconfig')
  await writeFile(config, kubeconfig(port, authority.cert, { 'client-certificate': cert, 'client-key': key }))
  const flags = [
    `--kubeconfig=${config}`,
    // Each controller has rights of its own, as with kubeadm.
    '--use-service-account-credentials',
    `--root-ca-file=${authority.cert}`,
    `--service-account-private-key-file=${join(folder, 'service-accounts.key')}`,
    `--controllers=${controllers.join()}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--kube-api-qps=200',
    '--kube-api-burst=400',
  ]
  return startBackground(path, flags, join(folder, 'kube-controller-manager.log'))
}

function signingKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  return privateKey
}

/** A kubeconfig for one user, as text. JSON is YAML, so any client reads it. */
export function kubeconfig(port: number, ca: string, user: Readonly<Record<string, string>>): string {
  const name = 'e2e'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': ca } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  }
  return JSON.stringify(config, null, 2)
}
