/** Health checks of load balancers, asked as they ask. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { httpStatus } from '../../../src/net/http-get.ts'
import { logger } from '../../../src/observe/logger.ts'
import { answerOf, HealthServers, healthChecks } from '../../../src/routes/apply/health.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'

function checks(node: string) {
  const balanced = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' } as const
  const table = new RouteTable()
  cluster(
    service('a/web', { ...balanced, ip: '10.96.0.1', ports: ['http:80', 'https:443'], healthCheckNodePort: 30_900 }),
    slice(
      'a/web',
      [
        { ip: '10.0.0.1', node: 'n1' },
        { ip: '10.0.0.2', node: 'n1' },
        { ip: '10.0.0.3', node: 'n1', ready: false, serving: true, terminating: true },
        { ip: '10.0.0.4', node: 'n2' },
      ],
      { ports: ['http:80', 'https:443'] },
    ),
    service('b/web', { ...balanced, ip: '10.96.0.2', ports: ['80'], healthCheckNodePort: 30_900 }),
    service('c/web', { ...balanced, externalTrafficPolicy: 'Cluster', ip: '10.96.0.3', ports: ['80'] }),
  ).follow(table)
  return healthChecks([...table.destinations()], node)
}

t.test('endpoints on the node that are ready count, each once', async t => {
  t.same(checks('n1'), [{ service: 'a/web', port: 30_900, localEndpoints: 2 }])
  t.same(checks('n2'), [{ service: 'a/web', port: 30_900, localEndpoints: 1 }])
  t.same(checks(''), [{ service: 'a/web', port: 30_900, localEndpoints: 0 }])
})

t.test('answers', async t => {
  const [check] = checks('n1')
  const { status, headers, body } = answerOf(check!, true)
  t.equal(status, 200)
  t.same(headers, {
    'Content-Type': 'application/json',
    'X-Content-Type-Options': 'nosniff',
    'X-Load-Balancing-Endpoint-Weight': '2',
  })
  t.same(JSON.parse(body), {
    service: { namespace: 'a', name: 'web' },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  })
  t.equal(answerOf(check!, false).status, 503)
  t.equal(answerOf({ ...check!, localEndpoints: 0 }, true).status, 503)
})

t.test('ports are opened and closed as services come and go', async t => {
  const taken = createServer()
  await new Promise<void>(done => taken.listen(0, '127.0.0.1', done))
  const free = createServer()
  await new Promise<void>(done => free.listen(0, '127.0.0.1', done))
  const port = (free.address() as AddressInfo).port
  await new Promise(done => free.close(done))
  const lines: string[] = []
  const servers = new HealthServers({
    log: logger({ format: 'text', write: line => lines.push(line) }),
    healthy: () => true,
  })
  const check = (localEndpoints: number) => ({ service: 'a/web', port, localEndpoints })
  const status = () => httpStatus('127.0.0.1', port, '/', 1000)
  await servers.serve([check(1)], ['127.0.0.1'])
  t.equal(await status(), 200)
  await servers.serve([check(0)], ['127.0.0.1'])
  t.equal(await status(), 503)
  await servers.serve([], ['127.0.0.1'])
  await t.rejects(status())
  const unlucky = { ...check(1), port: (taken.address() as AddressInfo).port }
  for (let i = 0; i < 2; i++) await servers.serve([unlucky], ['127.0.0.1'])
  t.equal(lines.length, 1)
  t.match(lines[0], /no health checks at 127\.0\.0\.1:\d+: .*EADDRINUSE/)
  await new Promise(done => taken.close(done))
  await servers.serve([unlucky], ['127.0.0.1'])
  t.equal(await httpStatus('127.0.0.1', unlucky.port, '/', 1000), 200, 'tried again')
  await servers.close()
})
