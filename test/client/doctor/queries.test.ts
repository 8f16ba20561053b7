import t from 'tap'
import { directQueryCheck, virtualAddressCheck } from '../../../src/client/doctor/queries.ts'
import { upstreamCheck } from '../../../src/client/doctor/upstream.ts'
import type { Heard } from '../../../src/client/doctor/world.ts'
import type { Explained } from '../../../src/client/explain/explained.ts'
import { corefileOf, dnsObjects, examined, network, skipped, told, world } from './world.ts'

const well: Heard = { rcode: 'NOERROR', addresses: ['10.96.0.1'] }
const rcode = (rcode: string): Heard => ({ rcode, addresses: [] })

function asking(replies: Readonly<Record<string, Heard>>, corefile = 'missing') {
  const parts = corefile === 'missing' ? {} : { corefile: corefileOf(corefile) }
  return world(dnsObjects(), { network: network(replies), ...parts })
}

t.test('a direct query: each pod over both transports', async t => {
  const { summary, findings } = await examined(directQueryCheck, asking({ '10.244': well }))
  t.same(findings, [])
  t.equal(summary, 'kube-system/dns-1, kube-system/dns-2 answer over UDP and TCP, asked from node n1')
})

t.test('a direct query: what a pod may say', async t => {
  const of = (heard: Heard) => told(directQueryCheck, asking({ '10.244.1.2:53/udp': heard, '10.244': well }))
  const name = 'kubernetes.default.svc.cluster.local'
  const at = 'at 10.244.1.2:53/UDP, and answers at 10.244.1.2:53/TCP'
  t.same(await of({ silence: 'no reply' }), [`fault: kube-system/dns-1 does not answer (no reply) ${at}`])
  t.same(await of(rcode('SERVFAIL')), [`fault: kube-system/dns-1 answers SERVFAIL for ${name} ${at}`])
  t.same(await of(rcode('NXDOMAIN')), [`fault: kube-system/dns-1 answers NXDOMAIN for ${name} ${at}`])
  t.same(await of(rcode('NOERROR')), [`fault: kube-system/dns-1 says no address for ${name}, which is 10.96.0.1 ${at}`])
  t.same(await of({ rcode: 'NOERROR', addresses: ['10.9.9.9'] }), [
    `fault: kube-system/dns-1 says 10.9.9.9 for ${name}, which is 10.96.0.1 ${at}`,
  ])
})

t.test('a direct query: the same over both transports is told once', async t => {
  t.same(await told(directQueryCheck, asking({ '10.244.2.2': well })), [
    'fault: kube-system/dns-1 does not answer (no reply) at 10.244.1.2:53/UDP and 10.244.1.2:53/TCP',
  ])
})

t.test('a direct query: pods that are not ready are not asked', async t => {
  const where = world(dnsObjects({ ready: [true, false] }), { network: network({ '10.244.1.2': well }) })
  t.same(await told(directQueryCheck, where), [])
  const none = world(dnsObjects({ ready: [false] }), { network: network({}) })
  t.equal(await skipped(directQueryCheck, none), 'there is no ready endpoint to ask')
  t.equal(await skipped(directQueryCheck, world()), 'not looked at', 'nor where nothing is sent')
})

t.test('the virtual address', async t => {
  t.same(await told(virtualAddressCheck, asking({ '10.96.0.10:53/': well })), [])
  t.same(await told(virtualAddressCheck, asking({ '10.96.0.10:53/udp': well })), [
    'fault: 10.96.0.10:53/TCP does not answer (no reply)',
  ])
})

const forwarding = '. {\n    forward . 192.0.2.53 [2001:db8::53]:5353 /etc/resolv.conf\n}\n'

t.test('an upstream that answers, or knows another world', async t => {
  const { summary, findings } = await examined(upstreamCheck, asking({ 'kubernetes.io': well }, forwarding))
  t.same(findings, [])
  t.equal(
    summary,
    'kubernetes.io is answered by each of them, forwarded to 192.0.2.53, [2001:db8::53]:5353, /etc/resolv.conf',
  )
  t.match(await told(upstreamCheck, asking({ 'kubernetes.io': rcode('NXDOMAIN') })), [
    /^warning: .* cannot tell kubernetes\.io: NXDOMAIN/,
  ])
})

t.test('an upstream that is dead is asked itself', async t => {
  const replies = { '10.244': rcode('SERVFAIL'), '2001:db8::53:5353': well }
  t.same(await told(upstreamCheck, asking(replies, forwarding)), [
    'fault: kube-system/dns-1, kube-system/dns-2 cannot tell kubernetes.io: SERVFAIL; 192.0.2.53 itself: no reply',
  ])
})

t.test('an upstream: no name to ask for', async t => {
  const where = world(dnsObjects(), { network: network({}), outsideName: { missing: 'none was given' } })
  t.equal(await skipped(upstreamCheck, where), 'none was given')
})

t.test('a direct query: the name that was given is asked for too', async t => {
  const question = { type: 'A', plugin: 'kubernetes' } as const
  const name = 'web.shop.svc.cluster.local'
  const walk = { outcome: 'found', addresses: ['10.96.0.20'], steps: [{ name, questions: [question] }] }
  const replies = {
    [`10.244.1.2:53/udp ${name}`]: rcode('NXDOMAIN'),
    [name]: { ...well, addresses: ['10.96.0.20'] },
    kubernetes: well,
  }
  const where = world(dnsObjects(), { network: network(replies), target: { walk } as unknown as Explained })
  t.same(await told(directQueryCheck, where), [
    `fault: kube-system/dns-1 answers NXDOMAIN for ${name} at 10.244.1.2:53/UDP, and answers at 10.244.1.2:53/TCP`,
  ])
})
