/**
 * A real control plane on loopback: etcd and kube-apiserver on free ports, state in a temporary folder. No controllers run, so the
 * cluster holds exactly what is posted to it.
 */
import { generateKeyPairSync } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiClient } from './api-client.ts'
import { freePort, startBackground } from './background.ts'
import type { Peers } from './peers.ts'

const token = 'admin'
const startMs = 60_000

export interface ControlPlane extends AsyncDisposable {
  /** Temporary folder for files that shall vanish with the control plane. */
  readonly folder: string
  /** Path of a kubeconfig that may do everything. */
  readonly kubeconfig: string
  readonly client: ApiClient
  /** Leaves etcd, the API server and the folder in place when this process ends; returns the command that removes them. */
  keep(): string
}

/** Starts etcd and the API server; resolves when the API is ready. Disposing ends both and removes the folder. */
export async function startControlPlane(peers: Peers): Promise<ControlPlane> {
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
  const [etcdPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()]
  const [etcdUrl, peerUrl] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${peerPort}`]
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  await writeFile(file('service-accounts.key'), privateKey)
  await writeFile(file('tokens.csv'), `${token},admin,1,system:masters\n`)

  const etcd = stack.use(
    startBackground(
      peers.etcd,
      [
        `--data-dir=${file('etcd')}`,
        `--listen-client-urls=${etcdUrl}`,
        `--advertise-client-urls=${etcdUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=default=${peerUrl}`,
        '--unsafe-no-fsync',
        '--log-level=error',
      ],
      file('etcd.log'),
    ),
  )
  const apiserver = stack.use(
    startBackground(
      peers.apiserver,
      [
        `--etcd-servers=${etcdUrl}`,
        `--secure-port=${apiPort}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--cert-dir=${file('certs')}`,
        '--service-account-issuer=https://portolan.test',
        `--service-account-key-file=${file('service-accounts.key')}`,
        `--service-account-signing-key-file=${file('service-accounts.key')}`,
        `--token-auth-file=${file('tokens.csv')}`,
        '--authorization-mode=AlwaysAllow',
        '--service-cluster-ip-range=10.96.0.0/12,fd00:96::/112',
        '--disable-admission-plugins=ServiceAccount',
        '--endpoint-reconciler-type=none',
      ],
      file('kube-apiserver.log'),
    ),
  )
  const certificate = file('certs/apiserver.crt')
  await apiserver.until(async () => (await readOrEmpty(certificate)) !== '', startMs)
  const client = stack.use(new ApiClient({ port: apiPort, token, ca: await readFile(certificate, 'utf8') }))
  await apiserver.until(() => client.ready(), startMs)

  await writeFile(file('kubeconfig'), JSON.stringify(kubeconfig(apiPort, certificate), null, 2))
  const running = stack.move()
  return {
    folder,
    kubeconfig: file('kubeconfig'),
    client,
    keep() {
      kept = true
      return `kill ${apiserver.release()} ${etcd.release()}; rm -r ${folder}`
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

// JSON is YAML, so this is a kubeconfig as any client reads it.
function kubeconfig(port: number, ca: string): unknown {
  const name = 'e2e'
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': ca } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  }
}

async function readOrEmpty(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
}
