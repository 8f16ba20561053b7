/** One of the two servers that are compared: it answers from the table what it can, or all through its chain. */
import type { ClusterState } from '../../src/cluster/state.ts'
import { httpHub } from '../../src/net/http-hub.ts'
import type { Random } from '../../src/observe/clock.ts'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import { COUNTER_WORDS, TrafficFolder } from '../../src/observe/traffic-folder.ts'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { directoryOf } from '../../src/server/directory.ts'
import { endpointText, Instance } from '../../src/server/instance.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { responder } from '../../src/server/respond.ts'
import { Answerer, ASK, DROP } from '../../src/table/answerer.ts'
import type { ZoneSpace } from '../../src/table/contract.ts'
import type { Transport } from '../../src/table/counters.ts'
import { TableReader } from '../../src/table/reader.ts'
import { AnswerTable } from '../../src/table/table.ts'
import type { NameKey } from '../../src/wire/name.ts'
import type { TestClock } from '../helpers/clock.ts'
import { withCluster } from '../helpers/serve.ts'
import { peers } from '../table/answering.ts'

/** What both have in common. */
export interface World {
  readonly clock: TestClock
  readonly cluster: ClusterState
  readonly random: Random
  readonly plugins: readonly PluginDefinition[]
}

/** The longest message, and room behind it. */
const ROOM = 70_000
const CAPACITY = 65_535

export class Side {
  readonly lines: string[] = []
  readonly metrics = metrics()
  readonly #log = logger({ format: 'text', write: line => this.lines.push(line.trimEnd()) })
  /** How many requests were answered from the table, and how many were left to the chain. */
  answered = 0
  asked = 0
  readonly #world: World
  readonly #table: Table | undefined
  readonly #pool = new ResourcePool()
  readonly #http = httpHub()
  #instance: Instance | undefined
  #release: (() => Promise<void>) | undefined

  constructor(world: World, withTable: boolean) {
    this.#world = world
    this.#table = withTable ? new Table(world, this.metrics) : undefined
  }

  /** Serves a Corefile from now on, as after a reload. */
  async load(corefile: string): Promise<void> {
    const { clock, random, plugins, cluster } = this.#world
    const generation = this.#pool.generation()
    const next = Instance.load(
      corefile,
      { file: 'Corefile' },
      {
        plugins,
        clock,
        random,
        log: this.#log,
        metrics: this.metrics,
        http: this.#http,
        resources: withCluster(generation, cluster),
        dropped: () => () => undefined,
        table: this.#table?.spaces,
        republish: () => this.#table?.publish(this.#instance),
        control: {
          corefileChanged: async () => false,
          reload: async () => true,
          fail(reason) {
            throw reason
          },
        },
      },
    )
    await next.start()
    const old = this.#instance
    const releaseOld = this.#release
    this.#instance = next
    this.#release = () => generation.release()
    this.#table?.publish(next)
    await old?.stop()
    await releaseOld?.()
  }

  /** Which of the endpoints is asked is a number that is reduced to those there are. Undefined for silence. */
  async exchange(packet: Uint8Array, transport: Transport, endpoint: number): Promise<Buffer | undefined> {
    const instance = this.#instance!
    const { endpoints } = instance
    const { host, port } = endpoints[endpoint % endpoints.length]!
    const fromTable = this.#table?.answer(packet, transport, endpointText({ host, port }))
    if (fromTable !== undefined) {
      if (fromTable !== ASK) {
        this.answered++
        return fromTable === DROP ? undefined : fromTable
      }
      this.asked++
    }
    const panics = this.metrics.counter('coredns_panics_total', 'Errors of our own while answering.', []).of()
    const respond = responder({ router: () => instance.router({ host, port })!, log: this.#log, panics })
    const peer = { ...peers[transport], localAddress: host === '' ? '192.0.2.53' : host, localPort: port }
    const reply = await respond(packet, peer)
    return reply && Buffer.from(reply)
  }

  /** The names that stand in the table, always in the same order. */
  names(): NameKey[] {
    return this.#table?.names() ?? []
  }

  /** What its metrics say, without what the process itself does. */
  async counts(): Promise<string[]> {
    const text = await this.metrics.exposition()
    return text
      .split('\n')
      .filter(line => /^(coredns|portolan_search)_/.test(line))
      .sort()
  }

  async close(): Promise<void> {
    await this.#instance?.stop()
    await this.#release?.()
    await this.#http.close()
    this.#table?.close()
  }
}

/** The table as the server has it, and one thread that answers from it. */
class Table {
  readonly #table: AnswerTable
  readonly #spaces = new Set<ZoneSpace>()
  readonly #folder: TrafficFolder
  readonly #octets = new Uint8Array(ROOM)
  readonly #answerer: Answerer
  readonly #directories = new Map<string, number>()
  readonly #clock: TestClock

  constructor({ clock, random }: World, registry: Side['metrics']) {
    this.#clock = clock
    this.#table = new AnswerTable({ now: () => clock.monotonic() })
    this.#folder = new TrafficFolder(registry, clock)
    const counters = new Uint32Array(new SharedArrayBuffer(COUNTER_WORDS * 4))
    this.#folder.register(counters)
    this.#answerer = new Answerer({
      reader: new TableReader(this.#table.memory, this.#table.openReader()),
      octets: this.#octets,
      counters,
      random,
    })
  }

  readonly spaces = {
    zoneSpace: () => {
      const space = this.#table.zoneSpace()
      this.#spaces.add(space)
      const { close } = space
      return Object.assign(space, {
        close: () => {
          this.#spaces.delete(space)
          close.call(space)
        },
      })
    },
    cacheSpace: () => this.#table.cacheSpace(),
  }

  names(): NameKey[] {
    return [...this.#spaces].flatMap(space => [...space.keys()]).sort()
  }

  publish(instance: Instance | undefined): void {
    if (instance === undefined) return
    const left = new Set(this.#directories.keys())
    for (const endpoint of instance.endpoints) {
      const key = endpointText(endpoint)
      left.delete(key)
      const number = this.#directories.get(key) ?? this.#table.openDirectory()
      this.#directories.set(key, number)
      const directory = directoryOf(instance.router(endpoint)!, endpoint.host, this.#folder.numberOf)
      this.#table.setDirectory(number, directory)
    }
    for (const key of left) {
      this.#table.closeDirectory(this.#directories.get(key)!)
      this.#directories.delete(key)
    }
  }

  answer(packet: Uint8Array, transport: Transport, endpoint: string): Buffer | typeof DROP | typeof ASK {
    const at = 16
    this.#octets.fill(0xa5)
    this.#octets.set(packet, at)
    this.#answerer.begin(this.#clock.monotonic())
    const length = this.#answerer.answer(this.#directories.get(endpoint)!, at, packet.length, CAPACITY, transport)
    this.#answerer.end(0)
    if (length === ASK) {
      const untouched = Buffer.compare(this.#octets.subarray(at, at + packet.length), packet) === 0
      if (!untouched) throw new Error('a request that is asked was written to')
    }
    return length === ASK || length === DROP ? length : Buffer.from(this.#octets.subarray(at, at + length))
  }

  close(): void {
    this.#folder.close()
  }
}
