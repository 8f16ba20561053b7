import t from 'tap'
import { checkNames } from '../../../src/client/doctor/check.ts'
import { checks, diagnose } from '../../../src/client/doctor/diagnosis.ts'
import { diagnosisText } from '../../../src/client/doctor/text.ts'
import { service } from '../../helpers/cluster.ts'
import { corefileOf, dnsObjects, network, world } from './world.ts'

const well = { rcode: 'NOERROR', addresses: ['10.96.0.1'] }
const failing = { rcode: 'SERVFAIL', addresses: [] }

t.test('a diagnosis has each check once, in the order of runbooks', async t => {
  t.same(
    checks.map(({ name }) => name),
    checkNames,
  )
})

t.test('a diagnosis: nothing is wrong', async t => {
  const { healthy, cause, checks } = await diagnose(world())
  t.ok(healthy)
  t.equal(cause, undefined)
  t.same(
    checks.filter(({ outcome }) => outcome === 'ok').map(({ check }) => check),
    ['dns service', 'dns pods', 'capacity', 'shadows'],
  )
})

t.test('a diagnosis: what follows from a fault is not its cause', async t => {
  const { cause } = await diagnose(world(dnsObjects({ ready: [false, false] })))
  t.match(cause, { check: 'dns pods', consequences: ['dns service'], others: [] })
  const loop = corefileOf('. {\n    forward . 10.96.0.10\n}\n')
  const looping = world(dnsObjects(), {
    network: network({ '10.96.0.10': failing, '10.244': failing }),
    corefile: loop,
  })
  t.match((await diagnose(looping)).cause, {
    check: 'corefile',
    consequences: ['direct query', 'virtual address', 'upstream'],
  })
})

t.test('a diagnosis: of faults that have nothing to do with each other the first counts', async t => {
  const objects = [...dnsObjects({ ready: [true, false] }), service('com/github', { ip: '10.96.0.9' })]
  t.match((await diagnose(world(objects))).cause, { check: 'dns pods', consequences: [], others: ['shadows'] })
})

t.test('the text: faults in full, the rest in a line each, the first cause last', async t => {
  const asked = world(dnsObjects({ ready: [true, false] }), {
    network: network({ '10.244': well, '10.96': well, kubernetes: well }),
  })
  const text = diagnosisText(await diagnose(asked))
  t.equal(
    text,
    `- resolv.conf     skipped: not looked at
✓ dns service     kube-system/kube-dns at 10.96.0.10, 1 of 2 endpoints ready
✗ dns pods        pod kube-system/dns-2 is not ready: no reason is given
                    means  1 of 2 pods do its work
                    next   kubectl -n kube-system describe pod dns-2
                           kubectl -n kube-system logs dns-2
                           kubectl -n kube-system logs dns-2 --previous
✓ direct query    kube-system/dns-1 answers over UDP and TCP, asked from node n1
✓ virtual address 10.96.0.10 answers over UDP and TCP
✓ upstream        kubernetes.io is answered by kube-system/dns-1
- name            skipped, endpoints, target port, network policy, node rules, conntrack: not looked at
✓ capacity        no Endpoints object is cut off
✓ shadows         no namespace or service is called as a public suffix is
- corefile        skipped: not looked at

FIRST CAUSE (dns pods): pod kube-system/dns-2 is not ready: no reason is given
  means  1 of 2 pods do its work
  next   kubectl -n kube-system describe pod dns-2
         kubectl -n kube-system logs dns-2
         kubectl -n kube-system logs dns-2 --previous
`,
  )
})

t.test('the text: warnings are told, and are no fault', async t => {
  const corefile = corefileOf('. {\n    errors\n    ready\n    kubernetes\n    log\n}\n')
  const text = diagnosisText(await diagnose(world(dnsObjects(), { corefile })))
  t.match(text, /^! corefile {8}Corefile:1:1: a block with kubernetes and without health\n {20}means {2}the kubelet/m)
  t.match(text, /^ {18}· Corefile:5:5: log of all classes/m)
  t.match(text, /^healthy: 5 checks found no fault, 1 with warnings, 10 skipped\n$/m)
})
