/**
 * The running server: listeners, the generation of the configuration that they serve, and the change from one to the next.
 */
import { readFileSync } from 'node:fs'
import type { HostPort } from '../corefile/addresses.ts'
import { type CorefileWarning, warningText } from '../corefile/errors.ts'
import type { Environment } from '../corefile/lexer.ts'
import type { ParseOptions } from '../corefile/parser.ts'
import { messageOf, PortolanError } from '../errors.ts'
import type { HttpHub } from '../net/http-hub.ts'
import type { Clock, Random } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import { DROPPED, trafficMetrics } from '../observe/traffic.ts'
import type { PluginDefinition } from '../plugin/plugin.ts'
import { REFUSED } from '../wire/answer.ts'
import { atMost } from './grace.ts'
import { endpointText, Instance, type Surroundings } from './instance.ts'
import type { Listener, UdpListener } from './listener.ts'
import { PublishedTable } from './published-table.ts'
import { receiveBufferText } from './receive-buffer.ts'
import { ResourcePool } from './resources.ts'
import { responder } from './respond.ts'
import type { Router } from './router.ts'
import { tcpListener } from './tcp.ts'
import { type UdpEngine, type UdpEngineChoice, udpEngine, usualSockets } from './udp-engine.ts'

export interface ServerOptions {
  /** The Corefile's path; read at start and at each reload. */
  readonly corefile: string
  /** Instead of reading the path. */
  readonly text?: string
  readonly env: Environment
  /** The port of keys that name none. */
  readonly port: number
  readonly plugins: readonly PluginDefinition[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly http: HttpHub
  /** How UDP is received and sent; `auto` by default. */
  readonly udpEngine?: UdpEngineChoice
  /** Whether compiled answers are kept in memory that answer threads share; without it every query goes through the plugins. Default true. */
  readonly answerTable?: boolean
  /** Ends the process with a readable reason. */
  readonly fail: (reason: Error) => void
}

/** How long queries in flight may take to be answered where a listener closes, or the configuration they met is replaced. */
const GRACE_MS = 5_000

interface Served {
  readonly endpoint: HostPort
  readonly udp: UdpListener
  readonly tcp: Listener
  /** In the answer table. */
  readonly directory: number
  router: Router
}

export class Server {
  readonly #options: ServerOptions
  readonly #pool = new ResourcePool()
  readonly #served = new Map<string, Served>()
  /** While it runs. */
  #engine: UdpEngine | undefined
  #table: PublishedTable | undefined
  #instance: Instance | undefined
  #release: (() => Promise<void>) | undefined
  /** The hash of the Corefile that was loaded last, taken or not. */
  #tried: string | undefined
  /** The reload (or start) under way; another waits for it. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ServerOptions) {
    this.#options = options
  }

  /** The generation being served. Throws before `start`. */
  get instance(): Instance {
    if (this.#instance === undefined) throw new PortolanError('PORTOLAN_NOT_STARTED', 'the server is not started')
    return this.#instance
  }

  get listeners(): readonly Listener[] {
    return [...this.#served.values()].flatMap(({ udp, tcp }) => [udp, tcp])
  }

  /** Reads the Corefile, starts its plugins and listens. Throws a PortolanError with one readable sentence. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      const { answerTable = true, metrics, clock } = this.#options
      this.#table ??= answerTable ? new PublishedTable(metrics, clock) : undefined
      try {
        await this.#change()
      } catch (error) {
        await this.#stopAnswering()
        throw error
      }
      this.#tellEngine()
    })
  }

  /** Serves the Corefile as it is now; a bad one is logged and the old configuration stays. Resolves to whether it was taken: never by a server that is not running. */
  reload(): Promise<boolean> {
    return this.#inTurn(async () => {
      // It may have waited for the end.
      if (this.#instance === undefined) return false
      try {
        await this.#change()
        this.#options.log.info('Reloading complete')
        return true
      } catch (error) {
        this.#options.log.error(`the old configuration stays: ${messageOf(error)}`)
        return false
      }
    })
  }

  /** Lets plugins drain while queries are still answered, answers what is in flight, and gives everything back. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      const { log } = this.#options
      await this.#instance?.drain().catch(error => log.error(`a plugin did not drain: ${messageOf(error)}`))
      const served = [...this.#served.values()]
      this.#served.clear()
      await Promise.all(served.map(left => this.#close(left, GRACE_MS)))
      await this.#instance?.stop().catch(error => log.error(`a plugin did not stop: ${messageOf(error)}`))
      await this.#release?.().catch(error => log.error(`not everything was closed: ${messageOf(error)}`))
      this.#instance = undefined
      this.#release = undefined
      await this.#stopAnswering()
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #change(): Promise<void> {
    const resources = this.#pool.generation()
    const opened: Served[] = []
    let next: Instance | undefined
    const sockets = this.#instance && socketsOf(this.#instance)
    try {
      const text = this.#text()
      this.#tried = Instance.hash(text, this.#parseOptions(false))
      next = Instance.load(text, this.#parseOptions(true), this.#surroundings(resources))
      await next.start()
      await this.#widen(socketsOf(next))
      for (const endpoint of next.endpoints) {
        if (!this.#served.has(endpointText(endpoint))) opened.push(await this.#open(endpoint, next.router(endpoint)!))
      }
    } catch (error) {
      await Promise.all(opened.map(served => this.#close(served, 0)))
      await this.#retire(next, resources.release)
      if (sockets !== undefined) await this.#engine?.resize(sockets)
      throw error
    }
    await this.#commit(next, opened, resources.release)
  }

  async #commit(next: Instance, opened: readonly Served[], release: () => Promise<void>): Promise<void> {
    for (const served of opened) this.#served.set(endpointText(served.endpoint), served)
    const leaving: Served[] = []
    for (const [key, served] of this.#served) {
      const router = next.router(served.endpoint)
      if (router) {
        served.router = router
      } else {
        this.#served.delete(key)
        leaving.push(served)
      }
    }
    next.listening(this.listeners)
    const old = this.#instance
    const releaseOld = this.#release
    this.#instance = next
    this.#release = release
    this.#republish()
    await this.#engine?.resize(socketsOf(next))
    await Promise.all(leaving.map(served => this.#close(served, GRACE_MS)))
    await this.#retire(old, releaseOld)
  }

  /** Has the engine run with at least so many sockets a port. */
  async #widen(sockets: number): Promise<void> {
    const { udpEngine: choice = 'auto', clock, log, metrics } = this.#options
    if (this.#engine === undefined) {
      this.#engine = await udpEngine(choice, sockets, { clock, log, metrics, table: this.#table })
    } else if (this.#instance === undefined || sockets > socketsOf(this.#instance)) {
      await this.#engine.resize(sockets)
    }
  }

