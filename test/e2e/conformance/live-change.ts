/** Changes the cluster through its API while a server with kubeadm's default Corefile runs, and waits for the answers to follow. */
import { type Expectation, nothing, untilAnswered } from '../answer.ts'
import type { ApiClient } from '../api-client.ts'
import { service, slice } from '../objects.ts'
import { reverseName } from './names.ts'
import { type Program, type Site, startServer } from './servers.ts'
import { variants } from './variants.ts'

const withinMs = 2000
const name = 'live.shop.svc.cluster.local'
const peers = 'live-peers.shop.svc.cluster.local'

/** Returns what did not follow within two seconds, one line each. */
export async function checkLiveChanges(program: Program, site: Site, client: ApiClient): Promise<string[]> {
  const variant = variants.find(each => each.name === 'kubeadm')!
  await using server = await startServer(program, 'live', { ...variant, name: 'live' }, site)
  const live = service('shop/live', '10.96.0.200', ['http:80'])
  const headless = service('shop/live-peers', 'None', ['http:80'])
  const endpoints = slice('shop/live-peers', [{ at: '10.1.9.1', hostname: 'one' }], ['http:8080'])
  const endpoint = (address: string, ready: boolean) => [{ addresses: [address], conditions: { ready } }]
  const steps: readonly (readonly [what: string, change: () => Promise<void>, ...expected: readonly Expectation[]])[] =
    [
      ['nothing there yet', async () => undefined, [name, 'A', nothing], [peers, 'A', nothing]],
      [
        'service created',
        () => client.create(live),
        [name, 'A', '10.96.0.200'],
        [reverseName('10.96.0.200'), 'PTR', `${name}.`],
        [`_http._tcp.${name}`, 'SRV', `0 100 80 ${name}.`],
      ],
      [
        'port renamed',
        () => client.merge(live, { spec: { ports: [{ name: 'web', port: 8000, protocol: 'TCP' }] } }),
        [`_http._tcp.${name}`, 'SRV', nothing],
        [`_web._tcp.${name}`, 'SRV', `0 100 8000 ${name}.`],
      ],
      ['headless service created', () => client.create(headless), [peers, 'A', nothing]],
      [
        'slice created',
        () => client.create(endpoints),
        [peers, 'A', '10.1.9.1'],
        [`one.${peers}`, 'A', '10.1.9.1'],
        [reverseName('10.1.9.1'), 'PTR', `one.${peers}.`],
      ],
      [
        'endpoint replaced',
        () => client.merge(endpoints, { endpoints: endpoint('10.1.9.2', true) }),
        [peers, 'A', '10.1.9.2'],
        [`one.${peers}`, 'A', nothing],
        [`10-1-9-2.${peers}`, 'A', '10.1.9.2'],
      ],
      [
        'endpoint not ready',
        () => client.merge(endpoints, { endpoints: endpoint('10.1.9.2', false) }),
        [peers, 'A', nothing],
      ],
      [
        'endpoint ready again',
        () => client.merge(endpoints, { endpoints: endpoint('10.1.9.2', true) }),
        [peers, 'A', '10.1.9.2'],
      ],
      ['slice deleted', () => client.remove(endpoints), [peers, 'A', nothing]],
      [
        'services deleted',
        async () => {
          await client.remove(live)
          await client.remove(headless)
        },
        [name, 'A', nothing],
        [peers, 'A', nothing],
      ],
    ]
  const problems: string[] = []
  for (const [what, change, ...expected] of steps) {
    await change()
    for (const expectation of expected) {
      const seen = await untilAnswered(server.asker, expectation, withinMs)
      if (seen !== undefined) problems.push(`${what}: ${expectation.join(' ')}: got ${seen}`)
    }
  }
  return problems
}
