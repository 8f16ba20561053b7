/**
 * The server as it is deployed: that its own ClusterRole is enough, that it knows the cluster and follows what the real controllers
 * make of services and pods.
 */
import { readFile } from 'node:fs/promises'
import { type Expectation, nothing, untilAnswered } from './answer.ts'
import { ApiClient, type ApiObject } from './api-client.ts'
import { Asker } from './asker.ts'
import type { Cluster } from './cluster.ts'
import { untilAccounts } from './control-plane.ts'
import { namespace, pod, service } from './objects.ts'
import type { Tally } from './tally.ts'

const withinMs = 5000
/** The controller ends pods first, and looks again some seconds later whether all are gone. */
const namespaceMs = 30_000
const space = 'made'
const node: ApiObject = { kind: 'Node', metadata: { name: 'node-1' } }
const labels = { app: 'web' }
const web = service(`${space}/web`, [], ['http:80'], { spec: { selector: labels } })
const peers = service(`${space}/peers`, 'None', ['http:80'], { spec: { selector: labels } })
const [webName, peersName] = [`web.${space}.svc.cluster.local`, `peers.${space}.svc.cluster.local`]

/** A pod as a StatefulSet makes it, ready or not. */
function member(n: number, isReady = true): ApiObject {
  const own = pod(`${space}/web-${n}`, [`10.244.7.${n}`], { labels })
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }]
  return {
    ...own,
    spec: { ...(own['spec'] as object), nodeName: node.metadata.name, hostname: `web-${n}`, subdomain: 'peers' },
    status: { ...(own['status'] as object), conditions },
  }
}

export async function checkDeployed(cluster: Cluster, tally: Tally): Promise<void> {
  const { client } = cluster.plane
  await using server = await cluster.startPod({ options: ['pods verified'] })
  await server.untilReady()
  tally.equal('it is ready', await server.ready(), 'OK')
  using asker = await Asker.open(server.port)
  const follows = async (what: string, ...expected: readonly Expectation[]): Promise<void> => {
    for (const each of expected) {
      const seen = await untilAnswered(asker, each, withinMs)
      tally.check(`${what}: ${each.join(' ')}`, seen === undefined ? undefined : `got ${seen}`)
    }
  }

  await follows(
    'what was there',
    ['kube-dns.kube-system.svc.cluster.local', 'A', '10.96.0.10'],
    ['kubernetes.default.svc.cluster.local', 'A', '10.96.0.1'],
    ['10.0.96.10.in-addr.arpa', 'PTR', 'kube-dns.kube-system.svc.cluster.local.'],
  )
  await client.create(node)
  await client.create(namespace(space))
  await untilAccounts(client, space, withinMs)
  await client.create(peers)
  await follows('a service without pods', [peersName, 'A', nothing])
  for (const n of [1, 2]) await client.create(member(n))
  await follows(
    'slices of the controller',
    [peersName, 'A', '10.244.7.1', '10.244.7.2'],
    [`web-1.${peersName}`, 'A', '10.244.7.1'],
    [`_http._tcp.${peersName}`, 'SRV', `0 50 80 web-1.${peersName}.`, `0 50 80 web-2.${peersName}.`],
    ['2.7.244.10.in-addr.arpa', 'PTR', `web-2.${peersName}.`],
    [`10-244-7-1.${space}.pod.cluster.local`, 'A', '10.244.7.1'],
  )
  await client.writeStatus(member(1, false))
  await follows('a pod that is not ready', [peersName, 'A', '10.244.7.2'], [`web-1.${peersName}`, 'A', nothing])
  await client.create(web)
  const address = ((await client.read(web))!['spec'] as { clusterIP: string }).clusterIP
  await follows('an address from the API server', [webName, 'A', address])
  await client.merge(web, {
    spec: { type: 'ExternalName', externalName: 'www.up.test', clusterIP: null, clusterIPs: null },
  })
  await follows('an external name', [webName, 'CNAME', 'www.up.test.'])
  for (const n of [1, 2]) await client.remove(member(n))
  await follows('pods deleted', [peersName, 'A', nothing], [`10-244-7-2.${space}.pod.cluster.local`, 'A', nothing])
  await client.remove(namespace(space))
  const end = await untilAnswered(asker, [webName, 'CNAME', nothing], namespaceMs)
  tally.check('the namespace is deleted in the end', end === undefined ? undefined : `got ${end}`)
  await follows('the namespace deleted', [`web-2.${peersName}`, 'A', nothing])

  const metrics = await server.metrics()
  const refused = metrics.match(/^coredns_kubernetes_rest_client_requests_total\{[^}]*code="(?!200)[^}]*\}.*$/gm)
  tally.equal('the API server refuses nothing', refused?.join('; '), undefined)
  const errors = (await readFile(server.log, 'utf8')).match(/^.*\[(?:ERROR|WARNING|PANIC)\].*$/gm)
  tally.equal('the log has no complaint', errors?.join('; '), undefined)
  using own = new ApiClient({ port: cluster.plane.port, token: server.token, ca: await cluster.ca() })
  tally.equal('it may read no secrets', (await own.send('GET', '/api/v1/secrets')).status, 403)
  tally.equal(
    'nor change a service',
    (await own.send('DELETE', '/api/v1/namespaces/default/services/kubernetes')).status,
    403,
  )
}
