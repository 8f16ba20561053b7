/**
 * A proxy in the place of rules: for each port of a service it listens, and leads each client to a backend that accepts. The oldest
 * mode of kube-proxy (`userspace`, until 1.25), for where nobody may or wants to change a kernel's rules.
 */
import type { Family } from '../../wire/address.ts'
import { type Destination, nameOf, type Route } from '../route.ts'
import type { Setting } from '../setting.ts'
import type { Routes } from '../table.ts'
import { Door, type DoorOptions, type Listening } from './door.ts'
import type { Front } from './front.ts'

export type { Listening } from './door.ts'

export interface ProxyOptions extends DoorOptions {
  readonly routes: Pick<Routes, 'destinations'>
  /** In order of preference: without `virtual` a port has one listener, for the first of them that its service has. */
  readonly families: readonly Family[]
  /** The node that it is for; the same object for as long as nothing of it has changed. */
  settingOf(family: Family): Setting
  /** Which services it is for. Default: all. */
  readonly wants?: (destination: Destination) => boolean
  /** The address that it listens at, whatever a service's own is; undefined for the virtual addresses themselves. */
  readonly listen: string | undefined
}

/** How often what could not be listened for is tried again. */
const RETRY_MS = 10_000

export class UserspaceProxy {
  readonly #options: ProxyOptions
  readonly #doors = new Map<string, Door>()
  /** Closed, with connections that go on. */
  readonly #retired = new Set<Front>()
  #turn: Promise<void> = Promise.resolve()
  #queued = false
  #started = false
  #closed = false
  #stopRetrying: () => void = () => undefined

  constructor(options: ProxyOptions) {
    this.#options = options
  }

  /** What listens where, and what does not, in the order of services. */
  get listening(): Listening[] {
    return [...this.#wanted().keys()].flatMap(key => this.#doors.get(key)?.row ?? [])
  }

  /** Listens for what there is. From then on `sync` tells it of changes. */
  async start(): Promise<void> {
    await this.sync()
    this.#started = true
    const timer = this.#options.clock.every(RETRY_MS, () => void this.sync())
    this.#stopRetrying = () => timer.cancel()
  }

  /** Resolves when everything is as the routes were at this moment or later. Never rejects. */
  sync(): Promise<void> {
    if (!this.#queued) {
      this.#queued = true
      this.#turn = this.#turn.then(() => {
        this.#queued = false
        return this.#apply()
      })
    }
    return this.#turn
  }

  /** Listens no more; connections may end by themselves for `graceMs`, then they are reset. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true
    this.#stopRetrying()
    await this.#turn
    const fronts = [...this.#retired, ...[...this.#doors.values()].flatMap(({ front }) => front ?? [])]
    const ended = Promise.all(fronts.map(front => front.close()))
    const timer = this.#options.clock.after(graceMs, () => {
      for (const front of fronts) front.abort()
    })
    await ended
    timer.cancel()
  }

  async #apply(): Promise<void> {
    if (this.#closed) return
    const wanted = this.#wanted()
    for (const [key, door] of this.#doors) if (!wanted.has(key)) this.#retire(key, door)
    for (const [key, route] of wanted) {
      const door = this.#doors.get(key) ?? new Door(route, this.#options)
      this.#doors.set(key, door)
      door.lead(route, this.#options.settingOf(route.destination.family))
    }
    for (const [key, route] of wanted) {
      if (this.#closed) return
      await this.#open(this.#doors.get(key)!, route)
    }
  }

  async #open(door: Door, { ip, port }: Route): Promise<void> {
    const { listen, log } = this.#options
    const changed = listen === undefined ? await door.open(ip, [port]) : await door.open(listen, portsNear(port))
    if (!changed || !this.#started) return
    const { service, virtual, local, problem } = door.row
    if (local !== undefined) log.info(`${service}: ${virtual} is at ${local}`)
    else log.warning(`${service}: ${virtual} is not listened for: ${problem}`)
  }

  #retire(key: string, door: Door): void {
    const { front, row } = door
    this.#doors.delete(key)
    if (row.local !== undefined)
      this.#options.log.info(`${row.service}: ${row.virtual} is gone, and ${row.local} closed`)
    if (front === undefined) return
    this.#retired.add(front)
    void front.close().then(() => this.#retired.delete(front))
  }

  /** The routes to listen for, by what tells them apart. */
  #wanted(): Map<string, Route> {
    const { routes, families, listen, wants = () => true } = this.#options
    const found = new Map<string, Route>()
    for (const family of families) {
      for (const destination of routes.destinations()) {
        if (destination.family !== family || !wants(destination)) continue
        for (const [key, route] of listen === undefined ? ofAddresses(destination) : ofPort(destination)) {
          if (!found.has(key)) found.set(key, route)
        }
      }
    }
    return found
  }
}

/** Each address has a listener; the first service has one that several claim. */
function* ofAddresses(destination: Destination): Iterable<[string, Route]> {
  const { protocol } = destination
  for (const address of destination.addresses) {
    yield [`${address.ip} ${address.port} ${protocol}`, { ...address, protocol, destination }]
  }
}

/** Each port of a service has one, for its cluster address. */
function* ofPort(destination: Destination): Iterable<[string, Route]> {
  const { protocol } = destination
  const address = destination.addresses[0]!
  yield [`${nameOf(destination)} ${protocol} ${address.port}`, { ...address, protocol, destination }]
}

/** The same port, or else the next that is free; the lowest ports, which often take root, have their others from 8000 on: 80 at 8080. */
function* portsNear(port: number): Iterable<number> {
  yield port
  const first = port < 1024 ? port + 8000 : port + 1
  for (let other = first; other < first + 1000 && other < 65_536; other++) yield other
}
