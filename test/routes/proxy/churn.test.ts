/** No connection is refused while one backend is alive. `npm run stress:proxy` does it with 10,000 and more. */
import t from 'tap'
import { churn } from './churn.ts'

for (const affinitySeconds of [0, 60]) {
  t.test(`2,000 connections while backends come and go, affinity ${affinitySeconds} s`, async t => {
    const { failures, turnedAway, served, changes, retries } = await churn({
      connections: 2000,
      seed: 1,
      affinitySeconds,
    })
    t.same(failures, [])
    t.equal(turnedAway, 0)
    for (const [kind, count] of Object.entries(changes)) t.ok(count > 20, `${count} × ${kind}`)
    t.ok(retries > 20, `${retries} attempts were in vain`)
    if (affinitySeconds === 0) t.equal(Object.keys(served).length, 6, 'each had its share')
  })
}

t.test('2,000 clients that speak first', async t => {
  const { failures, turnedAway } = await churn({ connections: 2000, seed: 2, speaksFirst: true })
  t.equal(turnedAway, 0)
  t.ok(failures.length < 10, `${failures.length} were in the queue of a backend that died`)
  t.same(
    failures.filter(failure => !/^\d+: read ECONNRESET after ""$/.test(failure)),
    [],
  )
})
