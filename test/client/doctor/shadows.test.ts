import t from 'tap'
import { capacityCheck } from '../../../src/client/doctor/capacity.ts'
import { shadowsCheck } from '../../../src/client/doctor/shadows.ts'
import { namespace, service, slice } from '../../helpers/cluster.ts'
import { skipped, told, world } from './world.ts'

t.test('shadows: a namespace that is called as a public suffix is', async t => {
  t.same(await told(shadowsCheck, world([namespace('shop'), service('shop/web', { ip: '10.96.0.2' })])), [])
  t.same(await told(shadowsCheck, world([namespace('com')])), [
    'warning: namespace com is called as a public suffix is',
  ])
  t.same(await told(shadowsCheck, world([service('com/github', { ip: '10.96.0.2' })])), [
    'fault: namespace com is called as a public suffix is, and has github.com',
  ])
  t.same(
    await told(shadowsCheck, world([service('qa/web', { ip: '10.96.0.2' })])),
    ['note: namespace qa is called as a public suffix is: web.qa is never the one outside'],
    'a word that people use',
  )
})

t.test('shadows: a service whose endpoints have hostnames', async t => {
  const headless = service('shop/com', { ip: 'None' })
  t.same(await told(shadowsCheck, world([headless, slice('shop/com', ['10.244.1.2'])])), [])
  t.same(await told(shadowsCheck, world([headless, slice('shop/com', [{ ip: '10.244.1.2', hostname: 'github' }])])), [
    'warning: service shop/com is called as a public suffix is, and its endpoints have hostnames: github',
  ])
})

t.test('capacity: Endpoints that were cut off', async t => {
  const many = Array.from({ length: 1_001 }, (_, i) => `10.${i >> 8}.${i & 255}.1`)
  const objects = [service('shop/big', { ip: '10.96.0.2' }), slice('shop/big', many)]
  t.same(await told(capacityCheck, world(objects)), [])
  t.match(await told(capacityCheck, world(objects, { truncated: ['shop/big'] })), [
    /^fault: Endpoints shop\/big was cut off .*holds 1000 addresses at most, of 1001 that its slices have$/,
  ])
  t.equal(await skipped(capacityCheck, world(objects, { truncated: { missing: 'forbidden' } })), 'forbidden')
})
