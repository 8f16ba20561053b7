import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { systemClock } from '../../src/observe/clock.ts'
import { fakeApiServer } from '../helpers/followed-apiserver.ts'
import { kubeconfig } from '../helpers/kubeconfig.ts'
import { run } from '../helpers/shell.ts'

const manifests = `
apiVersion: v1
kind: Node
metadata: { name: worker-1, labels: { topology.kubernetes.io/zone: a } }
status: { addresses: [{ type: InternalIP, address: 172.18.0.11 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.20
  externalTrafficPolicy: Local
  sessionAffinity: ClientIP
  loadBalancerSourceRanges: [198.51.100.0/24]
  ports: [{ name: http, port: 80, nodePort: 30080 }]
status: { loadBalancer: { ingress: [{ ip: 203.0.113.20 }] } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints:
  - { addresses: [10.244.1.4], nodeName: worker-1, targetRef: { kind: Pod, name: web-1 } }
  - { addresses: [10.244.2.4], nodeName: worker-2, zone: b, targetRef: { kind: Pod, name: web-2 } }
  - { addresses: [10.244.2.5], nodeName: worker-2, conditions: { ready: false } }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop }
status: { podIP: 10.244.1.9 }
---
apiVersion: v1
kind: Service
metadata: { name: empty, namespace: shop }
spec: { clusterIP: 10.96.0.21, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: None, ports: [{ port: 5432 }] }
`

/** Runs a command of `routes` for these manifests; the words are separated by blanks. */
function routes(t: Test, words: string, options: Parameters<typeof run>[1] = {}) {
  const folder = t.testdir({ 'all.yaml': manifests })
  return run(['routes', ...words.split(' '), '-manifests', folder], options)
}

t.test('list', async t => {
  t.strictSame(await routes(t, 'list'), {
    code: 0,
    err: '',
    out: `ADDRESS              KIND          SERVICE        ENDPOINTS                       NOTES
10.96.0.21:80/TCP    ClusterIP     shop/empty     REJECT: there are no endpoints
10.96.0.20:80/TCP    ClusterIP     shop/web:http  2 of 3                          affinity 10800 s
203.0.113.20:80/TCP  LoadBalancer  shop/web:http  2 of 3                          externalTrafficPolicy Local; affinity 10800 s; from 198.51.100.0/24
node:30080/TCP       NodePort      shop/web:http  2 of 3                          externalTrafficPolicy Local; affinity 10800 s

without routes
shop/db  headless (clusterIP: None): DNS gives the addresses of the endpoints themselves
`,
  })
  const { out } = await routes(t, 'list -node worker-1 -o json')
  const { node, routes: rows, without } = JSON.parse(out)
  t.equal(node, 'worker-1')
  t.match(rows[2], { address: '203.0.113.20', kind: 'LoadBalancer', action: 'forward', usable: 1, endpoints: 3 })
  t.match(without, [{ service: 'shop/db', reason: 'headless' }])
  t.same(JSON.parse((await routes(t, 'list -family 6 -o json')).out).routes, [])
})

t.test('lookup', async t => {
  const { code, out } = await routes(
    t,
    'lookup 10.96.0.20:80 -node worker-1 -from shop/client -cluster-cidr 10.244.0.0/16',
  )
  t.equal(code, 0)
  t.match(out, /^Service shop\/web port http \(TCP\), ClusterIP · affinity 10800 s · internalTrafficPolicy Cluster\n/)
  t.match(
    out,
    /^ {2}1\/2 {2}10\.244\.1\.4:8080 {2}web-1 {2}worker-1 {5}same node\n {2}1\/2 {2}10\.244\.2\.4:8080 {2}web-2 {2}worker-2 {2}b\n/m,
  )
  t.match(out, /^ {2}- {4}10\.244\.2\.5:8080 .* not ready$/m)
  t.match(out, 'source seen by the endpoint: 10.244.1.9 (not masqueraded: it comes from a pod (10.244.0.0/16))\n')
  t.match(out, /^iptables {2}KUBE-SERVICES → KUBE-SVC-\w{16} → KUBE-SEP-…$/m)
  t.notMatch(out, /give -/)
})

t.test('lookup of what is turned away', async t => {
  t.match(
    (await routes(t, 'lookup 10.96.0.21:80')).out,
    /^✗ REJECT: there are no endpoints\n[\s\S]*KUBE-SERVICES \(filter\)/,
  )
  const other = await routes(t, 'lookup 203.0.113.20:80 -node worker-1 -from 192.0.2.1 -o yaml')
  const facts = parse(other.out)
  t.match(facts, { action: 'DROP', source: '192.0.2.1', masquerade: undefined })
  t.match(facts.why, /^loadBalancerSourceRanges of 203.0.113.20/)
  t.match(facts.chains, ['KUBE-SERVICES', /^KUBE-FW-/, 'KUBE-PROXY-FIREWALL (filter)'])
})

