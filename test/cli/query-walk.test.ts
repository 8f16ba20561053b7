import { decode, encode, type Packet } from 'dns-packet'
import t, { type Test } from 'tap'
import { udpListener } from '../../src/server/udp.ts'
import { recordingLog } from '../contract/listener.ts'
import { testClock } from '../helpers/clock.ts'
import { run } from '../helpers/shell.ts'

/** A server that knows web.shop.svc.cluster.local, by IPv4; says NXDOMAIN to all else. */
async function server(t: Test) {
  const udp = udpListener({ address: '127.0.0.1', port: 0, clock: testClock(), log: recordingLog().log })
  await udp.listen(packet => {
    const { id, questions = [] } = decode(Buffer.from(packet))
    const { name = '', type } = questions[0] ?? {}
    const known = name === 'web.shop.svc.cluster.local'
    const answers: Packet['answers'] = known && type === 'A' ? [{ name, type: 'A', ttl: 5, data: '10.0.0.1' }] : []
    return encode({ type: 'response', id, flags: known ? 0x0400 : 0x0403, questions, answers })
  })
  t.teardown(() => udp.close(0))
  return udp.port
}

const pods = (dns: string) => `
apiVersion: v1
kind: Service
metadata: { namespace: kube-system, name: kube-dns }
spec: { clusterIP: 10.96.0.10, ports: [{ port: 53, protocol: UDP }] }
---
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: client }
spec: { containers: [{ name: main, image: none }], ${dns} }
status: { podIP: 10.244.0.9 }
`

t.test('as a program in a pod asks', async t => {
  const port = await server(t)
  const manifests = t.testdir({ 'pods.yaml': pods('dnsConfig: { searches: [a.test] }') })
  const from = ['-from', 'shop/client', '-manifests', manifests, `@127.0.0.1:${port}`]
  const { code, out, err } = await run(['query', ...from, 'web'])
  t.match({ code, err }, { code: 0, err: '' })
  t.equal(
    out,
    `resolv.conf of shop/client (dnsPolicy ClusterFirst: the cluster's DNS service, and the node's search list after the cluster's)
  search shop.svc.cluster.local svc.cluster.local cluster.local a.test
  nameserver 10.96.0.10
  options ndots:5
  what the node's resolv.conf adds is not known
glibc looks up web
  web.shop.svc.cluster.local  A     NOERROR 10.0.0.1  127.0.0.1#${port} (udp)  0 ms
                              AAAA  NODATA            127.0.0.1#${port} (udp)  0 ms
10.0.0.1 (2 queries, 0 ms)
`,
  )
  t.match(await run(['query', ...from, 'web', '+short', 'A']), { code: 0, out: '10.0.0.1\n' })
  const missing = await run(['query', ...from, 'web.other', '-libc', 'musl'])
  t.match(missing, {
    code: 1,
    out: /musl looks up web\.other\n.*\nEAI_NONAME: there is no such name \(10 queries, 0 ms\)\n$/s,
  })
  const other = await run([
    'query',
    ...from,
    'web',
    '-cluster-domain',
    'other.test',
    '-cluster-dns',
    '10.1.1.1,fd00::a',
  ])
  t.match(other.out, /search shop\.svc\.other\.test .*\n {2}nameserver 10\.1\.1\.1\n {2}nameserver fd00::a\n/)
})

t.test("with the node's resolv.conf, or with a file alone", async t => {
  const port = await server(t)
  const folder = t.testdir({
    node: 'nameserver 192.0.2.1\nsearch corp.test\n',
    own: 'nameserver 127.0.0.1\nsearch shop.svc.cluster.local\n',
    manifests: { 'pods.yaml': pods('dnsPolicy: Default') },
  })
  const from = ['-from', 'shop/client', '-manifests', `${folder}/manifests`, `@127.0.0.1:${port}`]
  const ofNode = await run(['query', ...from, '-resolv-conf', `${folder}/node`, 'web'])
  t.match(ofNode, {
    code: 1,
    out: "(dnsPolicy Default: the node's resolv.conf)\n  search corp.test\n  nameserver 192.0.2.1\n",
  })
  const alone = await run(['query', 'web', '+search', '-resolv-conf', `${folder}/own`, '-p', `${port}`])
  t.match(alone, { code: 0, out: `resolv.conf of ${folder}/own\n` })
})

t.test('mistakes', async t => {
  const manifests = t.testdir({ 'pods.yaml': pods(''), empty: {} })
  const mistake = async (...words: string[]) => (await run(['query', ...words])).err.split('\n')[0]
  const from = ['-manifests', manifests, 'web', '-from']
  t.equal(await mistake(...from, 'client'), 'portolan: from is NAMESPACE/POD, got "client"')
  t.equal(await mistake(...from, 'shop/clent'), 'portolan: there is no pod shop/clent: did you mean "shop/client"?')
  t.equal(await mistake(...from, 'shop/x'), 'portolan: there is no pod shop/x; namespace shop has shop/client')
  t.match(await mistake('web', 'MX', '+search'), 'the type is A or AAAA')
  t.match(await mistake('web', '+tcp', '+search'), 'options use-vc')
  t.match(await mistake('web', '+search', '-libc', 'bionic'), '-libc is glibc, glibc-2.25, musl or musl-1.2.3')
  t.match(await mistake('web', '+search', '-resolv-conf', '/nowhere'), 'cannot read /nowhere: ENOENT')
  t.match(await mistake('web', '+search', '@dns.test', '-resolv-conf', '/dev/null'), 'needs the address of its server')
  t.match(await mistake(...from, 'shop/client', '-cluster-dns', 'x'), 'cluster-dns: "x" is no address')
})
