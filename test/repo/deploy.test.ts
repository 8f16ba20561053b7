/** The manifests in config/deploy: that they fit each other, CoreDNS's own, and what the server asks of the API server. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import type { Kind } from '../../src/cluster/objects.ts'
import { resourceOf } from '../../src/sources/apiserver/resource.ts'

process.chdir(join(import.meta.dirname, '../..'))

const documents = globSync('config/deploy/*.yaml')
  .sort()
  .flatMap(file => parseAllDocuments(readFileSync(file, 'utf8'), { uniqueKeys: true }))

/** Named by kind and name, such as `Deployment coredns`. */
const manifests = new Map(
  documents.map(document => [`${document.getIn(['kind'])} ${document.getIn(['metadata', 'name'])}`, document]),
)

/** What a manifest holds at a path of keys and indexes. */
function at(manifest: string, path: string): unknown {
  const keys = path.split('.').map(key => (/^\d+$/.test(key) ? Number(key) : key))
  const found = manifests.get(manifest)?.getIn(keys, false)
  return typeof found === 'object' && found !== null && 'toJSON' in found ? JSON.parse(JSON.stringify(found)) : found
}

const deployment = 'Deployment coredns'
const container = 'spec.template.spec.containers.0'

t.test('all manifests are YAML without mistakes, and none stands twice', async t => {
  t.same(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  )
  t.equal(manifests.size, documents.length)
})

t.test('the names are those that a cluster has for CoreDNS', async t => {
  const wanted = [
    'ClusterRole system:coredns',
    'ClusterRoleBinding system:coredns',
    'ConfigMap coredns',
    'Deployment coredns',
    'PodDisruptionBudget coredns',
    'Service kube-dns',
    'ServiceAccount coredns',
  ]
  t.same(
    wanted.filter(name => !manifests.has(name)),
    [],
  )
  for (const name of wanted.filter(name => !name.startsWith('ClusterRole'))) {
    t.equal(at(name, 'metadata.namespace'), 'kube-system', name)
  }
  t.equal(at(deployment, `${container}.name`), 'coredns')
  t.same(at(deployment, `${container}.args`), ['-conf', '/etc/coredns/Corefile'])
  t.match(at('Service kube-dns', 'metadata.annotations'), {
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': '9153',
  })
})

t.test('the role allows what the server asks for, and nothing else', async t => {
  // Nodes are asked for where `routes` is named alone; other kinds by commands, as whom their kubeconfig says.
  const kinds: readonly Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod']
  const asked = kinds.map(kind => resourceOf(kind, {}))
  const rules = at('ClusterRole system:coredns', 'rules') as {
    apiGroups: string[]
    resources: string[]
    verbs: string[]
  }[]
  const allowed = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap(group => resources.flatMap(resource => verbs.map(verb => `${verb} ${group}/${resource}`))),
  )
  const needed = asked.flatMap(({ group, plural }) => ['list', 'watch'].map(verb => `${verb} ${group}/${plural}`))
  t.same(allowed.sort(), needed.sort())
})

t.test('what else may be allowed stands there as a comment', async t => {
  const text = readFileSync('config/deploy/rbac.yaml', 'utf8')
  const lines = [...text.matchAll(/^ {2}# (- .*| {2}.*)$/gm)].map(([, line]) => line)
  const [optional] = parseAllDocuments(lines.join('\n'))
  const { group, plural } = resourceOf('Node', {})
  t.same(optional?.toJSON()[0], { apiGroups: [group], resources: [plural], verbs: ['list', 'watch'] })
})

t.test('the role is given to who the server runs as', async t => {
  const account = at(deployment, 'spec.template.spec.serviceAccountName')
  t.match(at('ClusterRoleBinding system:coredns', 'subjects'), [{ kind: 'ServiceAccount', name: account }])
  t.equal(at('ClusterRoleBinding system:coredns', 'roleRef.name'), 'system:coredns')
})

t.test('selectors find the pods', async t => {
  const labels = at(deployment, 'spec.template.metadata.labels')
  t.same(at(deployment, 'spec.selector.matchLabels'), labels)
  t.same(at('Service kube-dns', 'spec.selector'), labels)
  t.same(at('PodDisruptionBudget coredns', 'spec.selector.matchLabels'), labels)
  t.same(at(deployment, 'spec.template.spec.topologySpreadConstraints.0.labelSelector.matchLabels'), labels)
})

interface Port {
  readonly name: string
  readonly port?: number
  readonly containerPort?: number
  readonly protocol: string
}

t.test('the ports of the service, the probes and the Corefile are open', async t => {
  const open = at(deployment, `${container}.ports`) as Port[]
  const numbers = open.map(({ name, containerPort, protocol }) => `${name} ${containerPort}/${protocol}`)
  const served = at('Service kube-dns', 'spec.ports') as Port[]
  t.same(
    served.map(({ name, port, protocol }) => `${name} ${port}/${protocol}`),
    ['dns 53/UDP', 'dns-tcp 53/TCP', 'metrics 9153/TCP'],
  )
  t.same(numbers, [
    ...served.map(({ name, port, protocol }) => `${name} ${port}/${protocol}`),
    'liveness-probe 8080/TCP',
    'readiness-probe 8181/TCP',
  ])
  t.same(at(deployment, `${container}.livenessProbe.httpGet`), { path: '/health', port: 'liveness-probe' })
  t.same(at(deployment, `${container}.readinessProbe.httpGet`), { path: '/ready', port: 'readiness-probe' })
})

t.test('the Corefile is the one in config, where the server looks for it', async t => {
  const corefile = readFileSync('config/Corefile.kubernetes', 'utf8').replace(/^#.*\n/, '')
  t.equal(at('ConfigMap coredns', 'data.Corefile'), corefile)
  t.equal(at(deployment, `${container}.volumeMounts.0.mountPath`), '/etc/coredns')
  t.equal(at(deployment, 'spec.template.spec.volumes.0.configMap.name'), 'coredns')
})

t.test('the container may do nothing but listen on a low port', async t => {
  t.same(at(deployment, `${container}.securityContext`), {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
  })
  t.match(at(deployment, 'spec.template.spec.securityContext'), { runAsNonRoot: true })
  t.match(readFileSync('Dockerfile', 'utf8'), /^USER [1-9]\d*:[1-9]\d*$/m, 'as a user that is known not to be root')
})

t.test('the image is of this version', async t => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(at(deployment, `${container}.image`), `portolan:${version}`)
  t.match(readFileSync('config/deploy/README.md', 'utf8'), `coredns=portolan:${version}\n`)
})

t.test('the autoscaler scales the deployment, with the settings it is given', async t => {
  const { command } = at('Deployment kube-dns-autoscaler', container) as { command: string[] }
  t.match(command, ['/cluster-proportional-autoscaler', '--namespace=kube-system', '--configmap=kube-dns-autoscaler'])
  t.ok(command.includes('--target=deployment/coredns'))
  t.match(JSON.parse(String(at('ConfigMap kube-dns-autoscaler', 'data.linear'))), {
    nodesPerReplica: 16,
    coresPerReplica: 256,
  })
})
