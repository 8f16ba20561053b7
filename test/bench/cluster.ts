/**
 * Where the servers read the cluster from: a real API server that the data set was posted to, or, where there is none, a file of
 * manifests.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiObject } from '../oracle/api-client.ts'
import { startControlPlane } from '../oracle/control-plane.ts'
import type { Peers } from '../oracle/peers.ts'

/** Requests at once; the client opens no more connections. */
const writers = 8

export interface ClusterSource extends AsyncDisposable {
  /** For people. */
  readonly name: string
  /** The option of a `kubernetes` block that names it. */
  readonly option: string
}

/** Starts a control plane and posts the objects to it. Disposing ends it. */
export async function apiCluster(
  peers: Peers,
  objects: readonly ApiObject[],
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<ClusterSource> {
  await using stack = new AsyncDisposableStack()
  say('starting etcd and kube-apiserver')
  const { client, kubeconfig } = stack.use(await startControlPlane(peers))
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
