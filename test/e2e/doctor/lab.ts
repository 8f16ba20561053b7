/**
 * A small cluster that works: a real control plane, a node that is this network namespace, kube-proxy's rules in it, two DNS pods (portolan
 * and CoreDNS) and two web servers. There is no kubelet: Nodes and Pods are objects with a status that was written, and their processes
 * listen at the addresses that these objects have, which are all in this namespace.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { ApiClient, ApiObject } from '../api-client.ts'
import { type Background, startBackground } from '../background.ts'
import { type ControlPlane, kubeconfig, startControlPlane, untilAccounts } from '../control-plane.ts'
import { namespace, service } from '../objects.ts'
import type { Peers } from '../peers.ts'
import { built, sources, stateOfBuilt } from '../program.ts'
import { startKubeProxy } from '../routes/kube-proxy.ts'
import { makeNode } from '../routes/lab.ts'
import { run } from '../routes/namespace.ts'
import { nodeIPs, nodes } from '../routes/plan.ts'
import { usual } from '../routes/variants.ts'
import { startUpstream } from './upstream.ts'

export type DoctorPeers = Peers<'coredns' | 'etcd' | 'apiserver' | 'controllerManager' | 'kubeProxy'>

export const dnsIP = '10.96.0.10'
const upstreamIP = '192.0.2.53'
const readyMs = 30_000

/** The pods, and who runs in them. */
export const pods = {
  portolan: { key: 'kube-system/dns-portolan', ip: '10.244.1.2' },
  coredns: { key: 'kube-system/dns-coredns', ip: '10.244.1.3' },
  web1: { key: 'shop/web-1', ip: '10.244.1.21' },
  web2: { key: 'shop/web-2', ip: '10.244.1.22' },
  client: { key: 'front/client', ip: '10.244.1.10' },
} as const
export type PodName = keyof typeof pods

