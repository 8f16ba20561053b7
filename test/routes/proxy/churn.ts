/**
 * Connections through the proxy while its backends come and go in every way: they die and are restarted, they are in the
 * EndpointSlice and listen no more (or do not yet), they are removed from it. One at least is always alive.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { UserspaceProxy } from '../../../src/routes/proxy/proxy.ts'
import { settingOf } from '../../../src/routes/setting.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'
import { seeded } from '../choice/backends.ts'
import { host, ipOf, listening, port } from './lab.ts'

export interface ChurnOptions {
  readonly connections: number
  /** How many are under way at a time. Default: 50. */
  readonly atATime?: number
  readonly seed: number
  readonly affinitySeconds?: number
  /**
   * Whether clients speak before they have heard the backend's greeting. Then a backend that dies with a connection in its queue, which
   * its kernel has accepted and it has not, may have heard them, so that nobody can ask another in their stead: they are reset.
   */
  readonly speaksFirst?: boolean
}

export interface ChurnReport {
  /** What the clients got where it was not the answer. */
  readonly failures: string[]
  /** Clients for which the proxy found no backend. */
  readonly turnedAway: number
  /** Connections by backend. */
  readonly served: Readonly<Record<number, number>>
  readonly changes: Readonly<Record<Change, number>>
  /** Attempts at backends that did not accept, which no client noticed. */
  readonly retries: number
  readonly tookMs: number
  /** The worst time from the connection to the end of the answer. */
  readonly slowestMs: number
}

type Change = 'die' | 'start' | 'remove' | 'add'

const size = 6

export async function churn(options: ChurnOptions): Promise<ChurnReport> {
  const { connections, atATime = 50, seed, affinitySeconds = 0, speaksFirst = false } = options
  const draw = seeded(seed)
  const state = cluster(service('a/web', { ip: '10.96.0.1', ports: [`${port}`], affinitySeconds }))
  const table = new RouteTable()
  state.follow(table)
  const told = { 'gets another': 0, 'turned away': 0 }
  const write = (line: string) => {
    for (const words of ['gets another', 'turned away'] as const) if (line.includes(words)) told[words]++
  }
  const setting = settingOf({ family: 'IPv4', node: { name: '', zone: '', internalIPs: [] } })
  const proxy = new UserspaceProxy({
    routes: table,
    families: ['IPv4'],
    settingOf: () => setting,
    listen: host,
    scheduler: 'rr',
    idleMs: 1000,
    clock: systemClock,
    random: draw,
    log: logger({ format: 'text', debug: true, write }),
  })
  const backends = Array.from({ length: size }, (_, i) => new Backend(i + 1))
  const members = new Set(backends)
  const publish = () => {
    state.upsert(
      slice(
        'a/web',
        [...members].map(({ number }) => ipOf(number)),
        { ports: [`${port}`] },
      ),
    )
    return proxy.sync()
  }
  for (const backend of backends) await backend.start()
  await publish()
  await proxy.start()

  const changes = { die: 0, start: 0, remove: 0, add: 0 }
  /** One that is in the slice and listens, besides this one. */
  const others = (backend: Backend) => [...members].some(other => other !== backend && other.listens)
  const change = async () => {
    const backend = backends[Math.floor(draw() * size)]!
    const kind: Change = draw() < 0.5 ? (backend.listens ? 'die' : 'start') : members.has(backend) ? 'remove' : 'add'
    if ((kind === 'die' || kind === 'remove') && !others(backend)) return
    changes[kind]++
    if (kind === 'die') backend.die()
    if (kind === 'start') await backend.start()
    if (kind === 'remove') members.delete(backend)
    if (kind === 'add') members.add(backend)
    if (kind === 'remove' || kind === 'add') await publish()
  }

  const failures: string[] = []
  const served: Record<number, number> = {}
  let begun = 0
  let slowestMs = 0
  const began = performance.now()
  const client = async () => {
    while (begun < connections) {
      const text = `${begun++}`
      const start = performance.now()
      const answer = await ask(text, speaksFirst)
      slowestMs = Math.max(slowestMs, performance.now() - start)
      const [, number, said] = /^(\d+):(.*)$/.exec(answer) ?? []
      if (said !== text) failures.push(`${text}: ${answer}`)
      else served[Number(number)] = (served[Number(number)] ?? 0) + 1
    }
  }
  const clients = Promise.all(Array.from({ length: atATime }, client))
  let over = false
  const changing = (async () => {
    while (!over) {
      await change()
      for (let i = Math.floor(draw() * 4); i >= 0; i--) await setImmediate()
    }
  })()
  await clients
  over = true
  await changing
  await proxy.close(1000)
  for (const backend of backends) backend.die()
  const { 'gets another': retries, 'turned away': turnedAway } = told
  return { failures, turnedAway, served, changes, retries, tookMs: performance.now() - began, slowestMs }
}

class Backend {
  readonly number: number
  #server: Server | undefined

  constructor(number: number) {
    this.number = number
  }

  get listens(): boolean {
    return this.#server !== undefined
  }

  async start(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, socket => this.#serve(socket))
    await listening(server, ipOf(this.number))
    this.#server = server
  }

  /** As a process that is told to end: what it has accepted it still answers. */
  die(): void {
    this.#server?.close()
    this.#server = undefined
  }

  #serve(socket: Socket): void {
    socket.on('error', () => undefined)
    socket.write(`${this.number}:`)
    socket.pipe(socket)
  }
}

function ask(text: string, speaksFirst: boolean): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host, port, allowHalfOpen: true })
    let heard = ''
    socket.setEncoding('utf8').on('data', chunk => {
      if (heard === '' && !speaksFirst) socket.end(text)
      heard += chunk
    })
    socket.on('error', error => resolve(`${error.message} after "${heard}"`))
    socket.on('close', () => resolve(heard))
    if (speaksFirst) socket.end(text)
  })
}
