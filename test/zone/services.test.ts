import t from 'tap'
import { cluster, service, slice } from '../helpers/cluster.ts'
import { check, serveCluster } from './asking.ts'

t.test('a service with cluster addresses', async t => {
  const served = await serveCluster(
    t,
    cluster(
      service('shop/web', { ip: '10.96.0.1', ports: ['http:80/TCP', 'dns:53/UDP'] }),
      slice('shop/web', [{ ip: '10.244.0.1', hostname: 'one' }, '10.244.0.2', { ip: '10.244.0.3', ready: false }], {
        ports: ['http:8080/TCP', 'dns:5353/UDP'],
      }),
    ),
  )
  await check(t, served, [
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['web.shop.svc AAAA', 'NODATA'],
    ['web.shop.svc SRV', 'SRV 0 50 80 web.shop.svc, SRV 0 50 53 web.shop.svc + web.shop.svc A 10.96.0.1'],
    ['_http._tcp.web.shop.svc SRV', 'SRV 0 100 80 web.shop.svc + web.shop.svc A 10.96.0.1'],
    ['_dns._udp.web.shop.svc SRV', 'SRV 0 100 53 web.shop.svc + web.shop.svc A 10.96.0.1'],
    ['_dns._tcp.web.shop.svc SRV', 'NXDOMAIN'],
    ['_nosuch._tcp.web.shop.svc SRV', 'NXDOMAIN'],
    ['nosuch.shop.svc A', 'NXDOMAIN'],
    ['web.nosuch.svc A', 'NXDOMAIN'],
    ['web.shop A', 'NXDOMAIN'],
  ])
  t.comment('endpoint names')
  await check(t, served, [
    ['one.web.shop.svc A', 'A 10.244.0.1'],
    ['10-244-0-2.web.shop.svc A', 'A 10.244.0.2'],
    ['10-244-0-2.web.shop.svc AAAA', 'NODATA'],
    [
      '10-244-0-2.web.shop.svc SRV',
      'SRV 0 50 8080 10-244-0-2.web.shop.svc, SRV 0 50 5353 10-244-0-2.web.shop.svc + 10-244-0-2.web.shop.svc A 10.244.0.2',
    ],
    ['10-244-0-1.web.shop.svc A', 'NXDOMAIN'],
    ['10-244-0-3.web.shop.svc A', 'NXDOMAIN'],
    ['nosuch.web.shop.svc TXT', 'NXDOMAIN'],
  ])
  t.comment('spellings of port and protocol')
  const http = 'SRV 0 100 80 web.shop.svc + web.shop.svc A 10.96.0.1'
  await check(t, served, [
    ['http.tcp.web.shop.svc SRV', http],
    ['_HTTP._Tcp.web.shop.svc SRV', http],
    ['_http.tcp.web.shop.svc SRV', http],
    ['_http._.web.shop.svc SRV', http],
    ['_._tcp.web.shop.svc SRV', http],
    ['_._.web.shop.svc SRV', 'SRV 0 50 80 web.shop.svc, SRV 0 50 53 web.shop.svc + web.shop.svc A 10.96.0.1'],
    ['__http._tcp.web.shop.svc SRV', 'NXDOMAIN'],
    ['_http._tcp.web.shop.svc A', 'A 10.96.0.1'],
    ['http.tcp.web.shop.svc AAAA', 'NODATA'],
    ['_tcp.web.shop.svc SRV', 'NXDOMAIN'],
    ['x._http._tcp.web.shop.svc SRV', 'NXDOMAIN'],
    ['a.b.c.web.shop.svc A', 'NXDOMAIN'],
    ['*.web.shop.svc A', 'NXDOMAIN'],
    ['any.any.web.shop.svc SRV', 'NXDOMAIN'],
    ['*.shop.svc A', 'NXDOMAIN'],
  ])
})

t.test('its endpoints do not matter to its own name', async t => {
  const served = await serveCluster(
    t,
    cluster(
      service('shop/empty', { ip: '10.96.0.1' }),
      service('shop/notready', { ip: '10.96.0.2', ports: ['80'] }),
      slice('shop/notready', [{ ip: '10.244.0.1', ready: false }], { ports: ['80'] }),
      service('shop/lb', {
        type: 'LoadBalancer',
        ip: '10.96.0.3',
        externalIPs: ['192.0.2.1'],
        loadBalancerIPs: ['192.0.2.2'],
      }),
      service('shop/np', { type: 'NodePort', ip: '10.96.0.4', ports: ['80@30080'] }),
    ),
  )
  await check(t, served, [
    ['empty.shop.svc A', 'A 10.96.0.1'],
    ['empty.shop.svc SRV', 'NODATA'],
    ['notready.shop.svc A', 'A 10.96.0.2'],
    ['notready.shop.svc SRV', 'SRV 0 100 80 notready.shop.svc + notready.shop.svc A 10.96.0.2'],
    ['lb.shop.svc A', 'A 10.96.0.3'],
    ['np.shop.svc SRV', 'SRV 0 100 80 np.shop.svc + np.shop.svc A 10.96.0.4'],
    ['10-244-0-1.notready.shop.svc A', 'NXDOMAIN'],
  ])
})