t.test("lookup at a node's address", async t => {
  const { endpoints, chains, kind } = JSON.parse(
    (await routes(t, 'lookup 172.18.0.11:30080 -node worker-1 -from 198.51.100.0/24 -o json')).out,
  )
  t.equal(kind, 'NodePort')
  t.match(endpoints[0], { address: '10.244.1.4:8080', probability: 1 })
  t.match(chains, ['KUBE-SERVICES', 'KUBE-NODEPORTS', /^KUBE-EXT-/, /^KUBE-SVL-/])
})

t.test('lookup of nothing says what is near', async t => {
  const err = async (words: string) => (await routes(t, words)).err
  t.equal(
    await err('lookup 10.96.0.20:81'),
    'portolan: no route: nothing has 10.96.0.20:81/TCP; it has 80/TCP (shop/web:http)\n',
  )
  t.match(
    await err('lookup 192.0.2.9:30080'),
    /shop\/web:http has this port at each node, and no node has this address/,
  )
  t.match(await err('lookup 10.96.0.20'), /"10.96.0.20" is no address with a port: write one like/)
  t.match(await err('lookup 10.96.0.20:80/ICMP'), /is no address with a port/)
  t.match(await err('lookup fd00::1:80'), /is no address with a port/)
  t.match(await err('lookup'), /which address/)
  t.match(await err('lookup 10.96.0.20:80 -from shop/nosuch'), /there is no pod shop\/nosuch/)
  t.match(await err('lookup 10.96.0.20:80 -from nosuch'), /: from is NAMESPACE\/POD, a range or an address/)
  t.match(await err('lookup 10.96.0.20:80 -from fd00::1'), /: from: fd00::1 has no IPv4 address/)
})

t.test('simulate', async t => {
  let state = 1
  const random = () => (state = (state * 48_271) % 0x7fffffff) / 0x7fffffff
  const { out } = await routes(t, 'simulate 10.96.0.20:80 -clients 3000 -o json', { random })
  const { endpoints } = JSON.parse(out)
  const counts = endpoints.map(({ clients }: { clients: number }) => clients)
  t.equal(counts.length, 2)
  t.equal(counts[0] + counts[1], 3000)
  t.ok(Math.abs(counts[0] - 1500) < 150)
  t.match(
    (await routes(t, 'simulate 10.96.0.20:80')).out,
    /: 1000 connections over 2 endpoints \(random, affinity 10800 s\), an equal share is 50\.0 %\n/,
  )
  t.match((await routes(t, 'simulate 10.96.0.21:80')).out, /^✗ .*all 1000 clients meet REJECT: there are no endpoints/)
  t.match((await routes(t, 'simulate 10.96.0.20:80 -clients 0')).err, /-clients is a number from 1/)
})

