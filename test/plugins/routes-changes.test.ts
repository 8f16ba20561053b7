/** The changes that the `routes` plugin sends: to one who listens, who comes back, and who does not listen well. */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { ChangeStreams, MOST_STREAMS } from '../../src/plugins/routes/change-streams.ts'
import { definition } from '../../src/plugins/routes/index.ts'
import { Journal } from '../../src/plugins/routes/journal.ts'
import { RouteTable } from '../../src/routes/table.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { testClock } from '../helpers/clock.ts'
import { cluster, service, sharedCluster, slice } from '../helpers/cluster.ts'
import { testHub } from '../helpers/http.ts'
import { pluginBench } from '../helpers/plugin.ts'

/** A connection that takes `room` texts before it is full. */
class FakeResponse extends EventEmitter {
  readonly texts: string[] = []
  destroyed = false
  ended = false
  room = Number.POSITIVE_INFINITY

  write(text: string): boolean {
    this.texts.push(text)
    return --this.room > 0
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }

  end(): void {
    this.ended = true
    this.emit('close')
  }

  drain(room = Number.POSITIVE_INFINITY): void {
    this.room = room
    this.emit('drain')
  }

  /** What came since the last call: `EVENT SERVICE [ID]`. */
  events(): string[] {
    return this.texts.splice(0).map(text => {
      const {
        id = '',
        event,
        data,
      } = /^(?:id: (?<id>\S+)\n)?event: (?<event>\w+)\ndata: (?<data>.*)\n\n$/.exec(text)?.groups ?? {}
      if (data === undefined) return text.trim()
      const { service, revision } = JSON.parse(data)
      return [event, service ?? revision, id.replace(/^.*-/, '#')].filter(Boolean).join(' ')
    })
  }
}

const web = (ip: string) => slice('shop/web', [ip], { ports: ['80'] })

function bench() {
  const state = cluster(
    service('shop/web', { ip: '10.96.0.1', ports: ['80'] }),
    web('10.0.0.1'),
    service('shop/db', { ip: 'None' }),
  )
  const table = new RouteTable()
  state.follow(table)
  const clock = testClock()
  const streams = new ChangeStreams(table, { clock, random: () => 0.5 })
  streams.open()
  state.follow({ rebuild: () => undefined, update: (_, { services }) => streams.changed([...services]) })
  const listen = (lastId?: string, room?: number) => {
    const response = new FakeResponse()
    if (room !== undefined) response.room = room
    streams.serve(response as unknown as ServerResponse, lastId)
    return response
  }
  return { state, table, clock, streams, listen }
}

/** The id of the last event that has one. */
function lastId({ texts }: FakeResponse): string {
  return texts.map(text => /^id: (\S+)$/m.exec(text)?.[1]).findLast(id => id !== undefined)!
}