t.test('weights, unnamed ports, two address families', async t => {
  const served = await serveCluster(
    t,
    cluster(
      service('shop/dual', { ip: ['10.96.0.1', 'fd00:96::1'], ports: ['a:1', 'b:2'] }),
      service('shop/five', { ip: '10.96.0.5', ports: ['a:1', 'b:2', 'c:3', 'd:4', 'e:5'] }),
      service('shop/unnamed', { ip: '10.96.0.6', ports: ['80'] }),
      service('shop/six', { ip: 'fd00:96::6', ports: ['http:80'] }),
    ),
  )
  const target = 'dual.shop.svc'
  await check(t, served, [
    ['dual.shop.svc A', 'A 10.96.0.1'],
    ['dual.shop.svc AAAA', 'AAAA fd00:96::1'],
    [
      'dual.shop.svc SRV',
      `SRV 0 25 1 ${target}, SRV 0 25 2 ${target} + ${target} A 10.96.0.1, ${target} AAAA fd00:96::1`,
    ],
    ['_a._tcp.dual.shop.svc SRV', `SRV 0 50 1 ${target} + ${target} A 10.96.0.1, ${target} AAAA fd00:96::1`],
    [
      'five.shop.svc SRV',
      `${[1, 2, 3, 4, 5].map(port => `SRV 0 20 ${port} five.shop.svc`).join(', ')} + five.shop.svc A 10.96.0.5`,
    ],
    ['unnamed.shop.svc SRV', 'SRV 0 100 80 unnamed.shop.svc + unnamed.shop.svc A 10.96.0.6'],
    ['_._tcp.unnamed.shop.svc SRV', 'SRV 0 100 80 unnamed.shop.svc + unnamed.shop.svc A 10.96.0.6'],
    ['_80._tcp.unnamed.shop.svc SRV', 'NXDOMAIN'],
    ['six.shop.svc A', 'NODATA'],
    ['six.shop.svc AAAA', 'AAAA fd00:96::6'],
  ])
})

t.test('a headless service is its ready endpoints', async t => {
  const served = await serveCluster(
    t,
    cluster(
      service('hl/hn', { ip: 'None', ports: ['http:80->8080'] }),
      slice('hl/hn', [{ ip: '10.244.0.1', hostname: 'a' }, { ip: '10.244.0.2', ready: false }, '10.244.0.3'], {
        ports: ['http:8080'],
      }),
      service('hl/none', { ip: 'None', ports: ['http:80'] }),
      service('hl/unready', { ip: 'None', ports: ['http:80'] }),
      slice('hl/unready', [{ ip: '10.244.0.4', ready: false, serving: true }]),
      service('hl/leaving', { ip: 'None' }),
      slice('hl/leaving', [{ ip: '10.244.0.5', ready: true, terminating: true, serving: false }]),
      service('hl/six', { ip: 'None', ports: ['http:80'] }),
      slice('hl/six', ['fd00:244::1', 'fd00:10::'], { ports: ['http:80'] }),
      service('hl/portless', { ip: 'None' }),
      slice('hl/portless', [{ ip: '10.244.0.6', hostname: 'p' }]),
      service('hl/allports', { ip: 'None' }),
      slice('hl/allports', ['10.244.0.7'], { ports: ['*'] }),
    ),
  )
  await check(t, served, [
    ['hn.hl.svc A', 'A 10.244.0.1, A 10.244.0.3'],
    ['hn.hl.svc AAAA', 'NODATA'],
    [
      'hn.hl.svc SRV',
      'SRV 0 50 8080 a.hn.hl.svc, SRV 0 50 8080 10-244-0-3.hn.hl.svc + a.hn.hl.svc A 10.244.0.1, 10-244-0-3.hn.hl.svc A 10.244.0.3',
    ],
    ['_http._tcp.hn.hl.svc A', 'A 10.244.0.1, A 10.244.0.3'],
    ['a.hn.hl.svc A', 'A 10.244.0.1'],
    ['a.hn.hl.svc SRV', 'SRV 0 100 8080 a.hn.hl.svc + a.hn.hl.svc A 10.244.0.1'],
    ['10-244-0-2.hn.hl.svc A', 'NXDOMAIN'],
    ['none.hl.svc A', 'NXDOMAIN'],
    ['none.hl.svc SRV', 'NXDOMAIN'],
    ['unready.hl.svc A', 'NXDOMAIN'],
    ['leaving.hl.svc A', 'A 10.244.0.5'],
    ['six.hl.svc A', 'NODATA'],
    ['six.hl.svc AAAA', 'AAAA fd00:244::1, AAAA fd00:10::'],
    ['fd00-244--1.six.hl.svc AAAA', 'AAAA fd00:244::1'],
    ['fd00-10--0.six.hl.svc AAAA', 'AAAA fd00:10::'],
    ['fd00-10--.six.hl.svc AAAA', 'NXDOMAIN'],
    ['portless.hl.svc A', 'A 10.244.0.6'],
    ['portless.hl.svc SRV', 'NODATA'],
    ['p.portless.hl.svc A', 'A 10.244.0.6'],
    ['allports.hl.svc A', 'A 10.244.0.7'],
    ['allports.hl.svc SRV', 'NODATA'],
  ])
})

