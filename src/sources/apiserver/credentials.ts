/**
 * Where the API server is and as whom to speak to it: the cluster's own service account, a kubeconfig, or an address with
 * certificates. What rotates (tokens, certificate files) is read again for each request. Sending requests is left to the connection.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { messageOf, PortolanError } from '../../errors.ts'
import type { Clock } from '../../observe/clock.ts'
import { ApiFailure } from './failure.ts'

/** How the API server is found. */
export type Access =
  /** From inside a pod; `root` is a folder to look for the service account's files under, the root of the file system if absent. */
  | { readonly from: 'cluster'; readonly root?: string }
  | { readonly from: 'kubeconfig'; readonly file: string; readonly context?: string | undefined }
  /** A URL; without a scheme it is `https` where `tls` is given, else `http`. `tls` names PEM files. */
  | { readonly from: 'endpoint'; readonly url: string; readonly tls?: ClientTls | undefined }

export interface ClientTls {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** What one request needs to know. */
export interface Identity {
  readonly server: URL
  /** Host and port as they were configured, for metrics. */
  readonly host: string
  /** Headers, TLS material, and an agent where a proxy stands between. */
  readonly options: RequestOptions
}

export const badAccess = 'PORTOLAN_KUBECONFIG'

/** Exec plugins are given this long; one that asks a person for a password would never end. */
const patienceMs = 30_000

export class Credentials {
  readonly #access: Access
  readonly #clock: Clock
  #config: KubeConfig | undefined
  #asked: Promise<Identity> | undefined

  private constructor(access: Access, clock: Clock, config: KubeConfig) {
    this.#access = access
    this.#clock = clock
    this.#config = config
  }

  /** Rejects with `PORTOLAN_KUBECONFIG` and the reason where no server or no user can be made out. */
  static async load(access: Access, clock: Clock): Promise<Credentials> {
    return new Credentials(access, clock, await load(access))
  }

  /** The server and what to present to it now. Rejects with an `ApiFailure` for what may be there later (a token file, an exec plugin). */
  async identity(): Promise<Identity> {
    // All kinds ask at the same time, and a plugin that does not end must not be started once more: one answer serves them all.
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = undefined
    })
    try {
      return await this.#patiently(this.#asked)
    } catch (error) {
      throw new ApiFailure('credentials', `no credentials for the API server: ${messageOf(error).trim()}`, {
        cause: error,
      })
    }
  }

  /** Forgets what was read, so that the next request reads the kubeconfig and asks exec plugins anew: for credentials that were refused, and servers that are gone. */
  forget(): void {
    this.#config = undefined
  }

  async #ask(): Promise<Identity> {
    this.#config ??= await load(this.#access)
    const config = this.#config
    const options: RequestOptions = { headers: {} }
    await config.applyToHTTPSOptions(options)
    const tokenFile = config.getCurrentUser()?.authProvider?.config?.tokenFile
    // The library reads it once a minute: one that was replaced in between, and is no longer valid, would be refused.
    if (tokenFile !== undefined)
      options.headers = { ...options.headers, Authorization: `Bearer ${await readFile(tokenFile, 'utf8')}` }
    return identityOf(config, options)
  }

  async #patiently<T>(work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = this.#clock.after(patienceMs, () =>
      late.reject(new Error(`the credential plugin did not end within ${patienceMs / 1000} s`)),
    )
    try {
      return await Promise.race([work, late.promise])
    } finally {
      timer.cancel()
    }
  }
}

function identityOf(config: KubeConfig, { agent, headers, ...options }: RequestOptions): Identity {
  const { server, proxyUrl } = config.getCurrentCluster()!
  const trimmed = Object.entries({ ...headers }).map(([name, value]) => [name, `${value}`.trim()])
  return {
    server: new URL(server),
    host: server.split('/')[2] ?? '',
    // The library's agent keeps the certificates it was made with, so it serves only where it must: with a proxy.
    options: {
      ...options,
      headers: Object.fromEntries(trimmed),
      ...(proxyUrl && agent !== undefined ? { agent } : {}),
    },
  }
}

