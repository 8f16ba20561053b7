/** The judge of the failure tests: it must not call right what was wrong. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { History } from '../e2e/failures/history.ts'

const question = { name: 'web.shop.svc.cluster.local', type: 'A' } as const

t.test('while a change is under way both answers are right', async t => {
  const history = new History(question, 'old')
  const before = performance.now()
  history.change('new')
  const now = performance.now()
  t.equal(history.judge('old', now, now), 'right')
  t.equal(history.judge('new', now, now), 'right')
  t.equal(history.judge('new', before - 2, before - 1), 'false', 'but nobody can know it before')
})

t.test('once the API server has agreed the old answer is right for half a second, and then stale', async t => {
  const history = new History(question, 'old')
  history.change('new')()
  const agreedAt = performance.now()
  t.equal(history.judge('old', agreedAt + 400, agreedAt + 401), 'right')
  t.equal(history.judge('old', agreedAt + 501, agreedAt + 502), 'stale')
  t.equal(history.judge('new', agreedAt + 501, agreedAt + 502), 'right')
})

t.test('what comes back is right again, and what has never been is false', async t => {
  const history = new History(question, 'one')
  history.change('two')()
  await sleep(2)
  history.change('one')()
  const later = performance.now() + 10_000
  t.equal(history.judge('one', later, later), 'right')
  t.equal(history.judge('two', later, later), 'stale')
  for (const answer of ['three', 'silence', 'rcode 2']) t.equal(history.judge(answer, later, later), 'false')
})
