/** What listens where, and how it follows the cluster. */
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { leadOf } from '../../../src/routes/proxy/lead.ts'
import { type ProxyOptions, UserspaceProxy } from '../../../src/routes/proxy/proxy.ts'
import { settingOf } from '../../../src/routes/setting.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'
import { ask, endpoint, host, ipOf, lab, listening, port } from './lab.ts'

/** A virtual address that the machine has: a loopback address, which needs nobody's doing. */
const vip = (number: number) => ipOf(200 + number)

const settings = (node: string) =>
  settingOf({ family: 'IPv4', node: { name: node, zone: '', internalIPs: ['172.18.0.11'] } })

async function proxyOf(t: Test, state: ReturnType<typeof cluster>, options: Partial<ProxyOptions> = {}) {
  const table = new RouteTable()
  state.follow(table)
  const log: string[] = []
  const proxy = new UserspaceProxy({
    routes: table,
    families: ['IPv4', 'IPv6'],
    settingOf: () => settings(''),
    listen: host,
    scheduler: 'rr',
    idleMs: 30_000,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: line => log.push(line.trimEnd()) }),
    ...options,
  })
  await proxy.start()
  t.teardown(() => proxy.close(0))
  const rows = () => proxy.listening.map(({ service, virtual, local, problem }) => [service, virtual, local ?? problem])
  return { proxy, rows, log }
}

t.test('the same port, or the next that is free; each port of a service once', async t => {
  const other = createServer()
  t.teardown(() => other.close())
  await listening(other, host)
  const state = cluster(
    service('a/one', { ip: ['10.96.0.1', 'fd00:96::1'], ports: [`http:${port}`, `dns:${port}/UDP`] }),
    service('a/two', { ip: '10.96.0.2', ports: [`${port}`] }),
    service('b/six', { ip: 'fd00:96::2', ports: [`${port}`] }),
    service('b/sctp', { ip: '10.96.0.3', ports: ['9/SCTP'] }),
    service('b/none', { ip: 'None', ports: ['9'] }),
  )
  const { proxy, rows, log } = await proxyOf(t, state)
  t.same(rows(), [
    ['a/one:http', `10.96.0.1:${port}/TCP`, `${host}:${port + 1}`],
    ['a/one:dns', `10.96.0.1:${port}/UDP`, `${host}:${port}`],
    ['a/two', `10.96.0.2:${port}/TCP`, `${host}:${port + 2}`],
    ['b/sctp', '10.96.0.3:9/SCTP', 'SCTP is not supported'],
    ['b/six', `[fd00:96::2]:${port}/TCP`, `${host}:${port + 3}`],
  ])
  t.same(log, [])
  state.remove('Service', 'a/one')
  state.upsert(service('c/new', { ip: '10.96.0.9', ports: [`${port}`] }))
  await proxy.sync()
  t.same(rows()[0], ['a/two', `10.96.0.2:${port}/TCP`, `${host}:${port + 2}`], 'who is there stays')
  t.same(log, [
    `[INFO] a/one:http: 10.96.0.1:${port}/TCP is gone, and ${host}:${port + 1} closed`,
    `[INFO] a/one:dns: 10.96.0.1:${port}/UDP is gone, and ${host}:${port} closed`,
    `[INFO] c/new: 10.96.0.9:${port}/TCP is at ${host}:${port + 1}`,
  ])
})

t.test('some services alone', async t => {
  const state = cluster(
    service('a/one', { ip: '10.96.0.1', ports: [`${port}`] }),
    service('a/two', { ip: '10.96.0.2', ports: [`${port}`] }),
  )
  const { rows } = await proxyOf(t, state, { wants: ({ service }) => service === 'a/two' })
  t.same(rows(), [['a/two', `10.96.0.2:${port}/TCP`, `${host}:${port}`]])
})

t.test('the virtual addresses that the machine has', async t => {
  const spec = { ports: [`${port}`], type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] } as const
  const state = cluster(
    service('a/one', { ...spec, ip: vip(1), loadBalancerIPs: [vip(3)] }),
    service('a/two', { ip: '198.51.100.7', ports: [`${port}`] }),
  )
  state.upsert(slice('a/one', [ipOf(1)], { ports: [`${port}`] }))
  await endpoint(t, 1)
  const { proxy, rows, log } = await proxyOf(t, state, { listen: undefined })
  t.same(rows(), [
    ['a/one', `${vip(1)}:${port}/TCP`, `${vip(1)}:${port}`],
    ['a/one', `${vip(3)}:${port}/TCP`, `${vip(3)}:${port}`],
    ['a/two', `198.51.100.7:${port}/TCP`, 'this machine does not have the address'],
  ])
  t.equal(await ask(port, 'x', vip(1)), '1:x')
  t.equal(await ask(port, 'x', vip(3)), 'ECONNRESET')
  t.match(log.at(-1), `turned away: loadBalancerSourceRanges of ${vip(3)} (192.0.2.0/24) do not hold the source`)
  state.upsert(service('a/one', { ...spec, ip: vip(1), loadBalancerIPs: [vip(4)] }))
  await proxy.sync()
  t.equal(await ask(port, 'x', vip(3)), 'ECONNREFUSED')
})

t.test('what could not be listened for is tried again', async t => {
  const other = createServer()
  await listening(other, vip(1))
  const state = cluster(service('a/one', { ip: vip(1), ports: [`${port}`] }))
  const { proxy, rows, log } = await proxyOf(t, state, { listen: undefined })
  t.same(rows(), [['a/one', `${vip(1)}:${port}/TCP`, 'the port is taken']])
  await proxy.sync()
  t.same(log, [], 'it is said once')
  await new Promise(resolve => other.close(resolve))
  await proxy.sync()
  t.same(log, [`[INFO] a/one: ${vip(1)}:${port}/TCP is at ${vip(1)}:${port}`])
})

t.test("a node's view", async t => {
  const web = service('a/web', { ip: '10.96.0.1', ports: ['80'], internalTrafficPolicy: 'Local' })
  const state = cluster(
    web,
    slice(
      'a/web',
      [
        { ip: '10.0.0.1', node: 'n1' },
        { ip: '10.0.0.2', node: 'n2' },
      ],
      { ports: ['80'] },
    ),
  )
  const table = new RouteTable()
  state.follow(table)
  const lead = (node: string) => {
    const { backends, refuse } = leadOf(table.find('10.96.0.1', 'TCP', 80)!, settings(node))
    return [backends.map(({ ip }) => ip).join(), refuse('192.0.2.1')]
  }
  t.same(lead('n1'), ['10.0.0.1', undefined])
  t.same(lead(''), ['10.0.0.1,10.0.0.2', undefined], 'on no node the policies do not hold')
  t.same(lead('n3'), ['', 'internalTrafficPolicy is Local, and no usable endpoint is on this node'])
})

t.test('closed once and for all', async t => {
  const { proxy } = await lab(t)
  const closing = [proxy.close(1000), proxy.close(1000)]
  await Promise.all(closing)
  t.equal(await ask(port, ''), 'ECONNREFUSED')
  await proxy.sync()
  t.equal(await ask(port, ''), 'ECONNREFUSED', 'what is closed stays closed')
})
