/** Which endpoints a node uses: the cases of kube-proxy 1.34. */
import t from 'tap'
import { type Destination, isExternal } from '../../src/routes/route.ts'
import { isRouted, RouteTable } from '../../src/routes/table.ts'
import { type Side, usable, verdict } from '../../src/routes/usable.ts'
import { cluster, type EndpointSpec, type ServiceSpec, service, slice } from '../helpers/cluster.ts'

type Endpoints = Readonly<Record<string, Omit<Exclude<EndpointSpec, string>, 'ip'>>>

/** A destination whose endpoints are named by the last number of their address. */
function destination(endpoints: Endpoints, spec: ServiceSpec = {}): Destination {
  const table = new RouteTable()
  const specs = Object.entries(endpoints).map(([number, spec]) => ({ ip: `10.0.0.${number}`, ...spec }))
  const state = cluster(service('a/web', { ip: '10.96.0.1', ports: ['80'], ...spec }))
  state.upsert(slice('a/web', specs, { ports: ['80'] }))
  state.follow(table)
  const found = table.service('a/web')
  if (found === undefined || !isRouted(found)) throw new Error('no routes')
  return found[0]!
}

const here = { node: 'n1', zone: 'z1' }
const numbers = (backends: readonly { ip: string }[]) => backends.map(({ ip }) => Number(ip.split('.')[3])).join()

function used(endpoints: Endpoints, spec: ServiceSpec = {}, place = here) {
  const { cluster, local, reachable, anywhere, topology } = usable(destination(endpoints, spec), place)
  return { cluster: numbers(cluster), local: numbers(local), reachable: numbers(reachable), anywhere, topology }
}

/** `forward 1,2`, or `DROP` and `REJECT` with the reason. */
function outcome(side: Side, endpoints: Endpoints, spec: ServiceSpec = {}): string {
  const of = destination(endpoints, spec)
  const said = verdict(of, usable(of, here), side)
  return said.action === 'forward' ? `forward ${numbers(said.backends)}` : `${said.action}: ${said.why}`
}

const fading = { ready: false, serving: true, terminating: true }
const [n1, n2] = [{ node: 'n1' }, { node: 'n2' }]
const outside: ServiceSpec = { type: 'NodePort', ports: ['80@30080'] }
const outsideLocal: ServiceSpec = { ...outside, externalTrafficPolicy: 'Local' }
const insideLocal: ServiceSpec = { internalTrafficPolicy: 'Local' }

t.test('ready ones, or else those on their way out', async t => {
  t.match(used({ 1: {}, 2: { ready: false }, 3: fading }), { cluster: '1', reachable: '1', anywhere: true })
  t.match(used({ 2: { ready: false }, 3: fading, 4: { ...fading, serving: false } }), { cluster: '3', anywhere: true })
  t.match(used({ 2: { ready: false } }), { cluster: '', anywhere: false })
  t.match(used({ 2: { ready: false } }, { publishNotReadyAddresses: true }), { cluster: '' }, 'the slice decides')
})

t.test('Local policies have their own fallback', async t => {
  t.match(used({ 1: n1, 2: n2 }, outsideLocal), { cluster: '1,2', local: '1', reachable: '1,2' })
  t.match(used({ 1: { ...n1, ...fading }, 2: n2 }, outsideLocal), { cluster: '2', local: '1', reachable: '1,2' })
  t.match(used({ 1: n1, 2: n2 }, insideLocal), { cluster: '', local: '1', reachable: '1' })
  t.match(used({ 1: n1, 2: n2 }, { ...insideLocal, ...outside }), { cluster: '1,2', local: '1' })
  t.match(used({ 2: n2 }, insideLocal), { local: '', reachable: '', anywhere: true })
  t.match(used({ 1: n1, 2: n2 }), { cluster: '1,2', local: '' }, 'nothing is Local')
  t.match(used({ 1: {} }, insideLocal, { node: '', zone: '' }), { local: '' }, 'no node is no node')
  t.notOk(isExternal(destination({}, insideLocal)))
})

t.test('hints', async t => {
  const zone = (...forZones: string[]) => ({ forZones })
  const node = (forNode: string, forZone: string) => ({ forNodes: [forNode], forZones: [forZone] })
  t.match(used({ 1: zone('z1'), 2: zone('z2'), 3: zone('z2', 'z1') }), { cluster: '1,3', topology: 'PreferSameZone' })
  t.match(used({ 1: zone('z1'), 2: {} }), { cluster: '1,2', topology: undefined }, 'one lacks a hint')
  t.match(used({ 1: zone('z1'), 2: { ready: false } }), { cluster: '1', topology: 'PreferSameZone' })
  t.match(used({ 1: zone('z3'), 2: zone('z2') }), { cluster: '1,2', topology: undefined }, 'none is for here')
  t.match(used({ 1: zone('z1') }, {}, { node: 'n1', zone: '' }), { cluster: '1', topology: undefined })
  t.match(used({ 1: node('n1', 'z1'), 2: node('n2', 'z1') }), { cluster: '1', topology: 'PreferSameNode' })
  t.match(used({ 1: node('n3', 'z1'), 2: node('n2', 'z2') }), { cluster: '1', topology: 'PreferSameZone' })
  t.match(used({ 1: { ...n1, ...zone('z2') }, 2: { ...n2, ...zone('z1') } }, outsideLocal), {
    cluster: '2',
    local: '1',
    reachable: '1,2',
  })
})

t.test('endpoints that slices repeat are one; that of this node counts', async t => {
  const state = cluster(service('a/web', { ip: '10.96.0.1', ports: ['80'], ...insideLocal }))
  const at = (name: string, node: string, ready: boolean) =>
    state.upsert(slice('a/web', [{ ip: '10.0.0.1', node, ready }], { ports: ['80'], name }))
  at('s1', 'n2', true)
  at('s2', 'n1', false)
  at('s3', 'n2', true)
  const table = new RouteTable()
  state.follow(table)
  const { destination } = table.find('10.96.0.1', 'TCP', 80)!
  t.equal(destination.backends.length, 3)
  t.equal(usable(destination, here).anywhere, false)
  t.equal(numbers(usable(destination, { node: 'n2', zone: '' }).local), '1')
})

t.test('what becomes of a connection', async t => {
  t.equal(outcome('internal', { 1: {}, 2: {} }), 'forward 1,2')
  t.equal(outcome('internal', {}), 'REJECT: there are no endpoints')
  t.equal(outcome('internal', { 1: { ready: false } }), 'REJECT: its one endpoint is not ready')
  t.equal(outcome('external', { 1: { ready: false }, 2: { ready: false } }), 'REJECT: none of 2 endpoints is ready')
  t.equal(outcome('internal', { 1: n1, 2: n2 }, insideLocal), 'forward 1')
  const noneHere = 'TrafficPolicy is Local, and no usable endpoint is on this node'
  t.equal(outcome('internal', { 2: n2 }, insideLocal), `DROP: internal${noneHere}`)
  t.equal(outcome('external', { 2: n2 }, outsideLocal), `DROP: external${noneHere}`)
  t.equal(outcome('internal', { 2: n2 }, outsideLocal), 'forward 2')
  t.equal(outcome('external', { 1: n1, 2: n2 }, outsideLocal), 'forward 1')
  t.equal(outcome('external', { 2: { ...n2, ready: false } }, outsideLocal), 'REJECT: its one endpoint is not ready')
})