const labels: { readonly [P in PodName]: Readonly<Record<string, string>> } = {
  portolan: { 'k8s-app': 'kube-dns' },
  coredns: { 'k8s-app': 'kube-dns' },
  web1: { app: 'web' },
  web2: { app: 'web' },
  client: { app: 'client' },
}
const dnsPorts = [
  { name: 'dns', containerPort: 53, protocol: 'UDP' },
  { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
]

/** As the ConfigMap has it; those who serve it have an address and a kubeconfig in it. */
export interface CorefileOptions {
  readonly forward?: string
  /** Lines in front of `kubernetes`. */
  readonly extra?: readonly string[]
  readonly pods?: 'insecure' | 'verified'
  /** The only namespace whose names exist. */
  readonly only?: string
  /** Who serves it. */
  readonly at?: { readonly ip: string; readonly kubeconfig: string }
}

export function corefile({
  forward = upstreamIP,
  extra = [],
  pods = 'verified',
  only,
  at,
}: CorefileOptions = {}): string {
  const port = (number: number) => (at === undefined ? '' : ` ${at.ip}:${number}`)
  return `.:53 {
    errors
${at === undefined ? '' : `    bind ${at.ip}\n`}    health${port(8080)}
    ready${port(8181)}
${extra.map(line => `    ${line}\n`).join('')}    kubernetes cluster.local in-addr.arpa ip6.arpa {
${at === undefined ? '' : `        kubeconfig ${at.kubeconfig}\n        startup_timeout 100ms\n`}        pods ${pods}
${only === undefined ? '' : `        namespaces ${only}\n`}        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . ${forward}
    loadbalance
}
`
}

export class Lab implements AsyncDisposable {
  readonly #peers: DoctorPeers
  readonly #plane: ControlPlane
  readonly #stack = new AsyncDisposableStack()
  readonly #servers = new Map<'portolan' | 'coredns', Background>()
  #upstream: AsyncDisposable | undefined
  #proxy: Background | undefined

  private constructor(peers: DoctorPeers, plane: ControlPlane) {
    this.#peers = peers
    this.#plane = this.#stack.use(plane)
  }

  get client(): ApiClient {
    return this.#plane.client
  }

  get kubeconfig(): string {
    return this.#plane.kubeconfig
  }

  /** A file of this name in a folder that vanishes with the lab. */
  file(name: string): string {
    return join(this.#plane.folder, name)
  }

  static async start(peers: DoctorPeers): Promise<Lab> {
    makeNode()
    const addresses = [upstreamIP, ...Object.values(pods).map(({ ip }) => ip)]
    for (const address of addresses) run('ip', ['addr', 'replace', `${address}/32`, 'dev', 'lo'])
    const { controllerManager } = peers
    const plane = await startControlPlane(peers, { controllerManager })
    await using unlessFilled = new AsyncDisposableStack()
    const lab = unlessFilled.use(new Lab(peers, plane))
    await lab.#fill()
    unlessFilled.move()
    return lab
  }

  async #fill(): Promise<void> {
    const { client } = this
    for (const key of ['front', 'shop', 'kube-system']) {
      await client.ensure(namespace(key))
      await untilAccounts(client, key, readyMs)
    }
    for (const object of clusterObjects()) await client.create(object)
    for (const name of ['web1', 'web2'] as const) this.#stack.use(await startWeb(pods[name].ip))
    this.#proxy = this.#stack.use(
      startKubeProxy({
        path: this.#peers.kubeProxy,
        kubeconfig: this.kubeconfig,
        mode: 'iptables',
        variant: usual,
        log: this.file('kube-proxy.log'),
      }),
    )
    await this.startUpstream()
    await Promise.all([this.serve('portolan'), this.serve('coredns')])
  }

  async startUpstream(): Promise<void> {
    this.#upstream = await startUpstream(upstreamIP)
  }

  async stopUpstream(): Promise<void> {
    await this.#upstream?.[Symbol.asyncDispose]()
  }

  /** Starts the process of a DNS pod, in the place of the one that runs; with another Corefile or cluster where that is said. */
  async serve(name: 'portolan' | 'coredns', options: CorefileOptions = {}, config = this.kubeconfig): Promise<void> {
    await this.#servers.get(name)?.[Symbol.asyncDispose]()
    const { ip } = pods[name]
    const file = this.file(`Corefile-${name}`)
    await writeFile(file, corefile({ ...options, at: { ip, kubeconfig: config } }))
    const program = stateOfBuilt() === 'fresh' ? built : sources
    const log = this.file(`${name}.log`)
    const server =
      name === 'coredns'
        ? startBackground(this.#peers.coredns, ['-conf', file], log)
        : startBackground(process.execPath, [program, '-conf', file, '-quiet'], log)
    this.#servers.set(name, server)
    await server.until(() => lives(ip), readyMs)
  }

  /** A kubeconfig that leads to nobody. */
  async deadKubeconfig(): Promise<string> {
    const file = this.file('dead-kubeconfig')
    await writeFile(file, kubeconfig(1, this.#plane.authority.cert, { token: 'none' }))
    return file
  }

  /** Has kube-proxy stand still, so that rules stay as they are, or go on. */
  holdProxy(hold: boolean): void {
    const pid = this.#proxy?.pid
    if (pid !== undefined) process.kill(pid, hold ? 'SIGSTOP' : 'SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.holdProxy(false)
    for (const server of this.#servers.values()) await server[Symbol.asyncDispose]()
    await this.stopUpstream()
    await this.#stack[Symbol.asyncDispose]()
  }
}

async function lives(ip: string): Promise<boolean> {
  return fetch(`http://${ip}:8080/health`).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function startWeb(ip: string): Promise<AsyncDisposable> {
  const server = createServer(socket => socket.destroy())
  server.listen(8080, ip)
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

function clusterObjects(): ApiObject[] {
  const node: ApiObject = {
    kind: 'Node',
    metadata: { name: nodes.own },
    status: { addresses: nodeIPs.map(address => ({ type: 'InternalIP', address })) },
  }
  return [
    node,
    ...(Object.keys(pods) as PodName[]).map(name => podObject(name)),
    configMap(),
    service('kube-system/kube-dns', dnsIP, ['dns:53/UDP', 'dns-tcp:53/TCP'], {
      labels: { 'k8s-app': 'kube-dns' },
      spec: { selector: { 'k8s-app': 'kube-dns' } },
    }),
    webService(),
  ]
}

export function webService(): ApiObject {
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
  return service('shop/web', '10.96.0.20', [], { spec: { selector: { app: 'web' }, ports } })
}

export function configMap(options: CorefileOptions = {}): ApiObject {
  return {
    kind: 'ConfigMap',
    metadata: { namespace: 'kube-system', name: 'coredns' },
    data: { Corefile: corefile(options) },
  }
}

/** A pod of the node with the status that a kubelet would write. */
export function podObject(name: PodName, spec: Readonly<Record<string, unknown>> = {}): ApiObject {
  const { key, ip } = pods[name]
  const [namespace = '', own = ''] = key.split('/')
  const isDns = name === 'portolan' || name === 'coredns'
  const isWeb = name === 'web1' || name === 'web2'
  const ports = isDns ? dnsPorts : isWeb ? [{ name: 'http', containerPort: 8080 }] : []
  return {
    kind: 'Pod',
    metadata: { namespace, name: own, labels: labels[name] },
    spec: {
      nodeName: nodes.own,
      containers: [{ name: 'main', image: 'none', ports }],
      ...(isDns && { dnsPolicy: 'Default' }),
      ...spec,
    },
    status: podStatus(ip, true),
  }
}

export function podStatus(ip: string, ready: boolean): Readonly<Record<string, unknown>> {
  const at = '2026-01-01T12:00:00Z'
  const running = {
    name: 'main',
    ready,
    restartCount: 0,
    image: 'none',
    imageID: '',
    state: { running: { startedAt: at } },
  }
  return {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at }],
    containerStatuses: [running],
  }
}
