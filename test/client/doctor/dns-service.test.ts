import t from 'tap'
import { dnsPodsCheck, dnsServiceCheck } from '../../../src/client/doctor/dns-service.ts'
import { service, slice } from '../../helpers/cluster.ts'
import { dnsObjects, examined, livePod, skipped, told, world } from './world.ts'

t.test('the DNS service: one that works', async t => {
  const { summary, findings } = await examined(dnsServiceCheck, world())
  t.same(findings, [])
  t.equal(summary, 'kube-system/kube-dns at 10.96.0.10, 2 of 2 endpoints ready')
})

t.test('the DNS service: none', async t => {
  t.match(await told(dnsServiceCheck, world([])), [/^fault: there is no service kube-system\/kube-dns/])
})

t.test('the DNS service: found by its label', async t => {
  const other = service('kube-system/names', {
    ip: '10.96.0.9',
    ports: ['53/UDP', '53/TCP'],
    labels: { 'k8s-app': 'kube-dns' },
  })
  const { summary } = await examined(dnsServiceCheck, world([other, slice('kube-system/names', ['10.244.1.2'])]))
  t.match(summary, /^kube-system\/names at 10\.96\.0\.9, 1 of 1 endpoint ready/)
})

t.test('the DNS service: without an address, a port or endpoints', async t => {
  const headless = service('kube-system/kube-dns', { ip: 'None', ports: ['53/TCP'], selector: { a: 'b' } })
  t.match(await told(dnsServiceCheck, world([headless])), [
    'fault: service kube-system/kube-dns has no cluster address (clusterIP: None)',
    'fault: service kube-system/kube-dns has no port 53/UDP',
    /^fault: service kube-system\/kube-dns has no ready endpoint: the selector a=b selects no pod/,
  ])
  const udp = service('kube-system/kube-dns', { ip: '10.96.0.10', ports: ['53/UDP'] })
  t.same(await told(dnsServiceCheck, world([udp, slice('kube-system/kube-dns', ['10.244.1.2'])])), [
    'warning: service kube-system/kube-dns has no port 53/TCP',
  ])
})

t.test('the DNS pods: all, some and none are ready', async t => {
  t.same(await told(dnsPodsCheck, world()), [])
  const some = await examined(dnsPodsCheck, world(dnsObjects({ ready: [true, false] })))
  t.match(some.findings, [
    { level: 'fault', seen: /^pod kube-system\/dns-2 is not ready/, means: '1 of 2 pods do its work' },
  ])
  const none = await examined(dnsPodsCheck, world(dnsObjects({ ready: [false, false] })))
  t.match(none.findings, [{ means: 'no query of any pod is answered' }, {}])
  t.ok(none.findings[0]?.explains?.includes('dns service'), 'that the service has no endpoint follows from it')
})

t.test('the DNS pods: where they are', async t => {
  t.same(await told(dnsPodsCheck, world(dnsObjects({ ready: [true] }))), [
    'note: there is one pod: while it is replaced nobody answers',
  ])
  const labels = { 'k8s-app': 'kube-dns' }
  const together = [1, 2].map(i => livePod(`kube-system/dns-${i}`, `10.244.1.${i}`, { labels }))
  t.same(await told(dnsPodsCheck, world(together)), ['note: all of them are on node n1: they fail together'])
  t.equal(await skipped(dnsPodsCheck, world([])), 'no pod is labelled k8s-app=kube-dns')
})
