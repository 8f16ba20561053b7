import { readFileSync } from 'node:fs'
import t from 'tap'
import { conntrackCheck, conntrackFacts } from '../../../src/client/doctor/conntrack.ts'
import type { ConntrackFiles } from '../../../src/client/doctor/world.ts'
import { examined, skipped, told, world } from './world.ts'

const statistics = readFileSync('test/fixtures/proc/nf_conntrack', 'utf8')
const none: ConntrackFiles = { where: 'node n1', statistics: undefined, count: undefined, max: undefined }
const calm = 'entries insert_failed drop early_drop\n00000001 00000000 00000000 00000000\n'

function having(files: Partial<ConntrackFiles>) {
  return world([], { conntrack: { ...none, ...files } })
}

t.test('conntrack: hexadecimal, a line for each processor', async t => {
  t.same(conntrackFacts({ ...none, statistics, count: '1200\n', max: '262144\n' }), {
    insertFailed: 4711,
    drop: 0,
    earlyDrop: 0,
    count: 1200,
    max: 262144,
  })
})

t.test('conntrack: what is well', async t => {
  const { summary, findings } = await examined(conntrackCheck, having({ statistics: calm, count: '7', max: '100' }))
  t.same(findings, [])
  t.equal(summary, 'node n1: 0 failed insertions, 0 drops, 7 of 100 entries')
})

t.test('conntrack: failures, few and many', async t => {
  const failing = (count: number) => having({ statistics: calm.replace('00000000', count.toString(16)) })
  t.same(await told(conntrackCheck, failing(3)), ['warning: insert_failed is 3'])
  t.same(await told(conntrackCheck, failing(500)), [
    'fault: node n1 has failed to insert 500 connections (insert_failed)',
  ])
})

t.test('conntrack: full, and full at times', async t => {
  t.same(await told(conntrackCheck, having({ count: '95', max: '100' })), [
    'fault: the table of node n1 is full: 95 of 100 entries',
  ])
  const dropped = 'insert_failed drop early_drop\n0 2 5\n'
  t.same(await told(conntrackCheck, having({ statistics: dropped })), [
    'warning: 2 packets were dropped, 5 connections given up for others',
  ])
})

t.test('conntrack: a kernel without it', async t => {
  t.equal(await skipped(conntrackCheck, having({})), 'node n1 has no conntrack')
})
