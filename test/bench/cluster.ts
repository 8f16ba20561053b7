/**
 * Where the servers read the cluster from: a real API server that the data set was posted to, or, where there is none, a file of
 * manifests. On an API server the cluster can change.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApiClient, ApiObject } from '../e2e/api-client.ts'
import { freePort, startBackground } from '../e2e/background.ts'
import { startControlPlane } from '../e2e/control-plane.ts'
import type { Peers } from '../e2e/peers.ts'

/** Requests at once; the client opens no more connections. */
const writers = 8
const relayMs = 10_000

export interface ClusterSource extends AsyncDisposable {
  /** For people. */
  readonly name: string
  /** The option of a `kubernetes` block that names it. */
  readonly option: string
  /** What changes it; a file does not change. */
  readonly live?: LiveCluster
}

export interface LiveCluster {
  readonly client: ApiClient
  /** A way to the API server that can make a server list everything again. Disposing ends it. */
  relay(): Promise<Relay>
}

export interface Relay extends AsyncDisposable {
  /** The option of a `kubernetes` block that leads through it. */
  readonly option: string
  /** Cuts all watches, and lets none of them resume where it was. */
  expire(): Promise<void>
  /** How many lists of all slices were begun since then. */
  lists(): Promise<number>
}

/** Starts a control plane and posts the objects to it. Disposing ends it. */
export async function apiCluster(
  peers: Pick<Peers, 'etcd' | 'apiserver'>,
  objects: readonly ApiObject[],
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<ClusterSource> {
  await using stack = new AsyncDisposableStack()
  say('starting etcd and kube-apiserver')
  const { client, kubeconfig, folder } = stack.use(await startControlPlane(peers))
  const queue = objects.entries()
  const writer = async (): Promise<void> => {
    for (const [n, object] of queue) {
      signal.throwIfAborted()
      await client.create(object)
      if ((n + 1) % 5000 === 0) say(`${n + 1} of ${objects.length} objects posted`)
    }
  }
  // What stands in a namespace needs it to be there.
  const first = objects.findIndex(({ kind }) => kind !== 'Namespace')
  for (let n = 0; n < first; n++) await client.create(queue.next().value![1])
  await Promise.all(Array.from({ length: writers }, writer))
  const running = stack.move()
  return {
    name: 'kube-apiserver',
    option: `kubeconfig ${kubeconfig}`,
    live: { client, relay: () => startRelay(kubeconfig, folder) },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Writes the objects into one file of `folder`, which is not removed. */
export async function manifestsCluster(objects: readonly ApiObject[], folder: string): Promise<ClusterSource> {
  const file = join(folder, 'cluster.json')
  const items = objects.map(object => ({
    apiVersion: object.kind === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1',
    ...object,
  }))
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  return { name: 'manifests', option: `manifests ${file}`, [Symbol.asyncDispose]: async () => undefined }
}

/** Reads from the kubeconfig where the API server is, and writes one beside it that leads through the relay. */
async function startRelay(kubeconfig: string, folder: string): Promise<Relay> {
  const config = JSON.parse(await readFile(kubeconfig, 'utf8'))
  const { server, 'certificate-authority': authority } = config.clusters[0].cluster
  const port = await freePort()
  const control = await freePort()
  const args = [fileURLToPath(new URL('relay.ts', import.meta.url)), port, control, new URL(server).port]
  args.push(config.users[0].user.token, authority)
  const background = startBackground(process.execPath, args.map(String), join(folder, 'relay.log'))
  const said = async (path: string, method = 'GET'): Promise<string> =>
    (await fetch(`http://127.0.0.1:${control}${path}`, { method })).text()
  await background.until(
    () =>
      said('/lists').then(
        () => true,
        () => false,
      ),
    relayMs,
  )
  config.clusters[0].cluster = { server: `http://127.0.0.1:${port}` }
  const file = join(folder, 'relay.kubeconfig')
  await writeFile(file, JSON.stringify(config))
  return {
    option: `kubeconfig ${file}`,
    async expire() {
      await said('/expire', 'POST')
    },
    async lists() {
      return Number(await said('/lists'))
    },
    [Symbol.asyncDispose]: () => background[Symbol.asyncDispose](),
  }
}
