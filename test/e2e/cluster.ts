/** A control plane in which portolan is deployed, and the pods that run it. What is done to them is left to the tests. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiObject } from './api-client.ts'
import { type ControlPlane, startControlPlane } from './control-plane.ts'
import { deploy, deployedCorefile, serverAccount } from './deployment.ts'
import { pod } from './objects.ts'
import type { Peers } from './peers.ts'
import { type Pod, startPod } from './pod.ts'

export interface PodSettings {
  /** Where it finds the API server; the server itself unless given. */
  readonly apiPort?: number
  /** As in `PodOptions`. */
  readonly options?: readonly string[]
  readonly rotates?: boolean
}

/** A token of the server's account, which holds as long as its pod exists in the API. */
export interface BoundToken {
  readonly token: string
  /** Deletes the pod that it is bound to. The API server may remember for ten seconds that the token was good. */
  invalidate(): Promise<void>
}

export class Cluster implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly #corefile: string
  #pods = 0

  private constructor(plane: ControlPlane, corefile: string) {
    this.plane = plane
    this.#corefile = corefile
  }

  /** Starts the control plane and posts the manifests to it. */
  static async start(peers: Peers<'etcd' | 'apiserver' | 'controllerManager'>): Promise<Cluster> {
    await using stack = new AsyncDisposableStack()
    const plane = stack.use(await startControlPlane(peers, peers))
    await deploy(plane.client)
    const cluster = new Cluster(plane, await deployedCorefile(plane.client))
    stack.move()
    return cluster
  }

  async issueToken(): Promise<BoundToken> {
    const { client } = this.plane
    const { namespace, name } = serverAccount.metadata
    const own = pod(`${namespace}/${name}-${this.#pods++}`, [])
    const object: ApiObject = { ...own, spec: { ...(own['spec'] as object), serviceAccountName: name } }
    await client.create(object)
    return { token: await client.token(serverAccount, object), invalidate: () => client.remove(object) }
  }

  /** PEM of whom the API server's certificate is issued by. */
  ca(): Promise<string> {
    return readFile(this.plane.authority.cert, 'utf8')
  }

  /** Starts one with a token of its own. */
  async startPod({ apiPort = this.plane.port, ...settings }: PodSettings = {}): Promise<Pod & BoundToken> {
    const bound = await this.issueToken()
    const started = await startPod({
      folder: join(this.plane.folder, `pod-${this.#pods}`),
      apiPort,
      account: { token: bound.token, ca: await this.ca() },
      corefile: this.#corefile,
      ...settings,
    })
    return { ...started, ...bound }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane[Symbol.asyncDispose]()
  }
}
