import t from 'tap'
import { cluster, namespace, pod } from '../helpers/cluster.ts'
import { check, serveCluster } from './asking.ts'

const sample = () =>
  cluster(
    namespace('empty'),
    pod('shop/a', '10.244.0.1'),
    pod('shop/b', ['10.244.0.2', 'fd00:244::2']),
    pod('shop/pending', '10.244.0.3', { phase: 'Pending' }),
    pod('shop/done', '10.244.0.4', { phase: 'Succeeded' }),
    pod('shop/failed', '10.244.0.5', { phase: 'Failed' }),
    pod('shop/leaving', '10.244.0.6', { terminating: true }),
    pod('shop/zeros', '2001:db8:5::'),
    pod('shop/spelled', '2001:db8:0:0:0:0:0:7'),
    pod('shop/same', '10.244.0.1', { labels: { app: 'x' } }),
    pod('shop/unassigned', []),
  )

t.test('disabled: no pod has a name', async t => {
  for (const options of ['', 'pods disabled']) {
    await check(t, await serveCluster(t, sample(), { options }), [
      ['10-244-0-1.shop.pod A', 'NXDOMAIN'],
      ['shop.pod A', 'NXDOMAIN'],
      ['pod A', 'NODATA'],
    ])
  }
})

t.test('insecure: every address in every namespace', async t => {
  await check(t, await serveCluster(t, sample(), { options: 'pods insecure' }), [
    ['10-244-0-1.shop.pod A', 'A 10.244.0.1'],
    ['10-244-0-1.shop.pod AAAA', 'NODATA'],
    ['192-0-2-99.empty.pod A', 'A 192.0.2.99'],
    ['10-244-0-1.nosuch.pod A', 'NXDOMAIN'],
    ['2001-db8--1.shop.pod AAAA', 'AAAA 2001:db8::1'],
    ['2001-db8--1.shop.pod A', 'NODATA'],
    ['1-2-3-4-5-6-7-8.shop.pod AAAA', 'AAAA 1:2:3:4:5:6:7:8'],
    ['--1.shop.pod AAAA', 'AAAA ::1'],
    ['2001-db8--.shop.pod AAAA', 'AAAA 2001:db8::'],
    ['2001-db8--0.shop.pod AAAA', 'AAAA 2001:db8::'],
    ['--ffff-10-0-0-1.shop.pod A', 'NODATA'],
    ['--ffff-a00-1.shop.pod A', 'A 10.0.0.1'],
    ['010-0-0-1.shop.pod A', 'NXDOMAIN'],
    ['256-0-0-1.shop.pod A', 'NXDOMAIN'],
    ['1-2-3.shop.pod A', 'NXDOMAIN'],
    ['1-2-3-4-5.shop.pod A', 'NXDOMAIN'],
    ['name.shop.pod A', 'NXDOMAIN'],
    ['10-244-0-1.pod A', 'NXDOMAIN'],
  ])
})

t.test('SRV, and labels in front, which are passed over', async t => {
  await check(t, await serveCluster(t, sample(), { options: 'pods insecure' }), [
    ['10-0-0-1.shop.pod SRV', 'SRV 0 100 0 10-0-0-1.shop.pod + 10-0-0-1.shop.pod A 10.0.0.1'],
    ['x.10-0-0-1.shop.pod A', 'A 10.0.0.1'],
    ['a.b.10-0-0-1.shop.pod A', 'A 10.0.0.1'],
    ['a.b.c.10-0-0-1.shop.pod A', 'NXDOMAIN'],
    ['10-0-0-1.shop.pod TXT', 'NODATA'],
    ['10-0-0-1.shop.pod ANY', 'NODATA'],
  ])
})

t.test('verified: the addresses of pods that run or will', async t => {
  await check(t, await serveCluster(t, sample(), { options: 'pods verified' }), [
    ['10-244-0-1.shop.pod A', 'A 10.244.0.1'],
    ['10-244-0-1.shop.pod SRV', 'SRV 0 50 0 10-244-0-1.shop.pod + 10-244-0-1.shop.pod A 10.244.0.1'],
    ['10-244-0-1.empty.pod A', 'NXDOMAIN'],
    ['10-244-0-1.nosuch.pod A', 'NXDOMAIN'],
    ['10-244-0-2.shop.pod A', 'A 10.244.0.2'],
    ['fd00-244--2.shop.pod AAAA', 'AAAA fd00:244::2'],
    ['10-244-0-3.shop.pod A', 'A 10.244.0.3'],
    ['10-244-0-4.shop.pod A', 'NXDOMAIN'],
    ['10-244-0-5.shop.pod A', 'NXDOMAIN'],
    ['10-244-0-6.shop.pod A', 'NXDOMAIN'],
    ['10-244-0-9.shop.pod A', 'NXDOMAIN'],
    ['x.10-244-0-1.shop.pod A', 'A 10.244.0.1'],
  ])
})

t.test('verified compares text', async t => {
  await check(t, await serveCluster(t, sample(), { options: 'pods verified' }), [
    ['2001-db8-5--.shop.pod AAAA', 'AAAA 2001:db8:5::'],
    ['2001-db8-5--0.shop.pod AAAA', 'NXDOMAIN'],
    ['fd00-244-0-0-0-0-0-2.shop.pod AAAA', 'NXDOMAIN'],
  ])
})

t.test('verified follows pods', async t => {
  const state = cluster(namespace('shop'))
  const served = await serveCluster(t, state, { options: 'pods verified' })
  await check(t, served, [['10-0-0-1.shop.pod A', 'NXDOMAIN']])
  state.upsert(pod('shop/a', '10.0.0.1'))
  await check(t, served, [['10-0-0-1.shop.pod A', 'A 10.0.0.1']])
  state.upsert(pod('shop/a', '10.0.0.1', { phase: 'Failed' }))
  await check(t, served, [['10-0-0-1.shop.pod A', 'NXDOMAIN']])
  state.upsert(pod('shop/b', '10.0.0.1'))
  state.remove('Pod', 'shop/a')
  await check(t, served, [['10-0-0-1.shop.pod A', 'A 10.0.0.1']])
  state.remove('Namespace', 'shop')
  await check(t, served, [['10-0-0-1.shop.pod A', 'NXDOMAIN']])
})

t.test('labels choose pods too', async t => {
  const state = cluster(pod('shop/a', '10.0.0.1', { labels: { app: 'x' } }), pod('shop/b', '10.0.0.2'))
  await check(t, await serveCluster(t, state, { options: 'pods verified\nlabels app=x' }), [
    ['10-0-0-1.shop.pod A', 'A 10.0.0.1'],
    ['10-0-0-2.shop.pod A', 'NXDOMAIN'],
  ])
})
