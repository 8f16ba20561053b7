/** In which order a client tries backends, and how long each may take. */
import t from 'tap'
import { Pool, timeoutsMs } from '../../../src/routes/proxy/pool.ts'
import { testClock } from '../../helpers/clock.ts'
import { backends, numberOf } from '../choice/backends.ts'

function pool(scheduler: 'rr' | 'lc' = 'rr', affinitySeconds = 0, ...numbers: number[]) {
  const clock = testClock()
  const made = new Pool({ scheduler, virtualIP: '10.96.0.1', clock, random: () => 0 })
  const lead = (affinitySeconds: number, ...numbers: number[]) =>
    made.update({ backends: backends(...numbers), affinitySeconds, refuse: () => undefined })
  lead(affinitySeconds, ...numbers)
  return { pool: made, clock, lead }
}

t.test('four rounds of all, with ever more patience', async t => {
  const attempts = pool('rr', 0, 1, 2).pool.attempts('a')
  const turns: string[] = []
  for (let attempt = attempts.next(); attempt !== undefined; attempt = attempts.next()) {
    turns.push(`${numberOf(attempt.backend)}:${attempt.timeoutMs}`)
    attempt.failed('refused')
  }
  t.same(turns, ['2:250', '1:250', '2:500', '1:500', '2:1000', '1:1000', '2:2000', '1:2000'])
  t.same(timeoutsMs, [250, 500, 1000, 2000])
  t.equal(attempts.outcome, '10.0.0.2:80 refused, 10.0.0.1:80 refused')
})

t.test('without backends there is nothing to try', async t => {
  const attempts = pool().pool.attempts('a')
  t.equal(attempts.next(), undefined)
  t.equal(attempts.outcome, 'there are no endpoints')
  const many = pool('rr', 0, 1, 2, 3, 4, 5, 6, 7).pool.attempts('a')
  for (let attempt = many.next(); attempt !== undefined; attempt = many.next()) attempt.failed('refused')
  t.match(many.outcome, /^(10\.0\.0\.\d:80 refused, ){4}10\.0\.0\.3:80 refused and 2 more$/)
})

t.test('who did not accept is tried last, for a while', async t => {
  const { pool: made, clock } = pool('rr', 0, 1, 2)
  const first = () => {
    const attempt = made.attempts('a').next()!
    attempt.ended()
    return numberOf(attempt.backend)
  }
  made.attempts('a').next()!.failed('refused')
  t.same([first(), first(), first()], [1, 1, 1])
  const attempts = made.attempts('b')
  attempts.next()!.failed('refused')
  t.equal(numberOf(attempts.next()?.backend), 2, 'tried, since the other did not accept either')
  clock.advance(2000)
  t.same([first(), first()].sort(), [1, 2])
})

t.test('an attempt counts as a connection', async t => {
  const { pool: made } = pool('lc', 0, 1, 2)
  const [a, b] = [made.attempts('a').next()!, made.attempts('b').next()!]
  t.same([numberOf(a.backend), numberOf(b.backend)], [2, 1])
  b.ended()
  t.equal(numberOf(made.attempts('c').next()?.backend), 1)
})

t.test('affinity moves on with the client', async t => {
  const { pool: made, lead } = pool('rr', 60, 1, 2)
  const attempts = made.attempts('a')
  attempts.next()!.failed('refused')
  attempts.next()!.ended()
  t.equal(numberOf(made.attempts('a').next()?.backend), 1)
  lead(60, 1, 2, 3)
  t.equal(numberOf(made.attempts('a').next()?.backend), 1)
  lead(0, 1, 2, 3)
  t.equal(numberOf(made.attempts('a').next()?.backend), 3, 'the service has none any more')
})
