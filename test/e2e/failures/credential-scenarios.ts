/** Faults of who the server is to the API server, and of what it may do there: tokens, certificates and rights that change. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { PortolanError } from '../../../src/errors.ts'
import { ApiClient, type ApiObject } from '../api-client.ts'
import { Authority, type KeyPair } from '../authority.ts'
import { kubeconfig } from '../control-plane.ts'
import { serverRole } from '../deployment.ts'
import type { Scenario, Trial } from './trial.ts'

const awayMs = 5000
/** For an API server to notice a file that has changed, and to forget that a token was good. */
const noticeMs = 90_000
const askAgainMs = 200
const unauthorized = 401

const token: Scenario = {
  name: 'token replaced, the old one invalid',
  bound: () => 2,
  async run({ cluster, pod, relay }) {
    const next = await cluster.issueToken()
    const ca = await cluster.ca()
    pod.volume.write({ token: next.token, ca })
    await pod.invalidate()
    using old = new ApiClient({ port: cluster.plane.port, token: pod.token, ca })
    await until('the API server refuses the old token', async () => {
      return (await old.send('GET', '/api/v1/namespaces')).status === unauthorized
    })
    relay.cut('now')
    return performance.now()
  },
  missed: ({ pod }) => isRefused(pod, unauthorized),
}

const user = 'portolan-by-certificate'
const userBinding: ApiObject = {
  kind: 'ClusterRoleBinding',
  metadata: { name: user },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: serverRole.metadata.name },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
}

const certificates: Scenario = {
  name: 'certificates and their authority replaced',
  bound: () => 2,
  way: 'tunnel',
  options: ({ cluster }) => [`kubeconfig ${join(cluster.plane.folder, 'certified.kubeconfig')}`],
  async prepare({ cluster: { plane }, tunnel }) {
    const file = (name: string): string => join(plane.folder, name)
    await writeFile(
      file('certified.kubeconfig'),
      kubeconfig(tunnel.port, file('trusted.crt'), {
        'client-certificate': file('client.crt'),
        'client-key': file('client.key'),
      }),
    )
    await replace(file('trusted.crt'), await readFile(plane.authority.cert, 'utf8'))
    await install(await plane.authority.forUser(user), { cert: file('client.crt'), key: file('client.key') })
    await plane.client.ensure(userBinding)
    return []
  },
  async run({ cluster: { plane }, tunnel }) {
    const file = (name: string): string => join(plane.folder, name)
    const next = await Authority.create(plane.folder, 'next-authority')
    const [before, after] = [await readFile(plane.authority.cert, 'utf8'), await readFile(next.cert, 'utf8')]
    const old = await plane.authority.forUser(`${user}-old`)
    const own = await next.forUser(user)
    // As it is to be done: first all trust both, then the new certificates come, then the old authority goes.
    for (const trusted of [plane.clientAuthorities, file('trusted.crt')]) await replace(trusted, before + after)
    plane.client.trust(before + after)
    await until('the API server takes new client certificates', () => isTaken(plane.port, own))
    await install(own, { cert: file('client.crt'), key: file('client.key') })
    await install(await next.forServer('kube-apiserver'), plane.serving)
    await until(
      'the API server shows its new certificate',
      async () => (await issuerOf(plane.port)) === 'next-authority',
    )
    for (const trusted of [plane.clientAuthorities, file('trusted.crt')]) await replace(trusted, after)
    await until('the API server refuses old client certificates', async () => !(await isTaken(plane.port, old)))
    tunnel.cut()
    return performance.now()
  },
  async restore({ cluster: { plane } }) {
    const ca = await readFile(plane.authority.cert, 'utf8')
    await replace(plane.clientAuthorities, ca)
    await install(await plane.authority.forServer('kube-apiserver'), plane.serving)
    await until('the API server shows its old certificate', async () => (await issuerOf(plane.port)) === 'authority')
    plane.client.trust(ca)
  },
}

const rights: Scenario = {
  name: 'the right to EndpointSlices withdrawn a while',
  bound: () => 35,
  async run({ cluster: { plane }, relay }) {
    const rules = (await plane.client.read(serverRole))!['rules'] as { resources: string[] }[]
    const fewer = rules.filter(({ resources }) => !resources.includes('endpointslices'))
    await plane.client.merge(serverRole, { rules: fewer })
    await sleep(1000)
    relay.cut('now')
    await sleep(awayMs)
    await plane.client.merge(serverRole, { rules })
    return performance.now()
  },
  missed: async ({ pod }) => ((await isRefused(pod, 403)) === undefined ? 'the API server refused nothing' : undefined),
}

export const credentialScenarios: readonly Scenario[] = [token, certificates, rights]

/** What the server's metrics say of requests that were answered with this code, if there were any. */
async function isRefused(pod: Trial['pod'], code: number): Promise<string | undefined> {
  return new RegExp(`^coredns_kubernetes_rest_client_requests_total\\{[^}]*code="${code}"[^}]*\\}.*$`, 'm').exec(
    await pod.metrics(),
  )?.[0]
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + noticeMs
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new PortolanError('PORTOLAN_E2E_LATE', `not within ${noticeMs / 1000} s: ${what}`)
    await sleep(askAgainMs)
  }
}

/** Whoever reads the file finds the old content or the new one. */
async function replace(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content)
  await rename(`${file}.new`, file)
}

async function install(from: KeyPair, to: KeyPair): Promise<void> {
  await replace(to.key, await readFile(from.key, 'utf8'))
  await replace(to.cert, await readFile(from.cert, 'utf8'))
}

/** Whether the API server takes the client for somebody. */
async function isTaken(port: number, { cert, key }: KeyPair): Promise<boolean> {
  const identity = { cert: await readFile(cert), key: await readFile(key) }
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  // Who the server is does not matter here.
  const options = { host: '127.0.0.1', port, path: '/api', agent: false, rejectUnauthorized: false, ...identity }
  request(options, reply => {
    reply.resume()
    resolve(reply.statusCode !== unauthorized)
  })
    .once('error', reject)
    .end()
  return promise
}

/** The name of who issued the certificate that the API server shows. */
async function issuerOf(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
    resolve(String(socket.getPeerCertificate().issuer.CN))
    socket.destroy()
  })
  socket.once('error', reject)
  return promise
}