  async #stopAnswering(): Promise<void> {
    await this.#engine?.stop()
    this.#engine = undefined
    this.#table?.stop()
    this.#table = undefined
  }

  /** Says of every endpoint what its plugins publish now. */
  #republish(): void {
    for (const { directory, endpoint, router } of this.#served.values()) {
      this.#table?.publish(directory, endpoint, router)
    }
  }

  /** Stops a generation that gets no more queries. It is not being served, so what goes wrong here is only told. */
  async #retire(instance: Instance | undefined, release: (() => Promise<void>) | undefined): Promise<void> {
    const { clock, log } = this.#options
    try {
      // Its plugins may still wait for an upstream: to stop them would fail those queries.
      if (instance) await atMost(clock, GRACE_MS, instance.settled())
      try {
        await instance?.stop()
      } finally {
        await release?.()
      }
    } catch (error) {
      log.error(`a plugin of the old configuration did not stop: ${messageOf(error)}`)
    }
  }

  async #open(endpoint: HostPort, router: Router): Promise<Served> {
    const { log, clock, metrics } = this.#options
    const table = this.#table
    const engine = this.#engine!
    const directory = table?.table.openDirectory() ?? 0
    const served = { endpoint, router, directory }
    const panics = metrics.counter('coredns_panics_total', 'Errors of our own while answering.', []).of()
    const respond = responder({ router: () => served.router, log, panics })
    const fromTable = table ? table.first(directory, respond) : respond
    const tcp = tcpListener({ address: endpoint.host, port: endpoint.port, log, clock })
    let udp: UdpListener | undefined
    try {
      // With port 0 the system chooses one for TCP, whose ports are the scarcer ones, and UDP takes the same.
      await tcp.listen(fromTable)
      udp = engine.listener({ address: endpoint.host, port: tcp.port, log, clock }, directory)
      await udp.listen(engine.readsTable ? respond : fromTable)
    } catch (error) {
      await Promise.all([udp?.close(0), tcp.close(0)])
      table?.table.closeDirectory(directory)
      throw error
    }
    return Object.assign(served, { udp, tcp })
  }

  async #close({ udp, tcp, directory }: Served, graceMs: number): Promise<void> {
    await Promise.all([udp.close(graceMs), tcp.close(graceMs)])
    this.#table?.table.closeDirectory(directory)
  }

  /** One line: how UDP is received, and what to do where its buffer is small. */
  #tellEngine(): void {
    const listeners = [...this.#served.values()].map(({ udp }) => udp)
    const buffer = Math.min(...listeners.map(({ receiveBuffer }) => receiveBuffer))
    this.#options.log.info(`udp: ${this.#engine!.description}, ${receiveBufferText(buffer)}`)
  }

  #text(): string {
    const { corefile, text } = this.#options
    if (text !== undefined) return text
    try {
      return readFileSync(corefile, 'utf8')
    } catch (cause) {
      throw new PortolanError('PORTOLAN_COREFILE_READ', `cannot read the Corefile ${corefile}: ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  #parseOptions(warnings: boolean): ParseOptions {
    const { corefile, env, port, log } = this.#options
    const warn = (warning: CorefileWarning) => log.warning(warningText(warning))
    return { file: corefile, env, port, ...(warnings ? { warn } : {}) }
  }

  #surroundings(resources: Surroundings['resources']): Surroundings {
    const { plugins, clock, random, log, metrics, http, fail } = this.#options
    return {
      plugins,
      clock,
      random,
      log,
      metrics,
      http,
      resources,
      table: this.#table?.table,
      republish: () => this.#republish(),
      dropped: label => {
        const traffic = trafficMetrics(metrics).of(label, DROPPED)
        return query => traffic.count(query, REFUSED, '', 0)
      },
      control: {
        corefileChanged: async () => Instance.hash(this.#text(), this.#parseOptions(false)) !== this.#tried,
        reload: () => this.reload(),
        fail,
      },
    }
  }
}

/** How many sockets each port is to have: one number for all, as the threads behind them are shared. */
function socketsOf({ blocks }: Instance): number {
  const wanted = blocks.flatMap(({ sockets }) => sockets ?? [])
  return wanted.length === 0 ? usualSockets() : Math.max(...wanted)
}