t.test('simulate with a scheduler', async t => {
  const counts = async (words: string) => {
    const { endpoints } = JSON.parse((await routes(t, `simulate 10.96.0.20:80 -o json -clients 100 ${words}`)).out)
    return endpoints.map(({ clients }: { clients: number }) => clients)
  }
  for (const name of ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq']) t.same(await counts(`-scheduler ${name}`), [50, 50], name)
  t.same((await counts('-scheduler dh')).sort(), [0, 100], 'one address, one endpoint')
  t.same(await counts('-scheduler rr -same-client'), [0, 100], 'the service has affinity')
  t.same(await counts('-scheduler rr -from shop/client'), [0, 100])
  t.same(await counts('-scheduler rr -from 192.0.2.0/31'), [50, 50])
  t.same(await counts('-scheduler rr -from 192.0.2.0/32'), [0, 100])
  t.match((await routes(t, 'simulate 10.96.0.20:80 -scheduler mh')).err, /-scheduler is random, rr, .* or nq, got "mh"/)
})

t.test('render', async t => {
  const { out } = await routes(
    t,
    'render iptables -family 4 -node worker-1 -cluster-cidr 10.244.0.0/16 -masquerade-all',
  )
  t.match(out, /^\*filter\n[\s\S]*COMMIT\n\*nat\n[\s\S]*COMMIT\n$/)
  t.match(out, /--comment "shop\/web:http loadbalancer IP" -p tcp -d 203\.0\.113\.20 -m tcp --dport 80 -j KUBE-FW-/)
  t.match(out, /^-A PREROUTING/m)
  t.notMatch((await routes(t, 'render iptables -family 4 -node worker-1 -no-jumps')).out, /^-A PREROUTING/m)
  t.match((await routes(t, 'render iptables -node worker-1')).err, /which family\? 4 or 6/)
  t.match((await routes(t, 'render iptables -family 4')).err, /for which node/)
  t.match((await routes(t, 'render cilium')).err, /which rules/)
})

t.test('render ipvs', async t => {
  const all = (await routes(t, 'render ipvs -node worker-1 -family 4')).out
  t.match(all, /^# addresses, IPv4: ip -batch -\n/)
  t.match(all, /^# ipvsadm, IPv4: ipvsadm --restore\n[^#]*^-A -t 172\.18\.0\.11:30080 -s rr -p 10800\n/m)
  t.match(all, /^# iptables, IPv4: iptables-restore --noflush\n\*filter\n/m)
  t.match(await routes(t, 'render ipvs -node worker-1 -part ipvsadm -scheduler sh'), {
    code: 0,
    out: /^-A -t 10\.96\.0\.21:80 -s sh\n/,
  })
  t.match(
    (await routes(t, 'render ipvs -node worker-1 -part ipset')).out,
    /^create KUBE-LOOP-BACK .*\ncreate KUBE-6-LOOP-BACK /s,
  )
  t.match((await routes(t, 'render ipvs -node worker-1 -part iptables')).err, /which family\? 4 or 6/)
  t.match(
    (await routes(t, 'render ipvs -node worker-1 -part sets')).err,
    /part is addresses, ipvsadm, ipset or iptables/,
  )
  t.match((await routes(t, 'render ipvs -node worker-1 -scheduler random')).err, /scheduler is rr, wrr/)
})

t.test('mistakes of the command line', async t => {
  const usage = async (words: string) => {
    const { code, err } = await routes(t, words)
    t.equal(code, 2, words)
    return err
  }
  t.match(await usage('lisst'), /unknown "routes lisst": did you mean "list"\?/)
  t.match(await usage('constructor'), /unknown "routes constructor"/)
  t.match(await usage('list more'), /"more" is one argument too many/)
  t.match(await usage('list -node worker-2'), /there is no node "worker-2": did you mean "worker-1"/)
  t.match(await usage('list -family 5'), /: family is 4, 6 or both/)
  t.match(await usage('lookup 10.96.0.20:80 -cluster-cidr 10.244.0.0'), /: cluster-cidr: "10.244.0.0" is no range/)
  t.match(await usage('list -kubeconfig x'), /are two clusters/)
  // Nothing of these comes as far as to look at this machine.
  t.match(await usage('apply ipvs -node worker-1'), /which rules\? There are iptables, nftables/)
  t.match(await usage('apply nftables'), /on which node\?/)
  t.match(await usage('apply nftables -node worker-1 -min-sync soon'), /-min-sync is a duration like 100ms or 30s/)
  t.match(await usage('apply nftables -node worker-1 -check -1s'), /-check is a duration/)
  t.match(await usage('cleanup ipvs'), /which rules\? There are iptables, nftables; without a word all/)
  t.match(await run(['routes']), { code: 2, err: /routes what\?/ })
  t.match(await run(['routes', 'list'], { env: { HOME: '/nonexistent' } }), {
    code: 2,
    err: /which cluster\? give -manifests/,
  })
  t.match(await run(['routes', 'list'], { env: { KUBECONFIG: '/nonexistent/a:/nonexistent/b' } }), {
    code: 2,
    err: /no \/nonexistent\/a, /,
  })
  t.match(await run(['routes', 'list', '-manifests', '/nonexistent']), { code: 1, err: /cannot read the manifests/ })
})

t.test('from an API server, as kubectl finds it', async t => {
  const api = await fakeApiServer(t)
  const metadata = { name: 'web', namespace: 'shop' }
  api.put('Service', { metadata, spec: { clusterIP: '10.96.0.20', ports: [{ port: 80 }] } })
  api.put('Node', { metadata: { name: 'worker-1' } })
  const file = `${t.testdir({ config: JSON.stringify(kubeconfig(api.url)) })}/config`
  const list = (env: Record<string, string>, ...more: string[]) =>
    run(['routes', 'list', '-node', 'worker-1', ...more], { env, clock: systemClock })
  for (const { code, out } of [
    await list({ KUBECONFIG: `/nonexistent:${file}` }),
    await list({}, '-kubeconfig', file),
  ]) {
    t.equal(code, 0)
    t.match(out, /10\.96\.0\.20:80\/TCP +ClusterIP +shop\/web +REJECT: there are no endpoints/)
  }
  t.match(await list({}, '-kubeconfig', file, '-context', 'other'), { code: 1, err: /no context "other"/ })
  api.fail({ kind: 'Node' }, { status: 403, message: 'forbidden' })
  const { code, err } = await list({ KUBECONFIG: file })
  t.equal(code, 1)
  t.match(err, /nodes.*403|403.*nodes/)
})
