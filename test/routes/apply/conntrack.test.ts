/** Which UDP flows are forgotten, and how. */
import t from 'tap'
import { logger } from '../../../src/observe/logger.ts'
import type { Finished } from '../../../src/routes/apply/command.ts'
import { Conntrack } from '../../../src/routes/apply/conntrack.ts'
import type { Destination } from '../../../src/routes/route.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'
import { Machine, ok } from '../../helpers/machine.ts'

const ownIPs = ['192.168.77.10', '127.0.0.1']

function dns(...ips: string[]): Destination[] {
  const table = new RouteTable()
  cluster(
    service('a/dns', { type: 'NodePort', ip: '10.96.0.10', ports: ['53->5353@30053/UDP'], externalIPs: ['192.0.2.1'] }),
    slice('a/dns', ips, { ports: ['5353/UDP'] }),
  ).follow(table)
  return [...table.destinations()]
}

const flow = (to: string, port: number, from: string, fromPort: number) =>
  `udp      17 29 src=10.0.0.9 dst=${to} sport=4000 dport=${port} [UNREPLIED] src=${from} dst=10.0.0.9 sport=${fromPort} dport=4000 mark=0 use=1\n`

/** What is deleted of these flows when one state follows the other. */
async function forgotten(before: Destination[], after: Destination[], ...flows: string[]) {
  const machine = new Machine()
  const deleted: string[] = []
  const lines: string[] = []
  machine.others['conntrack'] = (args): Finished => {
    if (args[0] === '-L') return ok(flows.join(''))
    deleted.push(args.join(' '))
    return ok('')
  }
  const conntrack = new Conntrack(machine.run, logger({ format: 'text', write: line => lines.push(line) }))
  await conntrack.forget('IPv4', ownIPs, before, after)
  return { deleted, calls: machine.calls, lines }
}

t.test('flows to endpoints that are no more', async t => {
  const now = dns('10.1.0.2', '10.1.0.3')
  const { deleted, lines } = await forgotten(
    dns('10.1.0.1', '10.1.0.2'),
    now,
    flow('10.96.0.10', 53, '10.1.0.1', 5353),
    flow('10.96.0.10', 53, '10.1.0.1', 5353).replaceAll('4000', '4001'),
    flow('10.96.0.10', 53, '10.1.0.2', 5353),
    flow('10.96.0.10', 54, '10.1.0.1', 5353),
    flow('192.0.2.1', 53, '10.1.0.3', 5354),
    flow('192.168.77.10', 30053, '10.1.0.1', 5353),
    flow('192.168.77.10', 30053, '10.1.0.3', 5353),
    flow('198.51.100.7', 30053, '198.51.100.7', 30053),
  )
  const which = (to: string, port: number, from: string, fromPort = 5353) =>
    `-D -p udp -f ipv4 --orig-dst ${to} --orig-port-dst ${port} --reply-src ${from} --reply-port-src ${fromPort}`
  t.same(deleted, [
    which('10.96.0.10', 53, '10.1.0.1'),
    which('192.0.2.1', 53, '10.1.0.3', 5354),
    which('192.168.77.10', 30053, '10.1.0.1'),
  ])
  t.match(lines[0], 'forgot UDP flows to 10.96.0.10:53 that 10.1.0.1:5353 would answer')
})

t.test('a first endpoint, and a service that is gone', async t => {
  const unanswered = flow('10.96.0.10', 53, '10.96.0.10', 53)
  t.equal((await forgotten(dns(), dns('10.1.0.1'), unanswered)).deleted.length, 1)
  t.equal((await forgotten(dns('10.1.0.1'), [], flow('10.96.0.10', 53, '10.1.0.1', 5353))).deleted.length, 1)
})

t.test('nothing is asked where no destination of UDP has changed', async t => {
  const same = dns('10.1.0.1')
  t.same((await forgotten(same, same)).calls, [])
})

t.test('without the tool, that is said once', async t => {
  const machine = new Machine()
  const lines: string[] = []
  const conntrack = new Conntrack(machine.run, logger({ format: 'text', write: line => lines.push(line) }))
  for (let i = 0; i < 2; i++) await conntrack.forget('IPv4', ownIPs, [], dns('10.1.0.1'))
  t.same(lines, ['[WARNING] UDP flows to endpoints that are gone stay until they end: conntrack is not installed\n'])
})
