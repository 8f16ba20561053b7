/** What is left alone in tables that others use too: their rules, their chains, and what the kubelet has made. */
import t from 'tap'
import { IptablesKernel } from '../../../src/routes/apply/iptables.ts'
import { jumpRepairs } from '../../../src/routes/apply/jumps.ts'
import { readSaved } from '../../../src/routes/apply/saved.ts'
import { jumps } from '../../../src/routes/render/iptables-frame.ts'
import { destinationsOf } from '../../../src/routes/render/rules.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'
import { Machine } from '../../helpers/machine.ts'

const node = { name: 'n1', zone: '', internalIPs: ['192.168.77.10'] }

/** A machine with rules of others, and what it has then. */
function used(more = '') {
  const machine = new Machine()
  const kernel = machine.iptables.iptables
  kernel.restore(
    '*nat\n:MINE - [0:0]\n-A POSTROUTING -p tcp -j MINE\nCOMMIT\n*filter\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n',
  )
  if (more !== '') kernel.restore(more)
  return { machine, kernel, before: JSON.stringify(kernel.contents()) }
}

async function apply(machine: Machine, ...ips: string[]): Promise<IptablesKernel> {
  const table = new RouteTable()
  cluster(service('a/web', { ip: '10.96.0.1', ports: ['80'] }), slice('a/web', ips, { ports: ['80'] })).follow(table)
  const applied = new IptablesKernel('IPv4', machine.run)
  applied.rules.update(destinationsOf(table, 'IPv4'), { family: 'IPv4', node })
  await applied.loadWhole()
  return applied
}

t.test('cleanup leaves the tables as they were', async t => {
  const { machine, kernel, before } = used()
  const applied = await apply(machine, '10.0.0.1')
  t.not(JSON.stringify(kernel.contents()), before)
  t.equal(kernel.tables.get('filter')!.get('INPUT')!.at(-1), '-p tcp --dport 22 -j ACCEPT')
  t.ok(await applied.cleanUp())
  t.equal(JSON.stringify(kernel.contents()), before)
  t.notOk(await applied.cleanUp(), 'there is nothing more')
})

t.test("what is the kubelet's stays", async t => {
  const kubelet =
    '*filter\n:KUBE-FIREWALL - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n-A INPUT -j KUBE-FIREWALL\n-A OUTPUT -j KUBE-FIREWALL\nCOMMIT\n'
  const { machine, kernel } = used(kubelet)
  const applied = await apply(machine, '10.0.0.1')
  await applied.cleanUp()
  const filter = kernel.tables.get('filter')!
  t.same(
    [...filter.keys()].filter(chain => chain.startsWith('KUBE-')),
    ['KUBE-FIREWALL', 'KUBE-KUBELET-CANARY'],
  )
  t.same(filter.get('OUTPUT'), ['-j KUBE-FIREWALL'])
  t.ok(filter.get('KUBE-FIREWALL')!.length > 0, 'and so does the rule that it has there too')
  t.equal(
    [...kernel.tables.get('nat')!.keys()].some(chain => chain.startsWith('KUBE-')),
    false,
  )
})

t.test('chains of services that are no more are removed, those of others stay', async t => {
  const { machine, kernel } = used(
    '*nat\n:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]\n:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]\n-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-BBBBBBBBBBBBBBBB\nCOMMIT\n',
  )
  await apply(machine, '10.0.0.1')
  const chains = [...kernel.tables.get('nat')!.keys()]
  t.notOk(chains.includes('KUBE-SVC-AAAAAAAAAAAAAAAA') || chains.includes('KUBE-SEP-BBBBBBBBBBBBBBBB'))
  t.ok(chains.includes('MINE'))
  const again = JSON.stringify(kernel.contents())
  await apply(machine, '10.0.0.1')
  t.equal(JSON.stringify(kernel.contents()), again, 'loaded twice it is there once')
})

t.test('the rules that lead to ours are there once, and in their order', async t => {
  const all = [...jumps.nat, ...jumps.filter].filter(line => line.startsWith('-A OUTPUT'))
  const [nat, ...filter] = all.map(line => line.slice('-A OUTPUT '.length)) as [string, ...string[]]
  const saved = (inNat: readonly string[], inFilter: readonly string[]) =>
    readSaved(
      [
        '*nat\n:OUTPUT ACCEPT [0:0]',
        ...inNat.map(rule => `-A OUTPUT ${rule}`),
        'COMMIT\n*filter\n:OUTPUT ACCEPT [1:2]',
        ...inFilter.map(rule => `-A OUTPUT ${rule}`),
        'COMMIT\n',
      ].join('\n'),
    )
  const repairs = (inNat: readonly string[], inFilter: readonly string[]) => {
    const { nat, filter } = jumpRepairs(saved(inNat, inFilter))
    return [...nat, ...filter].filter(line => line.includes(' OUTPUT '))
  }
  const insert = (rules: readonly string[]) => rules.toReversed().map(rule => `-I OUTPUT ${rule}`)
  t.same(repairs(['-j MINE', nat], filter), [], 'wherever they stand')
  t.same(repairs([], filter), insert([nat]), 'a missing one is put in')
  t.same(
    repairs([nat, nat], filter),
    [`-D OUTPUT ${nat}`, `-D OUTPUT ${nat}`, ...insert([nat])],
    'one of two is removed',
  )
  t.same(repairs([nat], filter.toReversed()), [
    ...filter.toReversed().map(rule => `-D OUTPUT ${rule}`),
    ...insert(filter),
  ])
})
