import t from 'tap'
import { policyCheck } from '../../../src/client/doctor/policy.ts'
import { endpointsCheck, nameCheck, targetPortCheck } from '../../../src/client/doctor/target.ts'
import type { World } from '../../../src/client/doctor/world.ts'
import { standpointOf } from '../../../src/client/explain/destination.ts'
import type { Explained } from '../../../src/client/explain/explained.ts'
import { namesOf } from '../../../src/client/explain/names.ts'
import { explanation } from '../../../src/client/explain/question.ts'
import type { ClusterObject, Pod } from '../../../src/cluster/objects.ts'
import { nameToText } from '../../../src/wire/name.ts'
import { answerTo } from '../../helpers/answer.ts'
import { object, service, slice } from '../../helpers/cluster.ts'
import { dnsObjects, livePod, network, skipped, told, world } from './world.ts'

const client = livePod('front/client', '10.244.1.10')

/** `shop/web` with one pod, whose container names these ports. */
function web(target: string, ports: readonly object[] = [{ name: 'http', containerPort: 8080 }]): ClusterObject[] {
  const endpoints = /^\d+$/.test(target) ? [`http:${target}`] : ['http:8080']
  return [
    ...dnsObjects(),
    client,
    service('shop/web', { ip: '10.96.0.20', ports: [`http:80->${target}`], selector: { app: 'web' } }),
    livePod('shop/web-1', '10.244.1.21', { labels: { app: 'web' }, ports }),
    slice('shop/web', [{ ip: '10.244.1.21', target: 'web-1' }], { ports: endpoints }),
  ]
}

/** A world in which front/client asks for `web.shop:80`, and the name exists. */
async function asking(objects: readonly ClusterObject[], parts: Partial<World> = {}): Promise<World> {
  const bare = world(objects, parts)
  const names = namesOf(['cluster.local'], false, ({ name, type }) => {
    const isWeb = nameToText(name).startsWith('web.shop.svc.') && type === 1
    const answers = isWeb ? ['web.shop.svc.cluster.local. 5 IN A 10.96.0.20'] : []
    return { answer: answerTo({ name }, { answers }, { rcode: isWeb ? 0 : 3 }), plugin: 'kubernetes' }
  })
  const said = new Map([['from', 'front/client']])
  const question = explanation('web.shop:80', { has: name => said.has(name), text: name => said.get(name) })
  const known = { view: bare.view, names, lacking: new Map(), random: () => 0.5 }
  return { ...bare, target: await question.answer(known) }
}

t.test('the name: found, and where it is not', async t => {
  t.same(await told(nameCheck, await asking(web('8080'))), [])
  const lost = await asking(web('8080'))
  const target = { ...(lost.target as Explained), verdict: 'not resolvable', why: 'there is no service' } as const
  const walk = { ...target.walk, outcome: 'not found' as const }
  t.same(await told(nameCheck, { ...lost, target: { ...target, walk: walk as unknown as Explained['walk'] } }), [
    'fault: web.shop:80 has no address: there is no service',
  ])
})

t.test('the target port: as it should be', async t => {
  for (const target of ['8080', 'http']) t.same(await told(targetPortCheck, await asking(web(target))), [])
  t.same(await told(targetPortCheck, await asking(web('9000', []))), [], 'containers need not name ports')
})

t.test('the target port: one that no container has', async t => {
  const seen = (port: string) =>
    `fault: targetPort ${port} of port 80 of service shop/web is no port of the containers of shop/web-1: they have http 8080/TCP`
  t.same(await told(targetPortCheck, await asking(web('9000'))), [seen('9000')])
  t.same(await told(targetPortCheck, await asking(web('htpp'))), [seen('"htpp"')])
})

t.test('the target port: where connections can be tried, they count', async t => {
  const open = { network: network({}) }
  t.match(await told(targetPortCheck, await asking(web('9000'), open)), [
    /^note: .*; it takes connections all the same$/,
  ])
  const closed = {
    network: network({}, { '10.244.1.21:8080': 'nothing listens there', '10.244.1.21:9000': 'no reply' }),
  }
  t.same(await told(targetPortCheck, await asking(web('8080'), closed)), [
    'fault: 10.244.1.21:8080 (pod shop/web-1) takes no connection: nothing listens there',
  ])
  t.same(await told(targetPortCheck, await asking(web('9000', []), closed)), [
    'fault: targetPort 9000 of port 80 of service shop/web is no port of the containers of shop/web-1: they name no port',
  ])
})

t.test('endpoints: there are some, and there are none', async t => {
  t.same(await told(endpointsCheck, await asking(web('8080'))), [])
  const empty = web('8080').map(part =>
    part.kind === 'EndpointSlice' && part.namespace === 'shop' ? slice('shop/web') : part,
  )
  t.match(await told(endpointsCheck, await asking(empty)), [/^fault: service shop\/web:http is rejected/])
  t.equal(await skipped(endpointsCheck, world()), 'not looked at')
})

t.test('policies: to the DNS server over UDP and TCP', async t => {
  const policy = (ports: readonly object[]) =>
    object('NetworkPolicy', 'front/out', { spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports }] } })
  const judged = (ports: readonly object[]) => {
    const where = world([...web('8080'), policy(ports)])
    const { view } = where
    return told(policyCheck, { ...where, client: standpointOf(view, client as Pod, {}) })
  }
  const [udp, tcp] = ['UDP', 'TCP'].map(protocol => ({ protocol, port: 53 }))
  t.same(await judged([udp!, tcp!]), [])
  t.match(await judged([udp!]), [
    /^warning: the pod cannot ask the DNS server over TCP: .*isolated for egress by front\/out/,
  ])
  t.match(await judged([tcp!]), [/^fault: the pod cannot ask the DNS server: .*isolated for egress by front\/out/])
})
