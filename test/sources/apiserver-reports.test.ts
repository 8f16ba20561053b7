/** What the log says of an API server that comes and goes. */
import t from 'tap'
import { logger } from '../../src/observe/logger.ts'
import { ApiFailure } from '../../src/sources/apiserver/failure.ts'
import { Reports } from '../../src/sources/apiserver/reports.ts'
import { testClock } from '../helpers/clock.ts'

const away = new ApiFailure('unreachable', 'cannot reach it', { advice: 'look' })
const forbidden = new ApiFailure('forbidden', 'cannot list pods')

function bench() {
  const clock = testClock()
  const lines: string[] = []
  const reports = new Reports(logger({ format: 'text', write: line => lines.push(line.trimEnd()) }), clock)
  const kinds = [reports.of('Service'), reports.of('Pod')] as const
  return { clock, lines, reports, services: kinds[0], pods: kinds[1] }
}

t.test('reports: one line when it goes, with the age of what is served, and one when all kinds are back', async t => {
  const { clock, lines, services, pods } = bench()
  services.confirmed()
  pods.confirmed()
  clock.advance(2_000)
  services.failing(away)
  pods.failing(away)
  clock.advance(35_000)
  services.following()
  t.equal(lines.length, 1)
  pods.following()
  t.same(lines, [
    '[WARNING] cannot reach it; look; retrying, and serving what was known 2 s ago',
    '[INFO] the API server is followed again after 35 s',
  ])
})

t.test('reports: nothing is served that was never known', async t => {
  const { lines, services } = bench()
  services.failing(away)
  t.same(lines, ['[WARNING] cannot reach it; look; retrying'])
})

t.test('reports: one that comes and goes does not fill the log', async t => {
  const { clock, lines, services } = bench()
  for (let second = 0; second < 59; second++) {
    services.failing(away)
    services.following()
    clock.advance(1_000)
  }
  t.equal(lines.length, 2)
})

t.test('reports: a long absence so soon after a short one is told at its end', async t => {
  const { clock, lines, services } = bench()
  services.failing(away)
  clock.advance(1_000)
  services.following()
  clock.advance(1_000)
  services.failing(away)
  clock.advance(30_000)
  services.following()
  t.same(lines.slice(1), [
    '[INFO] the API server is followed again after 1 s',
    '[INFO] the API server is followed again after 30 s',
  ])
})

t.test('reports: an absence that lasts is said again each minute', async t => {
  const { clock, lines, services } = bench()
  for (let minute = 0; minute < 3; minute++) {
    services.failing(away)
    clock.advance(60_000)
  }
  t.equal(lines.length, 3)
})

t.test('reports: what is different for a kind is said for each', async t => {
  const { lines, reports, services, pods } = bench()
  services.failing(forbidden)
  pods.failing(forbidden)
  t.equal(lines.length, 2)
  t.match(reports.status(), [
    { kind: 'Service', following: false, problem: 'cannot list pods', staleMs: undefined },
    { kind: 'Pod', following: false, problem: 'cannot list pods', staleMs: undefined },
  ])
  services.following()
  t.match(reports.status()[0], { following: true, problem: undefined })
})
