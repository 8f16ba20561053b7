import t from 'tap'
import { addressOctets, reverseName } from '../../src/wire/address.ts'
import { textFromKey } from '../../src/wire/name.ts'
import { cluster, namespace, pod, service, slice } from '../helpers/cluster.ts'
import { check, serveCluster } from './asking.ts'

const ptr = (address: string) => `${textFromKey(reverseName(addressOctets(address)!))} PTR`

t.test('a cluster address has the name of its service, an endpoint one for each service', async t => {
  const state = cluster(
    service('shop/web', {
      ip: ['10.96.0.1', 'fd00:96::1'],
      externalIPs: ['192.0.2.1'],
      loadBalancerIPs: ['192.0.2.2'],
    }),
    slice('shop/web', [{ ip: '10.244.0.1', hostname: 'one' }, '10.244.0.2', { ip: '10.244.0.3', ready: false }]),
    service('shop/again', { ip: 'None' }),
    slice('shop/again', ['10.244.0.1']),
    slice('shop/again', ['fd00:244::1']),
    slice('hl/third', ['10.244.0.1', '10.244.0.1']),
    pod('shop/alone', '10.244.0.9'),
  )
  await check(t, await serveCluster(t, state), [
    [ptr('10.96.0.1'), 'PTR web.shop.svc'],
    [ptr('fd00:96::1'), 'PTR web.shop.svc'],
    [ptr('10.244.0.1'), 'PTR 10-244-0-1.third.hl.svc, PTR 10-244-0-1.again.shop.svc, PTR one.web.shop.svc'],
    [ptr('10.244.0.2'), 'PTR 10-244-0-2.web.shop.svc'],
    [ptr('fd00:244::1'), 'PTR fd00-244--1.again.shop.svc'],
    [ptr('10.244.0.3'), 'NXDOMAIN'],
    [ptr('192.0.2.1'), 'NXDOMAIN'],
    [ptr('192.0.2.2'), 'NXDOMAIN'],
    [ptr('10.244.0.9'), 'NXDOMAIN'],
  ])
})

t.test('one address in two spellings is one address, also when one of them goes', async t => {
  const state = cluster(
    service('shop/web', { ip: 'None' }),
    slice('shop/web', ['fd00:0::1'], { name: 'long' }),
    slice('shop/web', ['fd00::1'], { name: 'short' }),
  )
  const served = await serveCluster(t, state)
  await check(t, served, [[ptr('fd00::1'), 'PTR fd00-0--1.web.shop.svc, PTR fd00--1.web.shop.svc']])
  state.remove('EndpointSlice', 'shop/long')
  await check(t, served, [[ptr('fd00::1'), 'PTR fd00--1.web.shop.svc']])
})

t.test('a cluster address goes before endpoints with the same', async t => {
  const state = cluster(
    service('shop/host', { ip: '10.0.0.1' }),
    service('a/first', { ip: 'None' }),
    slice('a/first', ['10.0.0.1']),
  )
  const served = await serveCluster(t, state)
  await check(t, served, [[ptr('10.0.0.1'), 'PTR host.shop.svc']])
  state.remove('Service', 'shop/host')
  await check(t, served, [[ptr('10.0.0.1'), 'PTR 10-0-0-1.first.a.svc']])
  state.remove('EndpointSlice', 'a/first-ipv4')
  await check(t, served, [[ptr('10.0.0.1'), 'NXDOMAIN']])
})

t.test('only whole addresses in their plain spelling have a name', async t => {
  const state = cluster(service('shop/web', { ip: ['10.96.0.1', 'fd00:96::1'] }))
  const nibbles = ptr('fd00:96::1')
  await check(t, await serveCluster(t, state), [
    ['01.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['256.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['1.1.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['x.1.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['1.0.96.10.IN-ADDR.arpa. PTR', 'PTR web.shop.svc'],
    [nibbles.toUpperCase(), 'PTR web.shop.svc'],
    [nibbles.slice(2), 'NXDOMAIN'],
    [`0.${nibbles}`, 'NXDOMAIN'],
  ])
})

t.test('a name of an address has PTR records only', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  await check(
    t,
    await serveCluster(t, state),
    ['A', 'TXT', 'ANY', 'SRV', 'CNAME'].map(type => [`1.0.96.10.in-addr.arpa. ${type}`, 'NXDOMAIN'] as const),
  )
})

t.test('targets lie in the first zone that is not a reverse one', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  const served = await serveCluster(t, state, { zones: '.', origins: 'in-addr.arpa other.test cluster.local' })
  await check(t, served, [
    [ptr('10.96.0.1'), 'PTR web.shop.svc.other.test.'],
    ['web.shop.svc A', 'A 10.96.0.1'],
    ['web.shop.svc.other.test. A', 'A 10.96.0.1'],
  ])
})

t.test('a namespace that does not exist hides no reverse name', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  const served = await serveCluster(t, state)
  state.remove('Namespace', 'shop')
  await check(t, served, [
    ['web.shop.svc A', 'NXDOMAIN'],
    [ptr('10.96.0.1'), 'PTR web.shop.svc'],
  ])
  state.upsert(namespace('shop'))
  await check(t, served, [['web.shop.svc A', 'A 10.96.0.1']])
})

t.test('reverse zones that are not served are another plugin’s', async t => {
  const state = cluster(service('shop/web', { ip: '10.96.0.1' }))
  const served = await serveCluster(t, state, { zones: '.', origins: 'cluster.local' })
  await check(t, served, [[ptr('10.96.0.1'), 'SERVFAIL (no SOA) (no AA)']])
})
