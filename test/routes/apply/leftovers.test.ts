/** Two that rewrite the same packets: refused before anything is touched, with what removes the other. */
import t from 'tap'
import { mayApply, toolProblem } from '../../../src/routes/apply/leftovers.ts'
import { ownership } from '../../../src/routes/apply/ownership.ts'
import { Machine, ok } from '../../helpers/machine.ts'

const both = ['IPv4', 'IPv6'] as const
const refused = (form: 'iptables' | 'nftables', machine: Machine) =>
  mayApply(form, both, machine.run).then(
    () => 'applied',
    ({ code, message }) => `${code}: ${message}`,
  )

t.test('nothing is there', async t => {
  for (const form of ['iptables', 'nftables'] as const) t.equal(await refused(form, new Machine()), 'applied')
})

t.test('rules of the other form', async t => {
  const old = new Machine()
  old.iptables.ip6tables.restore(
    '*nat\n:KUBE-SERVICES - [0:0]\n-A OUTPUT -m comment --comment "x" -j KUBE-SERVICES\nCOMMIT\n',
  )
  t.match(
    await refused('nftables', old),
    /^PORTOLAN_APPLY_LEFTOVERS: ip6tables has the chains .*`portolan routes cleanup iptables`$/,
  )
  t.equal(await refused('iptables', old), 'applied', 'the same names are taken over')

  const ours = new Machine()
  ours.nft.load('table ip portolan\n')
  t.match(
    await refused('iptables', ours),
    /^PORTOLAN_APPLY_LEFTOVERS: our table "ip portolan" .*`portolan routes cleanup nftables`/,
  )
  t.equal(await refused('nftables', ours), 'applied')

  const proxys = new Machine()
  proxys.nft.tables.set('ip6 kube-proxy', { storages: new Map(), chains: new Map() })
  for (const form of ['iptables', 'nftables'] as const)
    t.match(await refused(form, proxys), /^PORTOLAN_APPLY_LEFTOVERS: .*`nft delete table ip6 kube-proxy`$/)

  const ipvs = new Machine()
  ipvs.others['ip'] = args => (args.includes('kube-ipvs0') ? ok('') : { status: 1, stdout: '', stderr: '' })
  t.match(await refused('nftables', ipvs), /^PORTOLAN_APPLY_LEFTOVERS: .*kube-ipvs0.*`kube-proxy --cleanup`/)
})

t.test('tools that are missing, or may not be used', async t => {
  const none = new Machine()
  const run = async (command: string) => ({ status: 127, stdout: '', stderr: `spawn ${command} ENOENT` })
  t.same(await toolProblem('nftables', 'IPv4', run), { missing: true, why: 'nft is not installed' })
  t.same(await toolProblem('iptables', 'IPv6', run), { missing: true, why: 'ip6tables-save is not installed' })
  none.failing = () => 'Operation not permitted (you must be root)\nnetlink: no'
  t.equal(
    await refused('nftables', none),
    'PORTOLAN_APPLY_TOOL: nft cannot be used (are you root?): Operation not permitted (you must be root)',
  )
})

t.test('what is ours is said', async t => {
  t.equal(ownership('nftables', ['IPv6']), 'nftables: the table "ip6 portolan", and nothing else\n')
  t.match(
    ownership('iptables', both),
    /^iptables and ip6tables: .*KUBE-SERVICES.*14 rules in the kernel's own chains.*\n$/s,
  )
})