t.test('weights count before doubles are left out; slices are united', async t => {
  const ports = ['a:1', 'b:2']
  const served = await serveCluster(
    t,
    cluster(
      service('hl/dup', { ip: 'None' }),
      slice(
        'hl/dup',
        [
          { ip: '10.0.0.1', hostname: 'x' },
          { ip: '10.0.0.2', hostname: 'y' },
        ],
        { name: 'dup-1', ports },
      ),
      slice('hl/dup', [{ ip: '10.0.0.1', hostname: 'x' }], { name: 'dup-2', ports: ['a:1'] }),
      slice('hl/dup', [{ ip: 'fd00::1', hostname: 'x' }], { name: 'dup-3', ports: ['c:3'] }),
    ),
  )
  await check(t, served, [
    ['dup.hl.svc A', 'A 10.0.0.1, A 10.0.0.2'],
    ['dup.hl.svc AAAA', 'AAAA fd00::1'],
    [
      'dup.hl.svc SRV',
      'SRV 0 16 1 x.dup.hl.svc, SRV 0 16 2 x.dup.hl.svc, SRV 0 16 1 y.dup.hl.svc, SRV 0 16 2 y.dup.hl.svc, SRV 0 16 3 x.dup.hl.svc + x.dup.hl.svc A 10.0.0.1, y.dup.hl.svc A 10.0.0.2, x.dup.hl.svc AAAA fd00::1',
    ],
    ['x.dup.hl.svc A', 'A 10.0.0.1'],
    ['x.dup.hl.svc AAAA', 'AAAA fd00::1'],
    [
      '_a._tcp.dup.hl.svc SRV',
      'SRV 0 33 1 x.dup.hl.svc, SRV 0 33 1 y.dup.hl.svc + x.dup.hl.svc A 10.0.0.1, y.dup.hl.svc A 10.0.0.2',
    ],
  ])
  const many = Array.from({ length: 150 }, (_, i) => `10.1.0.${i}`)
  const big = await serveCluster(
    t,
    cluster(service('hl/big', { ip: 'None' }), slice('hl/big', many, { ports: ['a:1'] })),
  )
  const [first] = (await big.ask('big.hl.svc.cluster.local SRV', { protocol: 'tcp' })).split('\n')
  t.match(first, / SRV 0 1 1 /, 'the weight is at least 1')
})

t.test('how an endpoint is called', async t => {
  const objects = [
    service('hl/s', { ip: 'None' }),
    slice('hl/s', [
      { ip: '10.0.0.1', target: 'pod-1' },
      { ip: '10.0.0.2', target: 'pod-2', hostname: 'host' },
      { ip: '10.0.0.3', target: 'with.dots' },
      { ip: '10.0.0.4', target: 'x'.repeat(64) },
      { ip: '10.0.0.5', target: 'x'.repeat(63) },
    ]),
  ]
  await check(t, await serveCluster(t, cluster(...objects)), [
    ['pod-1.s.hl.svc A', 'NXDOMAIN'],
    ['10-0-0-1.s.hl.svc A', 'A 10.0.0.1'],
    ['host.s.hl.svc A', 'A 10.0.0.2'],
    ['HOST.s.hl.svc A', 'A 10.0.0.2'],
  ])
  await check(t, await serveCluster(t, cluster(...objects), { options: 'endpoint_pod_names' }), [
    ['pod-1.s.hl.svc A', 'A 10.0.0.1'],
    ['10-0-0-1.s.hl.svc A', 'NXDOMAIN'],
    ['host.s.hl.svc A', 'A 10.0.0.2'],
    ['pod-2.s.hl.svc A', 'NXDOMAIN'],
    ['with.dots.s.hl.svc A', 'NXDOMAIN'],
    ['10-0-0-4.s.hl.svc A', 'A 10.0.0.4'],
    [`${'x'.repeat(63)}.s.hl.svc A`, 'A 10.0.0.5'],
    ['3.0.0.10.in-addr.arpa. PTR', 'PTR with.dots.s.hl.svc'],
  ])
})