t.test('first everything, then each change', t => {
  const { state, table, listen } = bench()
  const first = table.revision
  const response = listen()
  t.match(response.texts[1], /"destinations":\[\{.*"address":"10\.0\.0\.1:80"/)
  t.match(response.texts[2], /"without":\{"reason":"headless"/)
  t.strictSame(response.events(), [
    `snapshot ${first}`,
    'service shop/web',
    'service shop/db',
    `synced ${first} #${first}`,
  ])
  state.upsert(web('10.0.0.2'))
  t.match(response.texts[0], /"address":"10\.0\.0\.2:80"/)
  t.strictSame(response.events(), [`service shop/web #${first + 1}`])
  state.remove('Service', 'shop/db')
  t.strictSame(response.events(), [`removed shop/db #${first + 2}`])
  t.end()
})

t.test('who comes back hears what it has missed', t => {
  const { state, table, listen } = bench()
  const response = listen()
  const id = lastId(response)
  response.destroy()
  state.upsert(web('10.0.0.2'))
  state.upsert(service('shop/new', { ip: '10.96.0.2', ports: ['80'] }))
  state.upsert(web('10.0.0.3'))
  t.strictSame(listen(id).events(), [
    ': resumed',
    `service shop/new #${table.revision - 1}`,
    `service shop/web #${table.revision}`,
  ])
  t.strictSame(listen(id.replace(/-.*/, `-${table.revision}`)).events(), [': resumed'])
  for (const unknown of ['other-1', id.replace(/-.*/, '-999'), id.replace(/-.*/, '-0'), 'nonsense', `${id}x`])
    t.match(listen(unknown).events()[0], /^snapshot/, unknown)
  t.end()
})

t.test('of changes made together the last one has the id', t => {
  const { streams, table, listen } = bench()
  const response = listen()
  response.events()
  streams.changed(['shop/web', 'shop/db'])
  t.strictSame(response.events(), ['service shop/web', `service shop/db #${table.revision}`])
  t.end()
})

t.test('a slow listener hears of each service once, as it is then', t => {
  const { state, table, listen } = bench()
  const response = listen(undefined, 1)
  const first = table.revision
  t.strictSame(response.events(), [`snapshot ${first}`])
  for (let i = 2; i < 200; i++) state.upsert(web(`10.0.0.${i}`))
  t.strictSame(response.events(), [], 'it takes nothing now')
  response.drain()
  t.match(response.texts.at(-1), /10\.0\.0\.199/)
  t.strictSame(response.events(), [
    'service shop/db',
    `synced ${first} #${first}`,
    `service shop/web #${table.revision}`,
  ])
  t.end()
})

t.test('who takes nothing for half a minute is cut off', t => {
  const { clock, listen } = bench()
  const slow = listen(undefined, 1)
  const good = listen()
  clock.advance(29_999)
  t.equal(slow.destroyed, false)
  clock.advance(1)
  t.equal(slow.destroyed, true)
  const recovered = listen(undefined, 1)
  clock.advance(20_000)
  recovered.drain()
  clock.advance(20_000)
  t.equal(recovered.destroyed, false)
  t.equal(good.texts.filter(text => text === ': still here\n\n').length, 4, 'each 15 s')
  slow.texts.length = 0
  clock.advance(60_000)
  t.strictSame(slow.texts, [], 'nothing is written to what is closed')
  t.end()
})

t.test('an account of very many services goes on when the event loop has gone round', async t => {
  const { state, listen } = bench()
  for (let i = 0; i < 250; i++) state.upsert(service(`many/s${i}`, { ip: 'None' }))
  const response = listen()
  t.equal(response.events().length, 101)
  await new Promise(setImmediate)
  t.equal(response.events().length, 100)
  await new Promise(setImmediate)
  t.match(response.events().at(-1), /^synced/)
})

t.test('there is an end to how many may listen', t => {
  const { listen, streams } = bench()
  const all = Array.from({ length: MOST_STREAMS }, () => listen())
  t.equal(streams.full, true)
  all[0]!.destroy()
  t.equal(streams.full, false)
  streams.close()
  t.equal(
    all.slice(1).every(({ ended }) => ended),
    true,
  )
  t.end()
})

t.test('the journal forgets the oldest', t => {
  const journal = new Journal(5, 2)
  journal.note('a', 6)
  journal.note('b', 7)
  journal.note('a', 8)
  t.strictSame(journal.since(5), [
    ['b', 7],
    ['a', 8],
  ])
  t.strictSame(journal.since(7), [['a', 8]])
  t.equal(journal.since(4), undefined)
  journal.note('c', 9)
  t.equal(journal.since(6), undefined, 'b may have changed since')
  t.strictSame(journal.since(7), [
    ['a', 8],
    ['c', 9],
  ])
  t.end()
})

/** The events of a real connection, one at a time. */
async function* eventsFrom(t: Test, url: string, headers: Record<string, string> = {}) {
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const response = await fetch(url, { headers, signal: abort.signal })
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 2)
    }
  }
}

t.test('over HTTP, and past a reload', async t => {
  const http = testHub(t)
  const pool = new ResourcePool()
  const state = cluster(service('shop/web', { ip: '10.96.0.1', ports: ['80'] }))
  const { port, release } = await http.claim('127.0.0.1:0', {}, 'test')
  await release()
  const start = async () => {
    const resources = pool.generation()
    const { plugin } = pluginBench(definition, `routes 127.0.0.1:${port}\nkubernetes`, {
      plugins: [{ name: 'kubernetes', shares: sharedCluster(state) }],
      context: { http, resources },
    })
    await plugin.start?.()
    return async () => {
      await plugin.stop?.()
      await resources.release()
    }
  }
  const stopOld = await start()
  const url = `http://127.0.0.1:${port}/routes/changes`
  while ((await fetch(url, { method: 'HEAD' })).status === 503) await new Promise(setImmediate)
  const events = eventsFrom(t, url)
  const next = async () => (await events.next()).value as string
  t.match(await next(), /^event: snapshot\n/)
  t.match(await next(), /^event: service\n/)
  t.match(await next(), /^id: \S+\nevent: synced\n/)
  const stopNew = await start()
  await stopOld()
  state.upsert(web('10.0.0.9'))
  const change = await next()
  t.match(change, /^id: \S+\nevent: service\ndata: .*10\.0\.0\.9:80/)
  const resumed = eventsFrom(t, url, { 'last-event-id': /^id: (\S+)/.exec(change)![1]! })
  t.equal((await resumed.next()).value, ': resumed')
  await stopNew()
  await t.rejects(events.next(), 'the end of the plugin is the end of the connection')
})