async function load(access: Access): Promise<KubeConfig> {
  const { KubeConfig } = await import('./client-node.ts')
  const config = new KubeConfig()
  if (access.from === 'cluster') loadServiceAccount(config, access.root ?? '')
  else if (access.from === 'endpoint') config.loadFromClusterAndUser(...endpoint(access.url, access.tls))
  else await loadFile(config, access.file, access.context)
  checkServer(config)
  // The library refuses plain HTTP unless certificates are not to be verified; where there are none, that says nothing.
  config.clusters = config.clusters.map(cluster =>
    cluster.server.startsWith('http:') ? { ...cluster, skipTLSVerify: true } : cluster,
  )
  return config
}

function loadServiceAccount(config: KubeConfig, root: string): void {
  if (!process.env['KUBERNETES_SERVICE_HOST'] || !process.env['KUBERNETES_SERVICE_PORT'])
    throw new PortolanError(
      badAccess,
      'not in a pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set): name the API server with kubeconfig or endpoint',
    )
  const token = `${root}/var/run/secrets/kubernetes.io/serviceaccount/token`
  if (!existsSync(token))
    throw new PortolanError(
      badAccess,
      `the service account's token ${token} is missing: does the pod set automountServiceAccountToken: false?`,
    )
  config.loadFromCluster(root)
}

function endpoint(url: string, tls: ClientTls | undefined): [Cluster, User] {
  const server = /^https?:\/\//.test(url) ? url : `${tls ? 'https' : 'http'}://${url}`
  return [
    { name: 'endpoint', server, skipTLSVerify: false, ...(tls ? { caFile: tls.ca } : {}) },
    { name: 'endpoint', ...(tls ? { certFile: tls.cert, keyFile: tls.key } : {}) },
  ]
}

interface FileUser {
  name?: string
  user?: { tokenFile?: string; token?: string; exec?: ExecPlugin; [field: string]: unknown } | null
}

interface ExecPlugin {
  apiVersion?: string
  command?: string
  env?: { name: string; value: string }[] | null
}

interface KubeConfigFile {
  users?: FileUser[] | null
  contexts?: { name?: string; context?: { user?: string } | null }[] | null
}

async function loadFile(config: KubeConfig, file: string, context: string | undefined): Promise<void> {
  const folder = dirname(resolve(file))
  try {
    const content = parse(await readFile(file, 'utf8')) as KubeConfigFile | null
    config.loadFromString(JSON.stringify(complete(content ?? {}, folder)))
    config.makePathsAbsolute(folder)
  } catch (cause) {
    throw new PortolanError(badAccess, `kubeconfig ${file}: ${messageOf(cause)}`, { cause })
  }
  if (context !== undefined) config.setCurrentContext(context)
  const name = config.getCurrentContext()
  const known = config.getContexts().map(context => context.name)
  if (!known.includes(name))
    throw new PortolanError(
      badAccess,
      name
        ? `kubeconfig ${file}: no context "${name}" (it has ${known.join(', ') || 'none'})`
        : `kubeconfig ${file}: no current-context: give the context's name after the file`,
    )
  if (!config.getCurrentCluster())
    throw new PortolanError(badAccess, `kubeconfig ${file}: the cluster of context "${name}" is not in it`)
  if (!config.getCurrentUser())
    throw new PortolanError(badAccess, `kubeconfig ${file}: the user of context "${name}" is not in it`)
}

/** Stands for nobody in a context without a user: the library takes TLS settings only together with one. */
const anonymous = { name: '(anonymous)', user: {} }

function complete(content: KubeConfigFile, folder: string): KubeConfigFile {
  for (const user of content.users ?? []) completeUser(user, folder)
  for (const { context } of content.contexts ?? []) if (context) context.user ||= anonymous.name
  return { ...content, users: [...(content.users ?? []), anonymous] }
}

/** Adds what the library leaves out: token files by their name in kubeconfigs, and what an exec plugin is promised. */
function completeUser({ user }: FileUser, folder: string): void {
  if (!user) return
  if (user.tokenFile !== undefined) {
    user['auth-provider'] = { name: 'tokenFile', config: { tokenFile: resolve(folder, user.tokenFile) } }
    // A token file is stronger than a token (client-go).
    delete user.token
  }
  if (user.exec) {
    const { apiVersion, command, env } = user.exec
    const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } })
    user.exec.env = [...(env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: info }]
    if (command?.includes('/')) user.exec.command = resolve(folder, command)
  }
}

function checkServer(config: KubeConfig): void {
  const { server } = config.getCurrentCluster()!
  if (!URL.canParse(server) || !/^https?:/.test(server))
    throw new PortolanError(badAccess, `the API server's address "${server}" is not an http or https URL`)
}