t.test('slices of names', async t => {
  const served = await serveCluster(
    t,
    cluster(
      service('hl/names', { ip: 'None' }),
      slice('hl/names', ['web.shop.svc.cluster.local'], { ports: ['http:80'] }),
      service('hl/mixed', { ip: 'None' }),
      slice('hl/mixed', ['10.0.0.1'], { ports: ['http:80'] }),
      slice('hl/mixed', ['web.shop.svc.cluster.local'], { ports: ['http:80'] }),
      service('shop/web', { ip: '10.96.0.1' }),
    ),
  )
  await check(t, served, [
    ['names.hl.svc A', 'CNAME web.shop.svc, web.shop.svc A 10.96.0.1'],
    ['names.hl.svc SRV', 'NODATA'],
    ['names.hl.svc CNAME', 'CNAME web.shop.svc'],
    ['mixed.hl.svc SRV', 'SRV 0 100 80 10-0-0-1.mixed.hl.svc + 10-0-0-1.mixed.hl.svc A 10.0.0.1'],
  ])
})

t.test('slices without a service, and without its name', async t => {
  const served = await serveCluster(
    t,
    cluster(
      slice('hl/orphan', [{ ip: '10.0.0.1', hostname: 'lost' }]),
      slice('hl/nolabel', ['10.0.0.2'], { unlabelled: true }),
    ),
  )
  await check(t, served, [
    ['orphan.hl.svc A', 'NXDOMAIN'],
    ['lost.orphan.hl.svc A', 'NXDOMAIN'],
    ['1.0.0.10.in-addr.arpa. PTR', 'PTR lost.orphan.hl.svc'],
    ['2.0.0.10.in-addr.arpa. PTR', 'NXDOMAIN'],
  ])
})

t.test('names by topology zone, with `zonal`', async t => {
  const objects = [
    service('hl/z', { ip: 'None', ports: ['http:80'] }),
    slice(
      'hl/z',
      [
        { ip: '10.0.0.1', zone: 'eu.west-1a' },
        { ip: '10.0.0.2', zone: 'B' },
        '10.0.0.3',
        { ip: '10.0.0.4', zone: 'B', ready: false },
      ],
      { ports: ['http:80'] },
    ),
    service('hl/ip', { ip: '10.96.0.1' }),
  ]
  await check(t, await serveCluster(t, cluster(...objects), { options: 'zonal' }), [
    ['b.pin._zone.z.hl.svc A', 'A 10.0.0.2'],
    ['eu.west-1a.pin._zone.z.hl.svc A', 'A 10.0.0.1'],
    ['EU.West-1A.PIN._zone.z.hl.svc A', 'A 10.0.0.1'],
    ['b.prefer._zone.z.hl.svc A', 'A 10.0.0.2'],
    ['b.prefer._zone.z.hl.svc SRV', 'SRV 0 100 80 10-0-0-2.z.hl.svc + 10-0-0-2.z.hl.svc A 10.0.0.2'],
    ['nosuch.pin._zone.z.hl.svc A', 'NODATA'],
    ['nosuch.prefer._zone.z.hl.svc A', 'A 10.0.0.1, A 10.0.0.2, A 10.0.0.3'],
    ['b.nosuch._zone.z.hl.svc A', 'NXDOMAIN'],
    ['pin._zone.z.hl.svc A', 'NXDOMAIN'],
    ['b.pin._zone.ip.hl.svc A', 'NXDOMAIN'],
    ['b.pin._zone.nosuch.hl.svc A', 'NXDOMAIN'],
  ])
  await check(t, await serveCluster(t, cluster(...objects)), [
    ['b.pin._zone.z.hl.svc A', 'NXDOMAIN'],
    ['b.prefer._zone.z.hl.svc A', 'NXDOMAIN'],
  ])
})

t.test('records stay whole where there is no room for all', async t => {
  const many = Array.from({ length: 1200 }, (_, i) => `10.${i >> 8}.${i & 255}.1`)
  const state = cluster(service('hl/big', { ip: 'None' }), slice('hl/big', many, { ports: ['a:1'] }))
  const served = await serveCluster(t, state)
  const count = async (type: string, options: object) => {
    const lines = (await served.ask(`big.hl.svc.cluster.local ${type}`, options)).split('\n')
    return [lines.filter(line => line.includes(' IN ')).length, lines.at(-1) === '(truncated)']
  }
  t.strictSame(await count('A', { size: 512 }), [28, true])
  t.strictSame(await count('A', { protocol: 'tcp' }), [1200, false])
  const [kept, truncated] = await count('SRV', { protocol: 'tcp' })
  t.equal(truncated, true, '64 KiB is a limit too')
  t.ok((kept as number) > 1000)
})
