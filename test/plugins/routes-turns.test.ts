/** Long work of the `routes` plugin, which shares its thread with queries. */
import t from 'tap'
import { handlers } from '../../src/plugins/routes/requests.ts'
import { ServedRoutes } from '../../src/plugins/routes/served-routes.ts'
import { Turns } from '../../src/plugins/routes/turns.ts'
import { testClock } from '../helpers/clock.ts'
import { cluster, service, sharedCluster } from '../helpers/cluster.ts'
import { testHub } from '../helpers/http.ts'

const settled = () => new Promise(setImmediate)

t.test('one at a time, and a pause as long as the work took', async t => {
  const clock = testClock()
  const turns = new Turns(clock, 3)
  const done: string[] = []
  const work = (name: string, ms: number) =>
    turns.take(() => {
      clock.advance(ms)
      done.push(name)
    })
  const all = [work('long', 500), work('short', 19), work('last', 1)]
  t.equal(turns.full, true)
  await settled()
  t.same(done, ['long'])
  clock.advance(499)
  await settled()
  t.same(done, ['long'])
  clock.advance(1)
  await settled()
  t.same(done, ['long', 'short', 'last'], 'what is short leaves no pause')
  await Promise.all(all)
  t.equal(turns.full, false)
})

t.test('work that fails ends its turn', async t => {
  const turns = new Turns(testClock(), 1)
  await t.rejects(
    turns.take(() => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  t.equal(turns.full, false)
  let ran = false
  await turns.take(() => {
    ran = true
  })
  t.equal(ran, true)
})

t.test('where too many wait for a list the next one is told to come back, and lookups are answered', async t => {
  const clock = testClock()
  const state = cluster(service('shop/web', { ip: '10.96.0.20', ports: ['80'] }))
  const served = new ServedRoutes(sharedCluster(state), { clock, random: () => 0.5 })
  const http = testHub(t)
  const claim = await http.claim('127.0.0.1:0', handlers(served, new Map()), 'test')
  while ((await http.get('/routes/lookup?address=10.96.0.20:80')).status === 503) await settled()
  await served.turns.take(() => clock.advance(1_000))
  const waiting = []
  while (!served.turns.full) waiting.push(served.turns.take(() => undefined))
  t.match(await http.get('/routes'), { status: 503, body: /too many ask for everything at once/ })
  t.match(await http.get('/routes/render?form=nftables&node=one'), { status: 503 })
  t.match(await http.get('/routes/lookup?address=10.96.0.20:80'), { status: 200 })
  clock.advance(1_000)
  await Promise.all(waiting)
  t.match(await http.get('/routes'), { status: 200 })
  await claim.release()
  served.close()
})
