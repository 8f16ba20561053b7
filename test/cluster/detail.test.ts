import t from 'tap'
import { type Kind, keyOf } from '../../src/cluster/objects.ts'
import { trim } from '../../src/cluster/trim.ts'

const [morning, noon] = ['2026-01-01T08:00:00Z', '2026-01-01T12:00:00Z']
const metadata = { name: 'web', namespace: 'shop', resourceVersion: '7', creationTimestamp: morning }
const common = { resourceVersion: '7', createdAt: Date.parse(morning) }

t.test('detail: kept of every kind, and only where it is asked for', async t => {
  const kinds: Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod', 'Node', 'NetworkPolicy', 'Ingress', 'Secret']
  for (const kind of kinds) {
    const { object } = trim(kind, { metadata }, true)
    t.match(object?.detail, common, kind)
    t.notOk(Object.hasOwn(trim(kind, { metadata }).object!, 'detail'), kind)
    t.equal(object && keyOf(object), ['Namespace', 'Node'].includes(kind) ? 'web' : 'shop/web')
  }
  const endpoints = [{ addresses: ['10.0.0.1'] }]
  t.match(trim('EndpointSlice', { metadata, endpoints }, true).object?.endpoints, endpoints, 'a slice stays one')
  t.same(trim('Service', { metadata: { name: 'a', namespace: 'b' } }, true).object?.detail, {
    resourceVersion: '',
    createdAt: 0,
  })
})

t.test('detail: containers of a pod, and whether it is ready', async t => {
  const port = { name: 'http', containerPort: 8080 }
  const spec = {
    enableServiceLinks: false,
    initContainers: [
      { name: 'once', ports: [port] },
      { name: 'proxy', restartPolicy: 'Always' },
    ],
    containers: [
      { name: 'web', ports: [port, { containerPort: 53, protocol: 'UDP', hostPort: 5353, hostIP: '127.0.0.1' }] },
      { name: 'broken' },
      { name: 'done' },
    ],
  }
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'ContainersNotReady',
    message: 'broken',
    lastTransitionTime: noon,
  }
  const status = {
    startTime: morning,
    conditions: [{ type: 'PodScheduled', status: 'True' }, condition],
    containerStatuses: [
      { name: 'web', ready: true, state: { running: { startedAt: noon } } },
      { name: 'broken', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } },
      { name: 'done', state: { terminated: { reason: 'Completed' } } },
    ],
    initContainerStatuses: [{ name: 'proxy', ready: true, state: { running: { startedAt: morning } } }],
  }
  t.same(trim('Pod', { metadata, spec, status }, true).object?.detail, {
    ...common,
    startedAt: Date.parse(morning),
    enableServiceLinks: false,
    containers: [
      {
        name: 'web',
        ports: [
          { name: 'http', protocol: 'TCP', port: 8080, hostPort: 0, hostIP: '' },
          { name: '', protocol: 'UDP', port: 53, hostPort: 5353, hostIP: '127.0.0.1' },
        ],
        ready: true,
        startedAt: Date.parse(noon),
        problem: '',
      },
      { name: 'broken', ports: [], ready: false, startedAt: 0, problem: 'CrashLoopBackOff' },
      { name: 'done', ports: [], ready: false, startedAt: 0, problem: 'Completed' },
      { name: 'proxy', ports: [], ready: true, startedAt: Date.parse(morning), problem: '' },
    ],
    readiness: { ready: false, reason: 'ContainersNotReady', message: 'broken', since: Date.parse(noon) },
  })
  t.match(trim('Pod', { metadata }, true).object?.detail, {
    startedAt: 0,
    enableServiceLinks: true,
    containers: [],
    readiness: undefined,
  })
})

t.test('detail: what network plugins write on a node', async t => {
  const annotations = { 'flannel.alpha.coreos.com/backend-type': 'vxlan', 'node.alpha.kubernetes.io/ttl': '0' }
  const conditions = [{ type: 'Ready' }, { type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp' }]
  t.same(trim('Node', { metadata: { ...metadata, annotations }, status: { conditions } }, true).object?.detail, {
    ...common,
    annotations: { 'flannel.alpha.coreos.com/backend-type': 'vxlan' },
    networkReason: 'FlannelIsUp',
  })
  t.match(trim('Node', { metadata }, true).object?.detail, { annotations: {}, networkReason: '' })
})
