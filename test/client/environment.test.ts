import t from 'tap'
import { environmentOf, variablesOf } from '../../src/client/environment.ts'
import type { ClusterObject } from '../../src/cluster/objects.ts'
import { cluster, object, service } from '../helpers/cluster.ts'

const master = service('default/kubernetes', { ip: '10.96.0.1', ports: ['https:443'] })
const text = (variables: readonly { name: string; value: string }[]) =>
  variables.map(({ name, value }) => `${name}=${value}`)

t.test('environment: the variables of a service, in the order of the kubelet', async t => {
  const web = service('shop/web-shop', { ip: ['10.96.0.9', 'fd00::9'], ports: ['http-alt:80->8080', 'dns:53/UDP'] })
  t.same(text(variablesOf(web)), [
    'WEB_SHOP_SERVICE_HOST=10.96.0.9',
    'WEB_SHOP_SERVICE_PORT=80',
    'WEB_SHOP_SERVICE_PORT_HTTP_ALT=80',
    'WEB_SHOP_SERVICE_PORT_DNS=53',
    'WEB_SHOP_PORT=tcp://10.96.0.9:80',
    'WEB_SHOP_PORT_80_TCP=tcp://10.96.0.9:80',
    'WEB_SHOP_PORT_80_TCP_PROTO=tcp',
    'WEB_SHOP_PORT_80_TCP_PORT=80',
    'WEB_SHOP_PORT_80_TCP_ADDR=10.96.0.9',
    'WEB_SHOP_PORT_53_UDP=udp://10.96.0.9:53',
    'WEB_SHOP_PORT_53_UDP_PROTO=udp',
    'WEB_SHOP_PORT_53_UDP_PORT=53',
    'WEB_SHOP_PORT_53_UDP_ADDR=10.96.0.9',
  ])
  t.same(text(variablesOf(service('shop/six', { ip: 'fd00::9', ports: ['80'] }))), [
    'SIX_SERVICE_HOST=fd00::9',
    'SIX_SERVICE_PORT=80',
    'SIX_PORT=tcp://[fd00::9]:80',
    'SIX_PORT_80_TCP=tcp://[fd00::9]:80',
    'SIX_PORT_80_TCP_PROTO=tcp',
    'SIX_PORT_80_TCP_PORT=80',
    'SIX_PORT_80_TCP_ADDR=fd00::9',
  ])
})

const morning = '2026-01-01T08:00:00Z'
const noon = '2026-01-01T12:00:00Z'
const pod = (enableServiceLinks?: boolean, starts: Record<string, string> = { main: noon }) =>
  object('Pod', 'shop/x', {
    spec: { enableServiceLinks, containers: Object.keys(starts).map(name => ({ name })) },
    status: {
      containerStatuses: Object.entries(starts).map(([name, startedAt]) => ({
        name,
        state: { running: { startedAt } },
      })),
    },
  })

const given = (...services: ClusterObject[]) =>
  environmentOf(cluster(...services), pod()).services.map(({ service }) => service)

t.test('environment: which services a pod is told', async t => {
  const web = service('shop/web', { ip: '10.96.0.2', ports: ['80'] })
  const others = [
    service('shop/headless', { ip: 'None', ports: ['80'] }),
    service('shop/out', { externalName: 'example.com' }),
    service('front/web', { ip: '10.96.0.3', ports: ['80'] }),
    service('default/other', { ip: '10.96.0.4', ports: ['80'] }),
  ]
  t.same(given(master, web, ...others), ['default/kubernetes', 'shop/web'])
  t.same(given(web), ['shop/web'])
  const state = cluster(master, web)
  t.match(environmentOf(state, pod(false)).services, [{ service: 'default/kubernetes' }])
  t.equal(environmentOf(state, pod(false)).services.length, 1)
  const own = service('shop/kubernetes', { ip: '10.96.0.7', ports: ['443'] })
  t.same(given(master, own), ['shop/kubernetes'], 'hides the one of the API server')
  t.match(environmentOf(cluster(master, own), pod(false)).services, [{ service: 'default/kubernetes' }])
  const shadow = service('shop/kubernetes', { ip: 'None' })
  t.same(given(master, shadow), ['default/kubernetes'])
})

t.test('environment: a container misses what is younger than it', async t => {
  const born = (name: string, creationTimestamp: string) =>
    object('Service', `shop/${name}`, {
      metadata: { creationTimestamp },
      spec: { clusterIP: '10.96.0.2', ports: [{ port: 80 }] },
    })
  const state = cluster(born('early', morning), born('late', noon))
  const missed = (starts: Record<string, string>) => {
    const { timed, services } = environmentOf(state, pod(true, starts))
    return [timed, ...services.map(({ service, missedBy }) => [service, missedBy])]
  }
  t.same(missed({ main: morning, side: noon }), [true, ['shop/early', []], ['shop/late', ['main']]])
  t.same(missed({}), [false, ['shop/early', []], ['shop/late', []]])
})

t.test('environment: two services that want one name', async t => {
  const state = cluster(
    service('shop/web', { ip: '10.96.0.2', ports: ['80'] }),
    service('shop/web-service', { ip: '10.96.0.3', ports: ['80'] }),
  )
  t.same(environmentOf(state, pod()).clashes, ['WEB_SERVICE_PORT'])
})
