import t from 'tap'
import { unreadiness } from '../../src/client/readiness.ts'
import { object, pod } from '../helpers/cluster.ts'

const since = { lastTransitionTime: '2026-01-01T12:00:00Z' }

function why(condition: object | undefined, containerStatuses: readonly object[] = [], phase = 'Running') {
  const containers = containerStatuses.map(status => ({ name: 'name' in status ? status.name : '' }))
  const conditions = condition && [{ type: 'Ready', ...condition }]
  return unreadiness(
    object('Pod', 'shop/web', { spec: { containers }, status: { phase, conditions, containerStatuses } }),
  )
}

t.test('readiness: a pod that is ready needs no reason', async t => {
  t.equal(why({ status: 'True' }), undefined)
  t.equal(why(undefined), undefined, 'a manifest without status')
  t.equal(unreadiness(pod('shop/web', '10.0.0.1')), undefined, 'without details')
})

t.test('readiness: what the containers do', async t => {
  const running = { state: { running: { startedAt: '2026-01-01T08:00:00Z' } } }
  const waiting = { state: { waiting: { reason: 'ImagePullBackOff' } } }
  const statuses = [
    { name: 'web', ready: false, ...running },
    { name: 'side', ready: true, ...running },
    { name: 'log', ready: false, ...waiting },
  ]
  t.equal(
    why({ status: 'False', reason: 'ContainersNotReady', ...since }, statuses),
    'pod shop/web is not ready since 2026-01-01T12:00:00Z: container web runs and fails its readiness probe; container log does not run (ImagePullBackOff)',
  )
})

t.test('readiness: what the pod says', async t => {
  t.equal(
    why({ status: 'False', reason: 'ReadinessGatesNotReady', message: 'gate x' }, [{ name: 'web', ready: true }]),
    'pod shop/web is not ready: ReadinessGatesNotReady, gate x',
  )
  t.equal(why({ status: 'Unknown' }), 'pod shop/web is not ready: no reason is given')
  t.equal(why(undefined, [], 'Failed'), 'pod shop/web has ended (Failed)')
  t.equal(why(undefined, [], 'Pending'), 'pod shop/web is Pending, on no node')
  t.equal(unreadiness(pod('shop/web', [], { phase: 'Pending', node: 'n' })), 'pod shop/web is Pending')
  t.equal(unreadiness(pod('shop/web', [], { terminating: true })), 'pod shop/web is being deleted')
})
